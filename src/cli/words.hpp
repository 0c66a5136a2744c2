#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "cli/json.hpp"

// How the CLI words what the API says in codes. One table each.
namespace reeve::cli {

enum class Tone : std::uint8_t { kPlain, kGood, kBusy, kWaiting, kBad, kFaint };

/// Of an element or job state, and of a node's.
[[nodiscard]] Tone tone_of_state(std::string_view state);

/// "behind" -> "behind earlier jobs". A reason that is not known is shown as it came.
[[nodiscard]] std::string reason_in_words(std::string_view reason);

/// How a job or element ended: "exited with 3", "killed by SIGKILL", "out of memory"; "" if it
/// has not. `field` has the code of the reason.
[[nodiscard]] std::string end_in_words(const JsonValue& job, std::string_view field = "end_reason");

/// What `run` and `wait` exit with: 0 if it succeeded, else 128 + the signal that ended it (of a
/// time limit, too), else its own status, else 1.
[[nodiscard]] int exit_status_of(const JsonValue& job);

[[nodiscard]] bool is_end_state(std::string_view state);

/// "2 x a30 (20 GiB or more), 4 CPU, 8 GiB" of `resources` as the API shows them.
[[nodiscard]] std::string resources_in_words(const JsonValue* resources);

/// Of that, the GPUs alone: "2 x a30".
[[nodiscard]] std::string gpus_in_words(const JsonValue* resources);

/// "GPU-1 (NVIDIA A30 on jw1, simulated): the node no longer reports it"; "" if nothing is wrong
/// with it.
[[nodiscard]] std::string trouble_in_words(const JsonValue& gpu);

/// "2024-05-01T12:00:00.5Z" as an Instant; nothing if it is no time.
[[nodiscard]] std::optional<Instant> parse_time(std::string_view text);

/// "2m ago", "in 3h"; "" for no time.
[[nodiscard]] std::string relative_time(std::string_view text, Instant now);

/// How long a job has waited, runs, or ran.
[[nodiscard]] std::string time_of_job(const JsonValue& job, Instant now);

/// Between two times, "3m20s"; `to` "" means now.
[[nodiscard]] std::string time_between(std::string_view from, std::string_view to, Instant now);

/// As the server says it of a job for that project.
[[nodiscard]] std::string no_project_in_words(
    const std::string& name, const std::vector<std::string>& there);

/// "a, b, c"; of very many, the first ones and how many more.
[[nodiscard]] std::string list_of(const std::set<std::string>& names);

}  // namespace reeve::cli
