#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/client.hpp"

// TARGET: 1842, 1842_7, 1800-1842[:2], 1,5,9, last, a job's name, @me, @running, @pending, and
// -l key=value. What names jobs adds up; the others are filters, and what is meant matches them
// all.
namespace reeve::cli {

inline constexpr std::size_t kTargetsMax = 10'000;  // Jobs that one command may name by id.

/// A job, or one element of it.
struct Target {
    std::uint64_t job = 0;
    std::optional<std::uint32_t> element = {};

    friend bool operator==(const Target&, const Target&) = default;
};

[[nodiscard]] std::string to_string(const Target& target);

/// Of jobs that have not ended.
[[nodiscard]] std::vector<std::string> live_states();

/// Jobs by what they are: all of these have to hold.
struct Selector {
    bool is_mine = false;
    std::vector<std::string> states = {};  // Any of them, in the API's words.
    std::vector<std::string> labels = {};  // "key=value".
    std::string user = {};
    std::string project = {};
    std::string name = {};

    [[nodiscard]] bool is_empty() const { return *this == Selector{}; }

    friend bool operator==(const Selector&, const Selector&) = default;
};

/// What was written, not yet looked up.
struct TargetList {
    std::vector<Target> named = {};       // In the order written.
    bool is_last = false;                 // "last": the caller's newest job.
    std::vector<std::string> names = {};  // Of jobs of the caller.
    std::optional<Selector> selector = {};

    /// True if it names jobs, and does not only say which are meant.
    [[nodiscard]] bool has_named() const { return !named.empty() || is_last || !names.empty(); }

    friend bool operator==(const TargetList&, const TargetList&) = default;
};

/// Errors: kInvalid, saying what a target is; kTooLarge over kTargetsMax.
[[nodiscard]] Result<TargetList> parse_targets(
    const std::vector<std::string>& words, const std::vector<std::string>& labels);

/// "/api/v1/jobs?…" of the jobs that the selector means.
[[nodiscard]] std::string jobs_path(const Selector& selector);

/// Asks the server which jobs the list means. A selector alone that matches none gives none. A name
/// means the caller's only job of that name that has not ended; if all have, the newest.
/// Errors: kNotFound: there is no such job of the caller, or one that is named does not match the
/// selector, too; kConflict: several that have not ended have that name.
[[nodiscard]] Result<std::vector<Target>> look_up(Client& client, const TargetList& list);

/// The job that `word` means, which is "1842", "last" or a name. Errors: as of look_up().
[[nodiscard]] Result<std::uint64_t> look_up_job(Client& client, std::string_view word);

/// Likewise; of nothing written, the caller's newest job.
[[nodiscard]] Result<std::vector<Target>> look_up_or_last(Client& client, TargetList list);

/// One at least. Errors: kInvalid if nothing was written; kNotFound if nothing matches.
[[nodiscard]] Result<std::vector<Target>> look_up_some(Client& client, const TargetList& list);

/// Just one target. Errors: as look_up_some(); kInvalid if there are several.
[[nodiscard]] Result<Target> look_up_one(Client& client, const TargetList& list);

}  // namespace reeve::cli
