#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "model/job_spec.hpp"
#include "model/resources.hpp"
#include "model/spec_rules.hpp"
#include "model/task.hpp"

namespace reeve::model {
namespace {

/// Not `quoted`: for a `std::string` that is `std::quoted`, which <chrono> of GCC 13 includes.
std::string in_quotes(std::string_view text) {
    return "'" + std::string(text) + "'";
}

struct SignalName {
    std::string_view name;
    std::int32_t number;
};

/// Linux on x86-64 and arm64.
constexpr auto kSignals = std::to_array<SignalName>({
    {"HUP",    1 },
    {"INT",    2 },
    {"QUIT",   3 },
    {"ILL",    4 },
    {"TRAP",   5 },
    {"ABRT",   6 },
    {"BUS",    7 },
    {"FPE",    8 },
    {"KILL",   9 },
    {"USR1",   10},
    {"SEGV",   11},
    {"USR2",   12},
    {"PIPE",   13},
    {"ALRM",   14},
    {"TERM",   15},
    {"STKFLT", 16},
    {"CHLD",   17},
    {"CONT",   18},
    {"STOP",   19},
    {"TSTP",   20},
    {"TTIN",   21},
    {"TTOU",   22},
    {"URG",    23},
    {"XCPU",   24},
    {"XFSZ",   25},
    {"VTALRM", 26},
    {"PROF",   27},
    {"WINCH",  28},
    {"IO",     29},
    {"PWR",    30},
    {"SYS",    31},
});

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(
        result, result.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
    return result;
}

/// Drops "…`separator`rest" from the end of `text` and gives the rest; nothing if it is not there.
std::optional<std::string_view> take_after(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view rest = text.substr(at + 1);
    text = text.substr(0, at);
    return rest;
}

/// Digits only, within [least, most]; -1 otherwise.
std::int64_t number_in(std::string_view text, std::int64_t least, std::int64_t most) {
    const bool is_plain =
        !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    const auto value = parse_integer(text);
    return is_plain && value && *value >= least && *value <= most ? *value : -1;
}

}  // namespace

Result<ArrayRange> parse_array(std::string_view text) {
    std::string_view rest = text;
    const auto running = take_after(rest, '%');
    const auto step = take_after(rest, ':');
    const auto last = take_after(rest, '-');
    const std::int64_t first_index = number_in(rest, 0, kArrayIndexMax);
    const std::int64_t last_index = last ? number_in(*last, 0, kArrayIndexMax) : first_index;
    const std::int64_t stride = step ? number_in(*step, 1, kArrayIndexMax) : 1;
    const std::int64_t running_max = running ? number_in(*running, 1, kArrayIndexMax) : 0;
    if (first_index < 0 || last_index < 0 || stride < 0 || running_max < 0) {
        return fail(
            ErrorCode::kInvalid,
            in_quotes(text) +
                " is not an array; write 1-100, 7, 1-100:2 (every second one) or "
                "1-100%8 (eight at a time)");
    }
    const ArrayRange range = {
        static_cast<std::uint32_t>(first_index), static_cast<std::uint32_t>(last_index),
        static_cast<std::uint32_t>(stride), static_cast<std::uint32_t>(running_max)};
    if (const std::string fault = fault_of_array(range); !fault.empty()) {
        const bool is_long = range.first <= range.last;
        return fail(
            is_long ? ErrorCode::kTooLarge : ErrorCode::kInvalid, in_quotes(text) + " " + fault);
    }
    return range;
}

Result<std::vector<Dependency>> parse_after(std::string_view text) {
    std::vector<Dependency> found;
    for (const std::string& part : split(text, ',')) {
        std::string_view kind = part;
        const auto id = take_after(kind, ':');
        const std::int64_t job = id ? number_in(*id, 1, INT64_MAX) : -1;
        const auto known = dependency_kind(kind);
        if (job < 0 || !known) {
            return fail(
                ErrorCode::kInvalid,
                in_quotes(part) +
                    " is not a dependency; write ok:ID (it succeeded), any:ID (it ended) or "
                    "notok:ID (it ended otherwise), separated by commas");
        }
        found.push_back(Dependency{*known, JobId(static_cast<std::uint64_t>(job))});
    }
    if (found.size() > kDependenciesMax) {
        return fail(ErrorCode::kTooLarge, "a job waits for up to 1000 others");
    }
    return found;
}

Result<GpuAsk> parse_gpus(std::string_view text) {
    std::string_view amount = text;
    GpuAsk ask;
    const bool has_letter = std::ranges::any_of(
        text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
    if (has_letter) {
        const auto count = take_after(amount, ':');
        ask.model = amount;
        amount = count.value_or("1");
        if (const std::string fault = fault_of_gpu_model(ask.model); !fault.empty()) {
            return fail(ErrorCode::kInvalid, fault);
        }
    }
    const auto milli = parse_milli(amount);
    if (!milli) {
        return fail(
            ErrorCode::kInvalid,
            in_quotes(text) +
                " is not a number of GPUs; write 2, 0.25 (a share of one, with three digits "
                "after the point at most), a30 or a30:2");
    }
    if (*milli > kWholeGpuMilli && *milli % kWholeGpuMilli != 0) {
        return fail(ErrorCode::kInvalid, fault_of_gpu_milli(*milli));
    }
    if (*milli > kGpusMax * kWholeGpuMilli) {
        return fail(
            ErrorCode::kInvalid, "a job asks for up to 1024 GPUs, not " + format_milli(*milli));
    }
    if (has_letter && *milli == 0) {
        return fail(
            ErrorCode::kInvalid, in_quotes(text) + " names a model and asks for none of it");
    }
    ask.count = *milli >= kWholeGpuMilli ? *milli / kWholeGpuMilli : 0;
    ask.milli = *milli < kWholeGpuMilli ? *milli : 0;
    return ask;
}

Result<std::int32_t> parse_signal(std::string_view text) {
    std::string name = upper(text);
    if (name.starts_with("SIG")) {
        name.erase(0, 3);
    }
    for (const SignalName& row : kSignals) {
        if (row.name == name) {
            return row.number;
        }
    }
    if (const std::int64_t number = number_in(text, 1, kSignalMax); number > 0) {
        return static_cast<std::int32_t>(number);
    }
    return fail(
        ErrorCode::kInvalid,
        in_quotes(text) + " is not a signal; write TERM, INT, USR1, … or a number from 1 to 64");
}

std::string signal_name(std::int32_t signal) {
    for (const SignalName& row : kSignals) {
        if (row.number == signal) {
            return std::string(row.name);
        }
    }
    return std::to_string(signal);
}

std::string to_string(const TaskKey& key) {
    return std::to_string(key.element.job.value()) + "." + std::to_string(key.element.index) + "." +
           std::to_string(key.attempt) + "." + std::to_string(key.rank);
}

Result<TaskKey> parse_task_key(std::string_view text) {
    const auto parts = split(text, '.');
    std::array<std::int64_t, 4> numbers = {-1, -1, -1, -1};
    for (std::size_t i = 0; i < numbers.size() && parts.size() == numbers.size(); ++i) {
        const bool is_canonical = parts[i] == "0" || !parts[i].starts_with('0');
        numbers[i] = is_canonical ? number_in(parts[i], 0, i == 0 ? INT64_MAX : UINT32_MAX) : -1;
    }
    if (std::ranges::min(numbers) < 0) {
        return fail(
            ErrorCode::kInvalid, in_quotes(text) + " is not a task: job.index.attempt.rank");
    }
    return TaskKey{
        {JobId(static_cast<std::uint64_t>(numbers[0])), static_cast<std::uint32_t>(numbers[1])},
        static_cast<std::uint32_t>(numbers[2]),
        static_cast<std::uint32_t>(numbers[3])
    };
}

}  // namespace reeve::model
