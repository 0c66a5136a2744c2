#include "simulate/philly_trace.hpp"

#include <utility>

#include "simulate/trace_rows.hpp"
#include "simulate/workload_builder.hpp"

namespace reeve::simulate {
namespace {

enum Column : std::uint8_t { kTimestamp, kDuration, kGpus, kCluster };

/// Adds the job of the row at hand, the `number`th.
Result<void> read_job(TraceRows& rows, std::int64_t number, WorkloadBuilder& builder) {
    const std::int64_t submitted = rows.time(kTimestamp);
    const std::int64_t run = rows.seconds(kDuration, kRunMaxS);
    const std::int64_t gpus = rows.amount(kGpus, kTraceGpusMax);
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    if (gpus == 0) {
        return rows.wrong("num_gpus: a job of this trace asks for a GPU at least");
    }
    if (builder.maker().gpus_max() == 0) {
        return rows.wrong("num_gpus: it asks for GPUs, and the cluster has none");
    }
    const Gang gang = split_gang(gpus, builder.maker().gpus_max(), 1);
    builder.count_added_gpus(gang.added);
    const auto request = builder.request({.gpus = gang.each});
    if (!request) {
        return rows.wrong(request.error().message);
    }
    builder.add(
        {.name = std::to_string(number),
         .submitted_at = instant_of(submitted),
         .run_s = run,
         .request = *request,
         .nodes = static_cast<std::int32_t>(gang.nodes),
         .user = builder.user(""),
         .project = builder.project(rows.text(kCluster))});
    return {};
}

}  // namespace

Result<Workload> parse_philly(
    const std::string& file, std::string_view text, const Cluster& cluster) {
    auto rows = TraceRows::open(
        file, text,
        {
            .needed = {"timestamp", "duration", "num_gpus"},
              .optional = {"cluster"}
    });
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    WorkloadBuilder builder(cluster);
    std::int64_t number = 0;
    const auto read = rows->each([&] { return read_job(*rows, ++number, builder); });
    if (!read) {
        return tl::unexpected(read.error());
    }
    return builder.finish(file);
}

}  // namespace reeve::simulate
