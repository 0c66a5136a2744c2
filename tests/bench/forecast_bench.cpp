// How good forecasts of starts are: `reeve_forecast_bench TRACE CLUSTER EVERY_S [SEED]` replays the
// trace with time limits that people might have given. One line a figure: name, tab, number, tab,
// unit.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "base/text.hpp"
#include "platform/files.hpp"
#include "simulate/forecast_trial.hpp"
#include "simulate/trace_format.hpp"

namespace reeve::simulate {
namespace {

constexpr std::size_t kBytesMax = std::size_t{1} << 28U;

Result<Workload> read_workload(const std::string& path, const Cluster& cluster) {
    const auto text = platform::read_file(path, kBytesMax);
    if (!text) {
        return tl::unexpected(text.error());
    }
    return detect_trace_format(path, *text).and_then([&](const TraceFormat* format) {
        return format->parse(path, *text, cluster);
    });
}

void print(const TrialSummary& summary) {
    const auto of_all = [&](std::size_t part) {
        return 100.0 * static_cast<double>(part) / static_cast<double>(summary.forecasts);
    };
    const auto ratio = [&](std::int64_t to) {
        return static_cast<double>(summary.width) / static_cast<double>(to);
    };
    std::printf("forecasts\t%zu\t\n", summary.forecasts);
    std::printf("inside\t%.1f\t%%\n", of_all(summary.inside));
    std::printf("before\t%.1f\t%%\n", of_all(summary.before));
    std::printf("wait\t%lld\ts\n", static_cast<long long>(summary.wait));
    std::printf("width\t%lld\ts\n", static_cast<long long>(summary.width));
    std::printf("median-error\t%lld\ts\n", static_cast<long long>(summary.median_error));
    std::printf("limits\t%lld\ts\n", static_cast<long long>(summary.by_limits));
    std::printf("limits-error\t%lld\ts\n", static_cast<long long>(summary.by_limits_error));
    std::printf("width-of-limits\t%.3f\t\n", ratio(summary.by_limits));
    std::printf("width-of-limits-error\t%.3f\t\n", ratio(summary.by_limits_error));
}

int run(const std::vector<std::string>& args) {
    if (args.size() < 3 || args.size() > 4) {
        std::fputs("usage: reeve_forecast_bench TRACE CLUSTER EVERY_S [SEED]\n", stderr);
        return 2;
    }
    const auto cluster = parse_cluster_spec(args[1]);
    const auto every = parse_integer(args[2]);
    const auto seed = parse_integer(args.size() > 3 ? args[3] : "42");
    auto workload = cluster ? read_workload(args[0], *cluster)
                            : Result<Workload>(tl::unexpected(cluster.error()));
    if (!workload || !every || !seed) {
        std::fprintf(
            stderr, "%s\n",
            workload ? "EVERY_S and SEED are numbers" : workload.error().message.c_str());
        return 1;
    }
    invent_limits(*workload, static_cast<std::uint64_t>(*seed));
    const auto made = run_forecast_trial(
        *cluster, *workload,
        {.every = std::chrono::seconds(*every), .seed = static_cast<std::uint64_t>(*seed)});
    print(summarize(made));
    return 0;
}

}  // namespace
}  // namespace reeve::simulate

int main(int argc, char** argv) {
    return reeve::simulate::run({argv + 1, argv + argc});
}
