#include "simulate/openb_trace.hpp"

#include <array>
#include <utility>

#include "simulate/request_maker.hpp"
#include "simulate/trace_rows.hpp"
#include "simulate/workload_builder.hpp"

namespace reeve::simulate {
namespace {

constexpr std::int64_t kNodeGpusMax = 1024;

// Places in the columns of a node list.
enum NodeColumn : std::uint8_t { kSn, kNodeCpu, kNodeMemory, kNodeGpus, kModel, kGpuMemory };

/// Adds the node of the row at hand.
Result<void> read_node(TraceRows& rows, Cluster& cluster) {
    if (const auto named = rows.check_name(rows.text(kSn)); !named) {
        return named;
    }
    NodeShape shape{
        .cpu_millicores = rows.amount(kNodeCpu, kCpuMilliMax),
        .memory_mib = rows.amount(kNodeMemory, kMemoryMibMax),
        .gpus = rows.amount(kNodeGpus, kNodeGpusMax),
        .gpu_model = std::string(rows.text(kModel))};
    if (const std::int64_t memory = rows.amount_or_zero(kGpuMemory, kMemoryMibMax); memory > 0) {
        shape.gpu_mem_mib = memory;
    }
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    if (shape.gpus > 0 && shape.gpu_model.empty()) {
        return rows.wrong("model: it has GPUs of no model");
    }
    add_node(cluster, std::string(rows.text(kSn)), shape);
    return {};
}

// Places in the columns of a pod list. The last three: the optional ones of a workload.
enum PodColumn : std::uint8_t { kName, kCpu, kMemory, kGpus, kGpuMilli };

constexpr auto kPodColumns =
    std::to_array<std::string_view>({"name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"});

/// What the pod of the row at hand asks for. `spec` is the place of the column of GPU models.
Result<Ask> read_ask(TraceRows& rows, std::size_t spec) {
    if (const auto named = rows.check_name(rows.text(kName)); !named) {
        return tl::unexpected(named.error());
    }
    Ask ask;
    ask.cpu_millicores = rows.amount(kCpu, kCpuMilliMax);
    ask.memory_mib = rows.amount(kMemory, kMemoryMibMax);
    ask.gpus = rows.amount(kGpus, INT32_MAX);
    ask.gpu_milli = rows.amount(kGpuMilli, model::kWholeGpuMilli);
    ask.gpu_models = rows.text(spec);
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    return ask;
}

/// Adds the job of the row at hand.
Result<void> read_job(TraceRows& rows, WorkloadBuilder& builder) {
    constexpr std::size_t kCreated = 5;
    constexpr std::size_t kDeleted = 6;
    constexpr std::size_t kSpec = 7;
    constexpr std::size_t kScheduled = 8;
    const auto ask = read_ask(rows, kSpec);
    if (!ask) {
        return tl::unexpected(ask.error());
    }
    const std::int64_t created = rows.amount(kCreated, kTimeMaxS);
    const std::int64_t deleted = rows.amount(kDeleted, kTimeMaxS);
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    if (deleted < created || deleted - created > kRunMaxS) {
        return rows.wrong(
            deleted < created ? "deletion_time: it is before creation_time"
                              : "deletion_time: it is more than 31 years after creation_time");
    }
    const auto request = builder.request(*ask);
    if (!request) {
        return rows.wrong(request.error().message);
    }
    if (const auto fits = builder.check_fits(*request, 1); !fits) {
        return rows.wrong(fits.error().message);
    }
    if (rows.has(kScheduled) && rows.text(kScheduled).empty()) {
        builder.count("never scheduled where the trace is from: here they run all the same");
    }
    builder.add(
        {.name = std::string(rows.text(kName)),
         .submitted_at = instant_of(created),
         .run_s = deleted - created,
         .request = *request,
         .user = builder.user(""),
         .project = builder.project("")});
    return {};
}

}  // namespace

Result<Cluster> parse_openb_nodes(const std::string& file, std::string_view text) {
    auto rows = TraceRows::open(
        file, text,
        {
            .needed = {"sn", "cpu_milli", "memory_mib", "gpu", "model"},
            .optional = {"gpu_mem_mib"}
    });
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    Cluster cluster;
    const auto read = rows->each([&] { return read_node(*rows, cluster); });
    if (!read) {
        return tl::unexpected(read.error());
    }
    if (cluster.nodes.empty()) {
        return rows->wrong("there is no node in it");
    }
    return cluster;
}

Result<std::vector<TraceTask>> parse_openb_tasks(
    const std::string& file, std::string_view text, const Cluster& cluster) {
    auto rows = TraceRows::open(
        file, text,
        {
            .needed = {kPodColumns.begin(), kPodColumns.end()},
              .optional = {"gpu_spec"}
    });
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    const RequestMaker maker(cluster);
    std::vector<TraceTask> tasks;
    const auto read = rows->each([&]() -> Result<void> {
        const auto ask = read_ask(*rows, kPodColumns.size());
        if (!ask) {
            return tl::unexpected(ask.error());
        }
        auto request = maker.make(*ask);
        if (!request) {
            return rows->wrong(request.error().message);
        }
        tasks.push_back(
            {.request = std::move(*request), .gpu_milli = ask->gpus * ask->gpu_milli.value_or(0)});
        return {};
    });
    if (!read) {
        return tl::unexpected(read.error());
    }
    if (tasks.empty()) {
        return rows->wrong("there is no task in it");
    }
    return tasks;
}

Result<Workload> parse_openb_workload(
    const std::string& file, std::string_view text, const Cluster& cluster) {
    TraceRows::Columns columns{
        .needed = {kPodColumns.begin(), kPodColumns.end()},
        .optional = {"gpu_spec",          "scheduled_time" }
    };
    columns.needed.insert(columns.needed.end(), {"creation_time", "deletion_time"});
    auto rows = TraceRows::open(file, text, columns);
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

}  // namespace reeve::simulate
