#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/session.hpp"
#include "cli/usage.hpp"

namespace reeve::cli {

/// What a verb does. One object per call.
class Verb {
  public:
    virtual ~Verb() = default;

    /// Binds the verb's own flags and arguments.
    virtual void add_options(CLI::App& app) = 0;

    /// The exit code. An error is printed by the caller and gives its own.
    [[nodiscard]] virtual Result<int> run(Session& session) = 0;

    /// What is left of the command line after the flags, for `run`; what follows a "--".
    virtual void take_rest(
        const std::vector<std::string>& before, const std::vector<std::string>& after) {
        (void)before;
        (void)after;
    }

    /// True if the command line ends where its first argument that is no flag begins.
    [[nodiscard]] virtual bool takes_command() const { return false; }

    /// Formats that -o takes with this verb. Of the others there is nothing to show.
    [[nodiscard]] virtual bool takes(Format format) const { return format != Format::kColumns; }

    /// Knows flags that the verb does not have; null: it knows none.
    [[nodiscard]] virtual Advice advice() const { return nullptr; }
};

/// A verb that shows a list, which has columns.
class ListVerb : public Verb {
  public:
    [[nodiscard]] bool takes(Format /*format*/) const override { return true; }
};

/// A row of the one table of verbs. A verb of a noun has both in its name: "project list".
struct VerbRow {
    std::string_view name;
    std::string_view summary;
    std::string_view usage;     // After the name.
    std::string_view examples;  // Lines.
    std::unique_ptr<Verb> (*make)();
};

[[nodiscard]] const std::vector<VerbRow>& verb_table();

// One per file of src/cli.
[[nodiscard]] std::vector<VerbRow> run_verbs();
[[nodiscard]] std::vector<VerbRow> queue_verbs();
[[nodiscard]] std::vector<VerbRow> why_verbs();
[[nodiscard]] std::vector<VerbRow> when_verbs();
[[nodiscard]] std::vector<VerbRow> sim_verbs();
[[nodiscard]] std::vector<VerbRow> log_verbs();
[[nodiscard]] std::vector<VerbRow> control_verbs();
[[nodiscard]] std::vector<VerbRow> cluster_verbs();
[[nodiscard]] std::vector<VerbRow> node_control_verbs();
[[nodiscard]] std::vector<VerbRow> simulation_verbs();
[[nodiscard]] std::vector<VerbRow> replay_verbs();
[[nodiscard]] std::vector<VerbRow> project_verbs();
[[nodiscard]] std::vector<VerbRow> reservation_verbs();
[[nodiscard]] std::vector<VerbRow> server_verbs();
[[nodiscard]] std::vector<VerbRow> doctor_verbs();
[[nodiscard]] std::vector<VerbRow> shell_verbs();

template <class T>
std::unique_ptr<Verb> make_verb() {
    return std::make_unique<T>();
}

/// The flags of a verb that takes TARGETs.
struct TargetFlags {
    std::vector<std::string> words = {};
    std::vector<std::string> labels = {};

    void add_to(CLI::App& app);

    [[nodiscard]] Result<TargetList> parse() const { return parse_targets(words, labels); }
};

}  // namespace reeve::cli
