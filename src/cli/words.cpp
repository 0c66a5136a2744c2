#include "cli/words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/text.hpp"
#include "base/utc.hpp"
#include "model/job_spec.hpp"

namespace reeve::cli {
namespace {

struct StateRow {
    std::string_view state;
    Tone tone;
    bool is_end;
};

constexpr auto kStates = std::to_array<StateRow>({
    {"held",        Tone::kFaint,   false},
    {"queued",      Tone::kWaiting, false},
    {"scheduled",   Tone::kBusy,    false},
    {"running",     Tone::kBusy,    false},
    {"stopping",    Tone::kWaiting, false},
    {"succeeded",   Tone::kGood,    true },
    {"failed",      Tone::kBad,     true },
    {"cancelled",   Tone::kFaint,   true },
    {"timed_out",   Tone::kBad,     true },
    {"ready",       Tone::kGood,    false}, // Of nodes, from here on.
    {"drained",     Tone::kWaiting, false},
    {"unreachable", Tone::kBad,     false},
    {"gated",       Tone::kWaiting, false},
});

struct Wording {
    std::string_view code;
    std::string_view words;
};

constexpr auto kReasons = std::to_array<Wording>({
    {"held",             "held; `reeve release` lets it go on"                 },
    {"dependency",       "waits for another job"                               },
    {"retry_backoff",    "pauses before its next try"                          },
    {"array_limit",      "as many of its elements run as it allows"            },
    {"cluster_limit",    "as many jobs run as the server allows"               },
    {"quota",            "its project's quota is used up"                      },
    {"guarantee",        "what is left is lent to preemptible jobs only"       },
    {"gpu_short",        "waits for GPUs"                                      },
    {"cpu_short",        "waits for CPUs"                                      },
    {"memory_short",     "waits for memory"                                    },
    {"too_small",        "no node that is there is large enough"               },
    {"labels",           "no node that is there is one that it asks for (--on)"},
    {"node_unavailable", "a node that could run it is not available"           },
    {"gate",             "a node that could run it is too busy (gate)"         },
    {"reserved",         "room is kept for an earlier job"                     },
    {"reservation",      "a node that could run it is reserved for others"     },
    {"behind",           "behind earlier jobs"                                 },
    {"starting",         "about to start"                                      },
});

constexpr auto kEnds = std::to_array<Wording>({
    {"exit_code",        "exited"                                   },
    {"signal",           "killed by a signal"                       },
    {"oom",              "ran out of memory (--mem sets its limit)" },
    {"time_limit",       "reached its time limit"                   },
    {"cancelled",        "was stopped"                              },
    {"preempted",        "was preempted"                            },
    {"drained",          "its node was drained"                     },
    {"node_lost",        "its node was lost"                        },
    {"start_failed",     "could not be started"                     },
    {"dependency_never", "what it waited for cannot happen any more"},
});

template <std::size_t N>
std::string word_in(const std::array<Wording, N>& table, std::string_view code) {
    const auto row = std::ranges::find(table, code, &Wording::code);
    if (row != table.end()) {
        return std::string(row->words);
    }
    std::string words(code);
    std::ranges::replace(words, '_', ' ');
    return words;
}

std::string count_of(std::string_view text) {
    const auto milli = parse_milli(text);
    return milli ? format_milli(*milli) : std::string(text);
}

std::string gpus_and_memory(const JsonValue& resources) {
    const std::string gpus = text_at(resources, "gpus");
    const std::string model = text_at(resources, "gpu_model");
    const std::string what = model.empty() ? "GPU" : model;
    const auto memory = integer_at(resources, "gpu_memory_mib");
    if (gpus.empty() || gpus == "0") {
        return memory ? format_mib(*memory) + " of one " + what : "no GPU";
    }
    return count_of(gpus) + " x " + what + (memory ? " (" + format_mib(*memory) + " or more)" : "");
}

}  // namespace

Tone tone_of_state(std::string_view state) {
    const auto row = std::ranges::find(kStates, state, &StateRow::state);
    return row == kStates.end() ? Tone::kPlain : row->tone;
}

bool is_end_state(std::string_view state) {
    const auto row = std::ranges::find(kStates, state, &StateRow::state);
    return row != kStates.end() && row->is_end;
}

std::string reason_in_words(std::string_view reason) {
    return word_in(kReasons, reason);
}

namespace {

bool is_array_that_ended(const JsonValue& job) {
    const bool is_array =
        integer_at(job, "elements.total").value_or(1) > 1 || find(job, "array") != nullptr;
    return is_array && find(job, "index") == nullptr && is_end_state(text_at(job, "state"));
}

/// "2 of 5 failed", "all 19 succeeded" of an array that is over; else "".
std::string elements_in_words(const JsonValue& job) {
    struct Row {
        const char* state;
        const char* words;
        bool is_success = false;
    };

    if (!is_array_that_ended(job)) {
        return "";
    }
    const auto total = integer_at(job, "elements.total").value_or(1);
    std::string words;
    for (const Row& row : {
             Row{"failed", "failed"},
             Row{"timed_out", "timed out"},
             Row{"cancelled", "cancelled"},
             Row{"succeeded", "succeeded", true}
    }) {
        const auto count = integer_at(job, std::string("elements.") + row.state).value_or(0);
        if (count == total && total > 1) {
            return "all " + std::to_string(total) + " " + row.words;
        }
        if (count > 0 && !row.is_success) {
            words += words.empty() ? "" : ", ";
            words += std::to_string(count) + " of " + std::to_string(total) + " " + row.words;
        }
    }
    return words;
}

}  // namespace

std::string end_in_words(const JsonValue& job, std::string_view field) {
    const std::string reason = text_at(job, field);
    if (reason.empty()) {
        return field == "end_reason" ? elements_in_words(job) : "";
    }
    std::string words = word_in(kEnds, reason);
    if (reason == "exit_code") {
        words = "exited with " + std::to_string(integer_at(job, "exit_code").value_or(0));
    } else if (reason == "signal") {
        const auto signal = static_cast<std::int32_t>(integer_at(job, "signal").value_or(0));
        words = signal == 0 ? "how it ended is not known"  // Nobody was left to see it.
                            : "killed by SIG" + model::signal_name(signal);
    }
    const std::string message = text_at(job, "message");
    return message.empty() ? words : words + ": " + message;
}

std::string trouble_in_words(const JsonValue& gpu) {
    const std::string trouble = text_at(gpu, "trouble");
    return trouble.empty() ? ""
                           : text_at(gpu, "uuid") + " (" + text_at(gpu, "model") + " on " +
                                 text_at(gpu, "node") +
                                 (flag_at(gpu, "simulated") ? ", simulated" : "") + "): " + trouble;
}

int exit_status_of(const JsonValue& job) {
    const std::string state = text_at(job, "state");
    if (state == "succeeded") {
        return 0;
    }
    const std::string reason = text_at(job, "end_reason");
    const auto signal = integer_at(job, "signal").value_or(0);
    const auto code = integer_at(job, "exit_code").value_or(0);
    constexpr int kSignalBase = 128;
    constexpr int kKill = 9;
    if (signal > 0 && signal < kSignalBase) {  // Whoever sent it: time limit, stop, drain.
        return kSignalBase + static_cast<int>(signal);
    }
    if (reason == "oom") {
        return kSignalBase + kKill;
    }
    return reason == "exit_code" && code > 0 && code <= 255 ? static_cast<int>(code) : 1;
}

std::string resources_in_words(const JsonValue* resources) {
    if (resources == nullptr || !resources->IsObject()) {
        return "no GPU, 1 CPU";
    }
    const std::string cpus = text_at(*resources, "cpus");
    const auto memory = integer_at(*resources, "memory_mib");
    return gpus_and_memory(*resources) + ", " + (cpus.empty() ? "1" : count_of(cpus)) + " CPU" +
           (memory ? ", " + format_mib(*memory) : "");
}

std::string gpus_in_words(const JsonValue* resources) {
    if (resources == nullptr || !resources->IsObject()) {
        return "no GPU";
    }
    const std::string gpus = text_at(*resources, "gpus");
    const bool has_count = !gpus.empty() && gpus != "0";
    const std::string words = gpus_and_memory(*resources);
    return has_count ? words.substr(0, words.find(" (")) : words;
}

std::optional<Instant> parse_time(std::string_view text) {
    return parse_utc(text);
}

std::string relative_time(std::string_view text, Instant now) {
    const auto at = parse_time(text);
    if (!at) {
        return std::string(text);
    }
    const auto ago = std::chrono::duration_cast<std::chrono::seconds>(now - *at);
    return ago.count() >= 0 ? format_duration(ago) + " ago" : "in " + format_duration(-ago);
}

std::string time_between(std::string_view from, std::string_view to, Instant now) {
    const auto begin = parse_time(from);
    const auto end = to.empty() ? std::optional(now) : parse_time(to);
    if (!begin || !end || *end < *begin) {
        return begin ? "0s" : "";
    }
    return format_duration(std::chrono::duration_cast<std::chrono::seconds>(*end - *begin));
}

std::string list_of(const std::set<std::string>& names) {
    constexpr std::size_t kNamed = 12;
    std::string list;
    std::size_t named = 0;
    for (const std::string& name : names) {
        if (named == kNamed) {
            return list + " and " + std::to_string(names.size() - kNamed) + " more";
        }
        list += (named == 0 ? "" : ", ") + name;
        ++named;
    }
    return list;
}

std::string no_project_in_words(const std::string& name, const std::vector<std::string>& there) {
    constexpr std::size_t kNamed = 12;
    const std::string near = nearest(name, there);
    std::string list;
    for (std::size_t i = 0; i < std::min(there.size(), kNamed); ++i) {
        list += (i == 0 ? "" : ", ") + there[i];
    }
    list += there.size() > kNamed ? ", …" : "";
    return "there is no project '" + name + "'" +
           (near.empty() ? "; there are: " + list : "; did you mean '" + near + "'?");
}

std::string time_of_job(const JsonValue& job, Instant now) {
    const std::string started = text_at(job, "started_at");
    return time_between(
        started.empty() ? text_at(job, "submitted_at") : started, text_at(job, "ended_at"), now);
}

}  // namespace reeve::cli
