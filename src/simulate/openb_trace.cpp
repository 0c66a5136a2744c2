#include "simulate/openb_trace.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "base/text.hpp"
#include "simulate/csv_table.hpp"

namespace reeve::simulate {
namespace {

constexpr std::int64_t kCpuMilliMax = 1'000'000'000;
constexpr std::int64_t kMemoryMibMax = std::int64_t{1} << 40U;
constexpr std::int64_t kGpusMax = 1024;

/// A file whose rows begin with a name, each once, and have amounts.
class NamedRows {
  public:
    /// `columns`: the name first.
    static Result<NamedRows> open(
        const std::string& file,
        std::string_view text,
        const std::vector<std::string_view>& columns) {
        auto table = CsvTable::open(file, text);
        if (!table) {
            return tl::unexpected(std::move(table.error()));
        }
        NamedRows rows(std::move(*table));
        for (const std::string_view name : columns) {
            const Result<std::size_t> place = rows.table_.column(name);
            if (!place) {
                return tl::unexpected(place.error());
            }
            rows.columns_.push_back(*place);
        }
        return rows;
    }

    /// Goes on to the next row; false at the end. Errors: as CsvTable::next(); the name is missing,
    /// or came before.
    Result<bool> next() {
        Result<bool> more = table_.next();
        if (!more || !*more) {
            return more;
        }
        const std::string_view name = text(0);
        if (name.empty()) {
            return table_.wrong("it has no name");
        }
        if (!names_.insert(name).second) {
            return table_.wrong("'" + std::string(name) + "' is there twice");
        }
        return true;
    }

    /// Of the column with this place in open()'s list.
    [[nodiscard]] std::string_view text(std::size_t column) const {
        return table_.text(columns_[column]);
    }

    /// Likewise; 0 for a wrong one, which error() then tells of.
    std::int64_t amount(std::size_t column, std::int64_t max) {
        const Result<std::int64_t> amount = table_.amount(columns_[column], max);
        if (!amount && !error_) {
            error_ = amount.error();
        }
        return amount.value_or(0);
    }

    /// The first wrong amount.
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

    [[nodiscard]] const CsvTable& table() const { return table_; }

  private:
    explicit NamedRows(CsvTable table) : table_(std::move(table)) {}

