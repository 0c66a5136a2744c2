#include "model/records.hpp"

#include <algorithm>
#include <utility>

namespace reeve::model {
namespace {

template <class Value>
struct Word {
    Value value;
    std::string_view text;
};

constexpr auto kStateWords = std::to_array<Word<ElementState>>({
    {ElementState::kQueued,    "queued"   },
    {ElementState::kHeld,      "held"     },
    {ElementState::kScheduled, "scheduled"},
    {ElementState::kRunning,   "running"  },
    {ElementState::kStopping,  "stopping" },
    {ElementState::kSucceeded, "succeeded"},
    {ElementState::kFailed,    "failed"   },
    {ElementState::kCancelled, "cancelled"},
    {ElementState::kTimedOut,  "timed_out"},
});
static_assert(kStateWords.size() == kElementStates);

constexpr auto kReasonWords = std::to_array<Word<EndReason>>({
    {EndReason::kExitCode,        "exit_code"       },
    {EndReason::kSignal,          "signal"          },
    {EndReason::kOom,             "oom"             },
    {EndReason::kTimeLimit,       "time_limit"      },
    {EndReason::kCancelled,       "cancelled"       },
    {EndReason::kPreempted,       "preempted"       },
    {EndReason::kDrained,         "drained"         },
    {EndReason::kNodeLost,        "node_lost"       },
    {EndReason::kStartFailed,     "start_failed"    },
    {EndReason::kDependencyNever, "dependency_never"},
});

constexpr auto kIntentWords = std::to_array<Word<StopIntent>>({
    {StopIntent::kCancel,    "cancel"    },
    {StopIntent::kTimeLimit, "time_limit"},
    {StopIntent::kPreempt,   "preempt"   },
    {StopIntent::kDrain,     "drain"     },
    {StopIntent::kRequeue,   "requeue"   },
});

constexpr auto kAllocationWords = std::to_array<Word<AllocationState>>({
    {AllocationState::kReserved,  "reserved" },
    {AllocationState::kBound,     "bound"    },
    {AllocationState::kReleasing, "releasing"},
    {AllocationState::kReleased,  "released" },
});

template <class Value, std::size_t N>
std::string_view text_in(const std::array<Word<Value>, N>& table, Value value) {
    const auto row = std::ranges::find(table, value, &Word<Value>::value);
    return row == table.end() ? "unknown" : row->text;
}

template <class Value, std::size_t N>
std::optional<Value> value_in(const std::array<Word<Value>, N>& table, std::string_view text) {
    const auto row = std::ranges::find(table, text, &Word<Value>::text);
    return row == table.end() ? std::nullopt : std::optional(row->value);
}

bool is_letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

/// "GeForce RTX 5090" -> {"geforce", "rtx", "5090"}.
std::vector<std::string> words_in(std::string_view text) {
    std::vector<std::string> words(1);
    for (const char c : text) {
        if (is_letter_or_digit(c)) {
            words.back() += lower(c);
        } else if (!words.back().empty()) {
            words.emplace_back();
        }
    }
    if (words.back().empty()) {
        words.pop_back();
    }
    return words;
}

}  // namespace

std::uint32_t StateCounts::live() const {
    return (*this)[ElementState::kScheduled] + (*this)[ElementState::kRunning] +
           (*this)[ElementState::kStopping];
}

std::uint32_t StateCounts::pending() const {
    return (*this)[ElementState::kQueued] + (*this)[ElementState::kHeld];
}

std::uint32_t StateCounts::ended() const {
    return (*this)[ElementState::kSucceeded] + (*this)[ElementState::kFailed] +
           (*this)[ElementState::kCancelled] + (*this)[ElementState::kTimedOut];
}

ElementState state_of(const StateCounts& counts) {
    constexpr auto kStrongestFirst = std::to_array<ElementState>(
        {ElementState::kRunning, ElementState::kStopping, ElementState::kScheduled,
         ElementState::kQueued, ElementState::kHeld, ElementState::kFailed, ElementState::kTimedOut,
         ElementState::kCancelled});
    for (const ElementState state : kStrongestFirst) {
        if (counts[state] > 0) {
            return state;
        }
    }
    return ElementState::kSucceeded;
}

std::optional<std::uint32_t> JobRecord::next_waiting() const {
    std::uint32_t position = next;
    for (const std::uint32_t taken_position : taken) {
        if (taken_position != position) {
            break;
        }
        ++position;
    }
    return position < range.count() ? std::optional(position) : std::nullopt;
}

Request request_of(
    const GpuAsk& gpus, const HostAmount& host, std::optional<std::vector<GpuModelId>> models) {
    Request request{.host = host};
    if (!gpus.is_share()) {
        request.gpus = WholeGpus{
            .count = gpus.count, .models = std::move(models), .total_mib_min = gpus.memory_mib};
        return request;
    }
    GpuShare share{.models = std::move(models)};
    if (gpus.milli > 0) {
        share.milli = gpus.milli;
    }
    if (gpus.memory_mib > 0) {
        share.memory_mib = gpus.memory_mib;
    }
    request.gpus = std::move(share);
    return request;
}

NodeFacts facts_of(
    const NodeRecord& node,
    WhichGpus which,
    const std::function<std::string(GpuModelId)>& name_of_model) {
    NodeFacts facts{
        .name = node.name, .labels = node.labels, .cpu_millicores = node.host.cpu_millicores};
    for (const NodeGpu& gpu : node.gpus) {
        if (gpu.is_present || which == WhichGpus::kAll) {
            facts.gpu_models.push_back(name_of_model(gpu.model));
            facts.gpu_memory_mib = std::max(facts.gpu_memory_mib, gpu.total_mib);
        }
    }
    return facts;
}

std::string_view word_of(ElementState state) {
    return text_in(kStateWords, state);
}

std::optional<ElementState> parse_element_state(std::string_view word) {
    return value_in(kStateWords, word);
}

std::string_view word_of(EndReason reason) {
    return text_in(kReasonWords, reason);
}

std::optional<EndReason> parse_end_reason(std::string_view word) {
    return value_in(kReasonWords, word);
}

std::string_view word_of(StopIntent intent) {
    return text_in(kIntentWords, intent);
}

std::string_view word_of(AllocationState state) {
    return text_in(kAllocationWords, state);
}

std::string_view word_of(JobControl control) {
    switch (control) {
        case JobControl::kStop:
        case JobControl::kStopForced: return "stop";
        case JobControl::kHold:       return "hold";
        case JobControl::kRelease:    return "release";
        case JobControl::kRequeue:    return "requeue";
        case JobControl::kPreempt:    return "preempt";
        case JobControl::kAdopt:      return "adopt";
    }
    return "stop";  // Only if it was cast from a number.
}

std::string to_string(const ElementKey& key, bool is_array) {
    std::string text = to_string(key.job);
    return is_array ? text + "_" + std::to_string(key.index) : text;
}

bool is_model(std::string_view asked, std::string_view model) {
    std::string wanted;
    for (const std::string& word : words_in(asked)) {
        wanted += word;
    }
    const std::vector<std::string> words = words_in(model);
    for (std::size_t from = 0; from < words.size(); ++from) {
        std::string joined;
        for (std::size_t i = from; i < words.size() && joined.size() < wanted.size(); ++i) {
            joined += words[i];
        }
        if (!wanted.empty() && joined == wanted) {
            return true;
        }
    }
    return false;
}

}  // namespace reeve::model
