#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.hpp"
#include "cli/client.hpp"

namespace reeve::cli {

/// What follows the flags of `reeve sim`: "run", flags as of `reeve run`, and a command.
struct SimJobWords {
    const std::vector<std::string>& before;
    const std::vector<std::string>& command;  // After a "--"; may be empty.
    std::string project = {};                 // Where a job names none; "": the server's.
};

/// The changes that a simulation takes as done, as they are written.
struct SimFlags {
    std::vector<std::string> jobs = {};
    std::string count = {};
    std::vector<std::string> drained = {};
    std::vector<std::string> resumed = {};
    std::vector<std::string> removed = {};
    std::vector<std::string> added = {};
    std::vector<std::string> quotas = {};
    std::string backfill = {};
    std::string policy = {};
    std::vector<std::string> cancelled = {};
    std::vector<std::string> held = {};
    std::vector<std::string> released = {};
    std::vector<std::string> priorities = {};
    std::vector<std::string> limits = {};
    std::string horizon = {};
    bool shows_all = false;

    void add_to(CLI::App& app);

    /// The body of the request. A quota changes what it names; the rest of it is asked of the
    /// server. `is_short`: a person reads the answer. Errors: kInvalid, naming the flag.
    [[nodiscard]] Result<std::string> body(
        Client& client, const SimJobWords& words, bool is_short) const;
};

}  // namespace reeve::cli
