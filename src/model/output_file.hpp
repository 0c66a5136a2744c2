#pragma once

#include <string>
#include <string_view>

// Files on the node that get a copy of what a job writes, named by a pattern: "logs/%x-%j.out".
namespace reeve::model {

/// What a pattern can name of a task.
struct OutputNames {
    std::string element = {};    // %j: "1842", "1842_7"
    std::string job = {};        // %A: "1842"
    std::string index = {};      // %a: "7"; "0" if the job is no array.
    std::string job_name = {};   // %x: a slash in it becomes an underscore.
    std::string user = {};       // %u
    std::string node_name = {};  // %N
};

/// What is wrong with a pattern, in words that say what would be accepted; "" if nothing is.
/// Assumes valid UTF-8 without NUL.
[[nodiscard]] std::string fault_of_output_file(std::string_view pattern);

/// The path that a pattern without fault is for a task; it may be longer than Linux accepts.
[[nodiscard]] std::string expand_output_file(std::string_view pattern, const OutputNames& names);

}  // namespace reeve::model
