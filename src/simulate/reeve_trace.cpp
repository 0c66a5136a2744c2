#include "simulate/reeve_trace.hpp"

#include <utility>

#include "simulate/trace_rows.hpp"
#include "simulate/workload_builder.hpp"

namespace reeve::simulate {
namespace {

enum Column : std::uint8_t {
    kSubmitted,
    kRun,
    kName,
    kLimit,
    kGpus,
    kGpuMilli,
    kGpuMemory,
    kGpuModel,
    kCpu,
    kMemory,
    kNodes,
    kPriority,
    kUser,
    kProject,
    kPreemptible
};

constexpr std::int64_t kPriorityMax = 1'000'000;

Result<Ask> read_ask(TraceRows& rows) {
    Ask ask;
    ask.cpu_millicores = rows.amount_or_zero(kCpu, kCpuMilliMax);
    ask.memory_mib = rows.amount_or_zero(kMemory, kMemoryMibMax);
    ask.gpus = rows.amount_or_zero(kGpus, kTraceGpusMax);
    ask.gpu_models = rows.text(kGpuModel);
    const std::int64_t milli = rows.amount_or_zero(kGpuMilli, model::kWholeGpuMilli);
    const std::int64_t gpu_memory = rows.amount_or_zero(kGpuMemory, kMemoryMibMax);
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    ask.gpu_milli = milli > 0 ? std::optional(milli) : std::nullopt;
    ask.gpu_mem_mib = gpu_memory > 0 ? std::optional(gpu_memory) : std::nullopt;
    if (ask.gpus == 0 && (ask.gpu_milli || ask.gpu_mem_mib)) {
        ask.gpus = 1;
        ask.is_share = true;
    }
    if (ask.gpus == 0 && !ask.gpu_models.empty()) {
        return rows.wrong(
            "gpu_model: it names a GPU and asks for none (gpus, gpu_milli or gpu_mem_mib)");
    }
    if (ask.gpus == 0 && ask.cpu_millicores == 0 && ask.memory_mib == 0) {
        return rows.wrong(
            "it asks for nothing; gpus, gpu_milli, gpu_mem_mib, cpu_millicores or memory_mib was "
            "expected");
    }
    return ask;
}

/// Adds the job of the row at hand, the `number`th.
Result<void> read_job(TraceRows& rows, std::int64_t number, WorkloadBuilder& builder) {
    if (rows.has(kName)) {
        if (const auto named = rows.check_name(rows.text(kName)); !named) {
            return named;
        }
    }
    TraceJob job{.submitted_at = instant_of(rows.amount(kSubmitted, kTimeMaxS))};
    job.name = rows.has(kName) ? std::string(rows.text(kName)) : std::to_string(number);
    job.run_s = rows.amount(kRun, kRunMaxS);
    job.limit_s = rows.amount_or_zero(kLimit, kRunMaxS);
    job.nodes = static_cast<std::int32_t>(rows.amount_or_zero(kNodes, kTraceNodesMax));
    job.nodes = job.nodes == 0 ? 1 : job.nodes;
    job.priority = static_cast<std::int32_t>(rows.signed_amount_or_zero(kPriority, kPriorityMax));
    job.is_preemptible = rows.amount_or_zero(kPreemptible, 1) == 1;
    const auto ask = read_ask(rows);
    if (!ask) {
        return tl::unexpected(ask.error());
    }
    const auto request = builder.request(*ask);
    if (!request) {
        return rows.wrong(request.error().message);
    }
    if (const auto fits = builder.check_fits(*request, job.nodes); !fits) {
        return rows.wrong(fits.error().message);
    }
    job.request = *request;
    job.user = builder.user(rows.text(kUser));
    job.project = builder.project(rows.text(kProject));
    builder.add(std::move(job));
    return {};
}

}  // namespace

Result<Workload> parse_reeve_trace(
    const std::string& file, std::string_view text, const Cluster& cluster) {
    auto rows = TraceRows::open(
        file, text,
        {
            .needed = {"submitted_s", "run_s"},
            .optional = {
                       "name", "limit_s", "gpus", "gpu_milli", "gpu_mem_mib", "gpu_model",
                       "cpu_millicores", "memory_mib", "nodes", "priority", "user", "project",
                       "preemptible"}
    });
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    if (const auto known = rows->check_no_others(); !known) {
        return tl::unexpected(known.error());
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
