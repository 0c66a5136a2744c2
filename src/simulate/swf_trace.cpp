#include "simulate/swf_trace.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/text.hpp"
#include "simulate/workload_builder.hpp"

namespace reeve::simulate {
namespace {

constexpr std::size_t kFields = 18;
constexpr std::int64_t kCpuMilli = 1000;
constexpr std::int64_t kUnknown = -1;
constexpr std::int64_t kProcessorsMax = 100'000'000;

// Fields, from 0 on; the format counts from 1.
enum Field : std::uint8_t {
    kNumber = 0,
    kSubmitted = 1,
    kRun = 3,
    kUsed = 4,
    kAsked = 7,
    kLimit = 8,
    kUser = 11,
    kGroup = 12
};

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

/// The first line of `rest`, which loses it.
std::string_view take_line(std::string_view& rest) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return trimmed(line);
}

using Fields = std::array<std::string_view, kFields>;

/// How many fields the line has; the first 18 are put into `fields`.
std::size_t split_fields(std::string_view line, Fields& fields) {
    std::size_t count = 0;
    while (!(line = trimmed(line)).empty()) {
        const auto end = std::ranges::find_if(line, is_blank);
        const std::string_view field = line.substr(0, static_cast<std::size_t>(end - line.begin()));
        if (count < kFields) {
            fields.at(count) = field;
        }
        ++count;
        line.remove_prefix(field.size());
    }
    return count;
}

class SwfReader {
  public:
    SwfReader(const std::string& file, std::string_view text, const Cluster& cluster)
        : file_(file), rest_(text), builder_(cluster) {}

    Result<Workload> read(const Cluster& cluster) {
        while (!rest_.empty()) {
            const std::string_view line = take_line(rest_);
            ++line_;
            if (line.starts_with(';')) {
                read_comment(line);
            } else if (!line.empty()) {
                if (const auto job = read_job(line); !job) {
                    return tl::unexpected(job.error());
                }
            }
        }
        compare_size(cluster);
        return builder_.finish(file_);
    }

  private:
    [[nodiscard]] tl::unexpected<Error> wrong(const std::string& what) const {
        return fail(ErrorCode::kInvalid, file_ + ":" + std::to_string(line_) + ": " + what);
    }

    /// "; MaxProcs: 256".
    void read_comment(std::string_view line) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            return;
        }
        const std::string_view key = trimmed(line.substr(1, colon - 1));
        const Result<std::int64_t> value = parse_integer(trimmed(line.substr(colon + 1)));
        if (value && *value > 0) {
            (key == "MaxProcs" ? processors_ : key == "MaxNodes" ? nodes_ : ignored_) = *value;
        }
    }

    /// The number in a field, from -1 to `max`.
    Result<std::int64_t> number(const Fields& fields, Field field, std::int64_t max) const {
        const Result<std::int64_t> number = parse_integer(fields.at(field));
        if (!number || *number < kUnknown || *number > max) {
            return wrong(
                "field " + std::to_string(field + 1) + ": a whole number from -1 to " +
                std::to_string(max) + " was expected, not '" + std::string(fields.at(field)) + "'");
        }
        return *number;
    }

    Result<void> read_job(std::string_view line) {
        Fields fields;
        if (const std::size_t count = split_fields(line, fields); count != kFields) {
            return wrong("18 fields were expected, there are " + std::to_string(count));
        }
        const auto id = number(fields, kNumber, INT64_MAX);
        const auto submitted = number(fields, kSubmitted, kTimeMaxS);
        const auto run = number(fields, kRun, kRunMaxS);
        const auto used = number(fields, kUsed, kProcessorsMax);
        const auto asked = number(fields, kAsked, kProcessorsMax);
        const auto limit = number(fields, kLimit, kRunMaxS);
        for (const auto* each : {&id, &submitted, &run, &used, &asked, &limit}) {
            if (!*each) {
                return tl::unexpected(each->error());
            }
        }
        if (const auto next = check_next(*id, *submitted); !next) {
            return next;
        }

        const std::int64_t processors = *asked > 0 ? *asked : *used;
        if (*run == kUnknown || processors <= 0) {
            builder_.count(
                *run == kUnknown ? "without a run time: left out" : "without processors: left out");
            return {};
        }
        return add(
            fields, {.submitted_s = *submitted, .run_s = *run, .limit_s = *limit}, processors);
    }

    /// A number of its own, and in the order of submission.
    Result<void> check_next(std::int64_t id, std::int64_t submitted) {
        if (id == kUnknown || !seen_.insert(id).second) {
            return wrong(
                id == kUnknown ? "field 1: a job has a number"
                               : "job " + std::to_string(id) + " is there twice");
        }
        if (submitted == kUnknown || submitted < last_submitted_) {
            return wrong(
                submitted == kUnknown
                    ? "field 2: a job has a time of submission"
                    : "field 2: it was submitted before the job above it; rows of SWF are sorted");
        }
        last_submitted_ = submitted;
        return {};
    }

    struct Times {
        std::int64_t submitted_s = 0;
        std::int64_t run_s = 0;
        std::int64_t limit_s = kUnknown;
    };

    Result<void> add(const Fields& fields, const Times& times, std::int64_t processors) {
        const std::int64_t cpus_max = builder_.maker().cpu_millicores_max() / kCpuMilli;
        if (cpus_max == 0) {
            return wrong("it asks for CPUs, and no node of the cluster has a whole one");
        }
        const Gang gang = split_gang(processors, cpus_max, 1);
        if (gang.added > 0) {
            builder_.count("given some processors more, to be equal parts on their nodes");
        }
        const auto request = builder_.request({.cpu_millicores = gang.each * kCpuMilli});
        if (!request) {
            return wrong(request.error().message);
        }
        const auto name_of = [&](Field field) {
            return fields.at(field) == "-1" ? std::string_view() : fields.at(field);
        };
        builder_.add(
            {.name = std::string(fields.at(kNumber)),
             .submitted_at = instant_of(times.submitted_s),
             .run_s = times.run_s,
             .limit_s = std::max(times.limit_s, std::int64_t{0}),
             .request = *request,
             .nodes = static_cast<std::int32_t>(gang.nodes),
             .user = builder_.user(name_of(kUser)),
             .project = builder_.project(name_of(kGroup))});
        return {};
    }

    void compare_size(const Cluster& cluster) {
        const std::int64_t had = processors_ > 0 ? processors_ : nodes_;
        std::int64_t cpus = 0;
        for (const scheduler::NodeView& node : cluster.nodes) {
            cpus += node.host_total.cpu_millicores / kCpuMilli;
        }
        if (had > 0 && cpus != had) {
            builder_.note(
                "the trace is of a machine with " + std::to_string(had) +
                " processors, the cluster has " + std::to_string(cpus));
        }
    }

    const std::string& file_;
    std::string_view rest_;
    WorkloadBuilder builder_;
    std::size_t line_ = 0;
    std::int64_t last_submitted_ = 0;
    std::unordered_set<std::int64_t> seen_;
    std::int64_t processors_ = 0;
    std::int64_t nodes_ = 0;
    std::int64_t ignored_ = 0;
};

}  // namespace

Result<Workload> parse_swf(const std::string& file, std::string_view text, const Cluster& cluster) {
    return SwfReader(file, text, cluster).read(cluster);
}

bool looks_like_swf(std::string_view text) {
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (line.empty()) {
            continue;
        }
        Fields fields;
        return line.starts_with(';') ||
               (split_fields(line, fields) == kFields && parse_integer(fields.front()));
    }
    return false;
}

}  // namespace reeve::simulate
