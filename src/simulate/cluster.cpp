#include "simulate/cluster.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace reeve::simulate {
namespace {

constexpr std::int64_t kNodesMax = 100'000;  // Of one cluster.
constexpr std::int64_t kNodeGpusMax = 1024;
constexpr std::int64_t kNodeCpusMax = 1'000'000;
constexpr std::int64_t kCpuMilli = 1000;
constexpr std::int64_t kCpusOfGpu = 16;
constexpr std::int64_t kMibOfCpu = 8192;

/// A whole number from 1 to `max`, without a sign.
std::optional<std::int64_t> count_of(std::string_view text, std::int64_t max) {
    const Result<std::int64_t> number = parse_integer(text);
    const bool is_plain = !text.empty() && text.front() != '+' && text.front() != '-';
    return is_plain && number && *number >= 1 && *number <= max ? std::optional(*number)
                                                                : std::nullopt;
}

/// "256cpu" -> 256.
std::optional<std::int64_t> cpus_of(std::string_view text) {
    constexpr std::string_view kUnit = "cpu";
    if (!text.ends_with(kUnit)) {
        return std::nullopt;
    }
    return count_of(text.substr(0, text.size() - kUnit.size()), kNodeCpusMax);
}

bool is_model(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '.' || c == '_' || c == '-';
    });
}

/// "8xA100/80G" into `shape`; false if it is none.
bool read_gpus(std::string_view text, NodeShape& shape) {
    const std::size_t times = text.find('x');
    const auto gpus = count_of(text.substr(0, times), kNodeGpusMax);
    if (times == std::string_view::npos || !gpus) {
        return false;
    }
    std::string_view model = text.substr(times + 1);
    if (const std::size_t slash = model.find('/'); slash != std::string_view::npos) {
        const Result<std::int64_t> memory = parse_size_mib(model.substr(slash + 1));
        if (!memory) {
            return false;
        }
        shape.gpu_mem_mib = *memory;
        model = model.substr(0, slash);
    }
    shape.gpus = *gpus;
    shape.gpu_model = model;
    return is_model(model);
}

struct Part {
    std::int64_t nodes = 0;
    NodeShape shape = {};
};

/// "4x8xH100/80G:96cpu:1T"; nothing if it is no such part.
std::optional<Part> part_of(const std::string& text) {
    const std::vector<std::string> words = split(text, ':');
    const std::string_view head = words.front();
    const std::size_t times = head.find('x');
    const auto nodes = count_of(head.substr(0, times), kNodesMax);
    if (times == std::string_view::npos || !nodes) {
        return std::nullopt;
    }
    Part part{.nodes = *nodes};
    std::optional<std::int64_t> cpus = cpus_of(head.substr(times + 1));
    if (!cpus && !read_gpus(head.substr(times + 1), part.shape)) {
        return std::nullopt;
    }
    std::optional<std::int64_t> memory_mib;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto more_cpus = cpus_of(words[i]);
        const Result<std::int64_t> size = parse_size_mib(words[i]);
        if (more_cpus && !cpus) {
            cpus = more_cpus;
        } else if (!more_cpus && size && !memory_mib) {
            memory_mib = *size;
        } else {
            return std::nullopt;
        }
    }
    const std::int64_t cpu_count = cpus.value_or(part.shape.gpus * kCpusOfGpu);
    part.shape.cpu_millicores = cpu_count * kCpuMilli;
    part.shape.memory_mib = memory_mib.value_or(cpu_count * kMibOfCpu);
    return part;
}

}  // namespace

void add_node(Cluster& cluster, std::string name, const NodeShape& shape) {
    scheduler::NodeView node{.id = NodeId(cluster.nodes.size() + 1)};
    node.host_total = {.cpu_millicores = shape.cpu_millicores, .memory_mib = shape.memory_mib};
    node.free.host = node.host_total;
    for (std::int64_t i = 0; i < shape.gpus; ++i) {
        const GpuModelId next(cluster.models.size() + 1);
        ++cluster.gpus;
        node.free.gpus.push_back({
            .id = GpuId(static_cast<std::uint64_t>(cluster.gpus)),
            .model = cluster.models.try_emplace(shape.gpu_model, next).first->second,
            .total_mib = shape.gpu_mem_mib,
            .free = {.milli = model::kWholeGpuMilli, .memory_mib = shape.gpu_mem_mib}
        });
    }
    cluster.nodes.push_back(std::move(node));
    cluster.names.push_back(std::move(name));
}

bool is_cluster_spec(std::string_view text) {
    const std::size_t times = text.find('x');
    return times != 0 && times != std::string_view::npos &&
           std::ranges::all_of(text.substr(0, times), [](char c) { return c >= '0' && c <= '9'; });
}

Result<Cluster> parse_cluster_spec(const std::string& text) {
    Cluster cluster;
    std::int64_t nodes = 0;
    for (const std::string& word : split(text, '+')) {
        const std::optional<Part> part = part_of(word);
        if (!part) {
            return fail(
                ErrorCode::kInvalid,
                "a cluster in short is NODESxGPUSxMODEL (750x8xA100, 4x8xH100/80G:96cpu:1T) or "
                "NODESxCPUScpu (1x256cpu), with + between several; '" +
                    word + "' is neither");
        }
        nodes += part->nodes;
        if (nodes > kNodesMax) {
            return fail(
                ErrorCode::kInvalid, "'" + text + "' has more than " + std::to_string(kNodesMax) +
                                         " nodes, which is the most");
        }
        for (std::int64_t i = 0; i < part->nodes; ++i) {
            add_node(cluster, "n" + std::to_string(cluster.nodes.size() + 1), part->shape);
        }
    }
    return cluster;
}

}  // namespace reeve::simulate