    CsvTable table_;
    std::vector<std::size_t> columns_;
    std::set<std::string_view> names_;
    std::optional<Error> error_;
};

/// What the tasks of a file may ask for.
struct Hardware {
    const Cluster& cluster;
    std::map<GpuModelId, std::int64_t> gpus_max;  // Of one node.
};

Hardware hardware_of(const Cluster& cluster) {
    Hardware hardware{.cluster = cluster, .gpus_max = {}};
    for (const scheduler::NodeView& node : cluster.nodes) {
        if (!node.free.gpus.empty()) {
            std::int64_t& most = hardware.gpus_max[node.free.gpus.front().model];
            most = std::max(most, static_cast<std::int64_t>(node.free.gpus.size()));
        }
    }
    return hardware;
}

/// The models of "A|B" that there are.
std::optional<std::vector<GpuModelId>> models_of(const Cluster& cluster, std::string_view spec) {
    if (spec.empty()) {
        return std::nullopt;
    }
    std::vector<GpuModelId> models;
    for (const std::string& name : split(spec, '|')) {
        const auto model = cluster.models.find(name);
        if (model != cluster.models.end()) {
            models.push_back(model->second);
        }
    }
    std::ranges::sort(models);
    const auto repeated = std::ranges::unique(models);
    models.erase(repeated.begin(), repeated.end());
    return models;
}

struct GpuNeed {
    std::int64_t count = 0;
    std::int64_t milli = 0;  // Of each.
    std::string_view spec = {};
};

Result<std::variant<model::WholeGpus, model::GpuShare>> gpus_of(
    const CsvTable& table, const GpuNeed& need, const Hardware& hardware) {
    if (need.count == 0) {
        return model::WholeGpus{};
    }
    const auto models = models_of(hardware.cluster, need.spec);
    if (models && models->empty()) {
        return table.wrong("no node has a GPU of '" + std::string(need.spec) + "'");
    }
    std::int64_t most = 0;
    for (const auto& [model, gpus] : hardware.gpus_max) {
        most = model::accepts(models, model) ? std::max(most, gpus) : most;
    }
    if (need.count > most) {
        return table.wrong(
            "it asks for " + std::to_string(need.count) +
            " GPUs; the largest node that it may use has " + std::to_string(most));
    }
    if (need.milli == 0) {
        return table.wrong("gpu_milli: it asks for GPUs, and for nothing of them");
    }
    if (need.milli == model::kWholeGpuMilli) {
        return model::WholeGpus{.count = need.count, .models = models};
    }
    if (need.count > 1) {
        return table.wrong("gpu_milli: a task of several GPUs takes them whole (1000)");
    }
    return model::GpuShare{.milli = need.milli, .models = models};
}

/// The node of the row at hand.
Result<scheduler::NodeView> read_node(NamedRows& rows, Cluster& cluster) {
    scheduler::NodeView node{.id = NodeId(cluster.nodes.size() + 1)};
    node.host_total.cpu_millicores = rows.amount(1, kCpuMilliMax);
    node.host_total.memory_mib = rows.amount(2, kMemoryMibMax);
    const std::int64_t gpus = rows.amount(3, kGpusMax);
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    node.free.host = node.host_total;
    const std::string model_name(rows.text(4));
    if (gpus > 0 && model_name.empty()) {
        return rows.table().wrong("model: it has GPUs of no model");
    }
    for (std::int64_t i = 0; i < gpus; ++i) {
        const GpuModelId next(cluster.models.size() + 1);
        ++cluster.gpus;
        node.free.gpus.push_back({
            .id = GpuId(static_cast<std::uint64_t>(cluster.gpus)),
            .model = cluster.models.try_emplace(model_name, next).first->second,
            .total_mib = model::kWholeGpuMilli,
            .free = {.milli = model::kWholeGpuMilli, .memory_mib = model::kWholeGpuMilli}
        });
    }
    return node;
}

/// The task of the row at hand. `spec` is the column of GPU models, if there is one.
Result<TraceTask> read_task(
    NamedRows& rows, const std::optional<std::size_t>& spec, const Hardware& hardware) {
    TraceTask task;
    task.request.host.cpu_millicores = rows.amount(1, kCpuMilliMax);
    task.request.host.memory_mib = rows.amount(2, kMemoryMibMax);
    GpuNeed need;
    need.count = rows.amount(3, INT32_MAX);
    need.milli = rows.amount(4, model::kWholeGpuMilli);
    need.spec = spec ? rows.table().text(*spec) : std::string_view();
    if (rows.error()) {
        return tl::unexpected(*rows.error());
    }
    auto gpus = gpus_of(rows.table(), need, hardware);
    if (!gpus) {
        return tl::unexpected(std::move(gpus.error()));
    }
    task.request.gpus = std::move(*gpus);
    task.gpu_milli = need.count * need.milli;
    return task;
}

}  // namespace

Result<Cluster> parse_openb_nodes(const std::string& file, std::string_view text) {
    auto rows = NamedRows::open(file, text, {"sn", "cpu_milli", "memory_mib", "gpu", "model"});
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    Cluster cluster;
    Result<bool> more = rows->next();
    for (; more && *more; more = rows->next()) {
        auto node = read_node(*rows, cluster);
        if (!node) {
            return tl::unexpected(std::move(node.error()));
        }
        cluster.nodes.push_back(std::move(*node));
    }
    if (!more) {
        return tl::unexpected(std::move(more.error()));
    }
    if (cluster.gpus == 0) {
        return rows->table().wrong("there is no node with a GPU in it");
    }
    return cluster;
}

Result<std::vector<TraceTask>> parse_openb_tasks(
    const std::string& file, std::string_view text, const Cluster& cluster) {
    auto rows =
        NamedRows::open(file, text, {"name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"});
    if (!rows) {
        return tl::unexpected(std::move(rows.error()));
    }
    const std::optional<std::size_t> spec = rows->table().find_column("gpu_spec");
    const Hardware hardware = hardware_of(cluster);
    std::vector<TraceTask> tasks;
    Result<bool> more = rows->next();
    for (; more && *more; more = rows->next()) {
        auto task = read_task(*rows, spec, hardware);
        if (!task) {
            return tl::unexpected(std::move(task.error()));
        }
        tasks.push_back(std::move(*task));
    }
    if (!more) {
        return tl::unexpected(std::move(more.error()));
    }
    if (tasks.empty()) {
        return rows->table().wrong("there is no task in it");
    }
    return tasks;
}

}  // namespace reeve::simulate
