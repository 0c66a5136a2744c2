#include "cli/replay_flags.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "platform/files.hpp"
#include "simulate/openb_trace.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 30U;
constexpr std::int64_t kSeedsMax = 10'000;

/// The values of a list of names with commas between.
template <class Value, class Parse>
Result<std::vector<Value>> parse_names(
    const std::string& flag, const std::string& text, const Parse& parse) {
    std::vector<Value> values;
    for (const std::string& name : split(text, ',')) {
        const auto value = parse(name);
        if (!value) {
            return fail(ErrorCode::kInvalid, flag + ": " + value.error().message);
        }
        if (std::ranges::find(values, *value) != values.end()) {
            std::string what = flag;
            what.append(": '").append(name).append("' is there twice");
            return fail(ErrorCode::kInvalid, std::move(what));
        }
        values.push_back(*value);
    }
    return values;
}

}  // namespace

Result<std::vector<std::uint64_t>> parse_seeds(const std::string& text) {
    std::set<std::uint64_t> seeds;
    for (const std::string& part : split(text, ',')) {
        const std::size_t dash = part.find('-');
        const auto first = parse_integer(part.substr(0, dash));
        const auto last = dash == std::string::npos ? first : parse_integer(part.substr(dash + 1));
        if (!first || !last || *first < 0 || *last < *first || *last - *first >= kSeedsMax) {
            return fail(
                ErrorCode::kInvalid,
                "--seed: a number, numbers with commas between, or a range like 42-51 was "
                "expected, not '" +
                    part + "'");
        }
        for (std::int64_t seed = *first; seed <= *last; ++seed) {
            seeds.insert(static_cast<std::uint64_t>(seed));
        }
    }
    return std::vector<std::uint64_t>(seeds.begin(), seeds.end());
}

Result<std::vector<scheduler::Policy>> parse_policies(const std::string& text) {
    return parse_names<scheduler::Policy>("--policy", text, scheduler::parse_policy);
}

Result<std::vector<scheduler::Backfill>> parse_backfills(const std::string& text) {
    return parse_names<scheduler::Backfill>("--backfill", text, scheduler::parse_backfill);
}

Result<simulate::ReplayOptions> with_sharing(
    simulate::ReplayOptions options, const SharingFlags& flags) {
    struct Duration {
        const char* flag;
        const std::string& text;
        std::chrono::seconds& value;
    };

    for (const Duration& each : {
             Duration{"--fair-share", flags.fair_share, options.order.half_life},
             Duration{"--ageing",     flags.ageing,     options.order.ageing   },
             Duration{"--min-run",    flags.min_run,    options.min_run        },
             Duration{"--grace",      flags.grace,      options.grace          }
    }) {
        if (each.text.empty()) {
            continue;
        }
        const auto parsed = parse_duration(each.text);
        if (!parsed) {
            return fail(
                ErrorCode::kInvalid, std::string(each.flag) + ": " + parsed.error().message);
        }
        each.value = *parsed;
    }
    if (!flags.preemption.empty()) {
        const auto mode = scheduler::parse_preemption(flags.preemption);
        if (!mode) {
            return fail(ErrorCode::kInvalid, "--preemption: " + mode.error().message);
        }
        options.preemption = *mode;
    }
    return options;
}

Result<std::int64_t> parse_node_scale(const std::string& text) {
    constexpr std::int64_t kMost = 100'000;
    const auto nth = parse_integer(text.starts_with("1/") ? text.substr(2) : "");
    if (!nth || *nth < 1 || *nth > kMost) {
        return fail(
            ErrorCode::kInvalid,
            "--scale-nodes: 1/N was expected, with N from 1 to 100000 (1/10: "
            "every tenth node), not '" +
                text + "'");
    }
    return *nth;
}

Result<simulate::Cluster> read_cluster(const std::string& name) {
    if (simulate::is_cluster_spec(name)) {
        auto cluster = simulate::parse_cluster_spec(name);
        if (!cluster) {
            return fail(ErrorCode::kInvalid, "--cluster: " + cluster.error().message);
        }
        return cluster;
    }
    const auto text = platform::read_file(name, kFileBytesMax);
    if (!text) {
        return fail(
            text.error().code, "--cluster: " + text.error().message +
                                   " (a node list, or a cluster in short like 750x8xA100 or "
                                   "1x256cpu, was expected)");
    }
    return simulate::parse_openb_nodes(name, *text);
}

Result<std::string> read_trace_text(const std::string& file) {
    auto text = platform::read_file(file, kFileBytesMax);
    if (!text) {
        return fail(text.error().code, "--trace: " + text.error().message);
    }
    return text;
}

}  // namespace reeve::cli
