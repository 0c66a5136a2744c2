#include "simulate/job_log_trace.hpp"

#include <algorithm>
#include <utility>

#include "simulate/trace_rows.hpp"
#include "simulate/workload_builder.hpp"

namespace reeve::simulate {
namespace {

constexpr std::int64_t kCpuMilli = 1000;
constexpr std::int64_t kCpusMax = 1'000'000;  // Of one job.

enum Column : std::uint8_t {
    kJobId,
    kUser,
    kGpuNum,
    kCpuNum,
    kNodeNum,
    kSubmitTime,
    kDuration,
    kProject
};

struct Parts {
    Gang gpus;
    std::int64_t cpus = 0;  // On each of its nodes.
};

/// How a job is spread over nodes.
Parts parts_of(
    std::int64_t gpus, std::int64_t cpus, std::int64_t nodes, const RequestMaker& maker) {
    // No GPU: by its CPUs, if the nodes have any.
    const std::int64_t cpus_max = std::max(maker.cpu_millicores_max() / kCpuMilli, std::int64_t{1});
    const Gang gang = gpus > 0 ? split_gang(gpus, maker.gpus_max(), nodes)
                               : Gang{.nodes = split_gang(cpus, cpus_max, nodes).nodes};
    return {.gpus = gang, .cpus = split_gang(cpus, kCpusMax, gang.nodes).each};
}

/// Adds the job of the row at hand.
Result<void> read_job(TraceRows& rows, WorkloadBuilder& builder) {
    if (const auto named = rows.check_name(rows.text(kJobId)); !named) {
        return named;
    }
    const std::int64_t gpus = rows.amount(kGpuNum, kTraceGpusMax);
    const std::int64_t cpus = rows.amount(kCpuNum, kCpusMax);
    const std::int64_t nodes = rows.amount(kNodeNum, kTraceNodesMax);
    const std::int64_t submitted = rows.time(kSubmitTime);
    const bool has_run = !rows.text(kDuration).empty();
    const std::int64_t run = has_run ? rows.seconds(kDuration, kRunMaxS) : 0;
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    if (!has_run) {
        builder.count("without a duration: left out");
        return {};
    }
    if (gpus > 0 && builder.maker().gpus_max() == 0) {
        return rows.wrong("gpu_num: it asks for GPUs, and the cluster has none");
    }
    const Parts parts = parts_of(gpus, cpus, nodes, builder.maker());
    builder.count_added_gpus(parts.gpus.added);
    const auto request =
        builder.request({.cpu_millicores = parts.cpus * kCpuMilli, .gpus = parts.gpus.each});
    if (!request) {
        return rows.wrong(request.error().message);
    }
    builder.add(
        {.name = std::string(rows.text(kJobId)),
         .submitted_at = instant_of(submitted),
         .run_s = run,
         .request = *request,
         .nodes = static_cast<std::int32_t>(parts.gpus.nodes),
         .user = builder.user(rows.text(kUser)),
         .project = builder.project(rows.text(kProject))});
    return {};
}

Result<Workload> parse_job_log(
    const std::string& file,
    std::string_view text,
    const Cluster& cluster,
    std::string_view project_column) {
    auto rows = TraceRows::open(
        file, text,
        {
            .needed = {
                       "job_id", "user", "gpu_num", "cpu_num", "node_num", "submit_time", "duration",
                       project_column}
    });
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    WorkloadBuilder builder(cluster);
    const auto read = rows->each([&] { return read_job(*rows, builder); });
    if (!read) {
        return tl::unexpected(read.error());
    }
    return builder.finish(file);
}

}  // namespace

Result<Workload> parse_helios(
    const std::string& file, std::string_view text, const Cluster& cluster) {
    return parse_job_log(file, text, cluster, "vc");
}

Result<Workload> parse_acme(
    const std::string& file, std::string_view text, const Cluster& cluster) {
    return parse_job_log(file, text, cluster, "type");
}

}  // namespace reeve::simulate
