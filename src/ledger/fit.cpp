#include "ledger/fit.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace reeve::ledger {
namespace {

using model::NodeGpu;
using model::NodeRecord;

/// "NVIDIA A30", "NVIDIA A30 (simulated)".
std::string name_of(const Hardware& hardware, const NodeGpu& gpu) {
    return hardware.name_of_model(gpu.model) + (gpu.is_simulated ? " (simulated)" : "");
}

/// "a30-1 (4 x NVIDIA A30, 32 CPUs, 128 GiB)": what the largest node has.
std::string describe(const Hardware& hardware, const NodeRecord& node) {
    std::map<std::string, int> count_of;
    for (const NodeGpu& gpu : node.gpus) {
        ++count_of[name_of(hardware, gpu)];
    }
    std::string gpus;
    for (const auto& [model, count] : count_of) {
        gpus.append(gpus.empty() ? "" : " + ").append(std::to_string(count));
        gpus.append(" x ").append(model);
    }
    return node.name + " (" + (gpus.empty() ? "no GPU" : gpus) + ", " +
           format_milli(node.host.cpu_millicores) + " CPUs, " + format_mib(node.host.memory_mib) +
           ")";
}

/// By GPUs, then memory of a GPU, then CPUs.
auto size_of(const NodeRecord& node) {
    std::int64_t gpu_mib = 0;
    for (const NodeGpu& gpu : node.gpus) {
        gpu_mib = std::max(gpu_mib, gpu.total_mib);
    }
    return std::tuple(node.gpus.size(), gpu_mib, node.host.cpu_millicores);
}

/// The most that any one node has of each.
struct Most {
    std::int64_t gpus = 0;         // Of the model, and large enough.
    std::int64_t gpus_at_all = 0;  // Of the model.
    std::int64_t gpu_mib = 0;      // Likewise.
    model::HostAmount host = {};
};

using Nodes = std::vector<const NodeRecord*>;

Most most_of(const Hardware& hardware, const Nodes& nodes, const model::GpuAsk& ask) {
    Most most;
    for (const NodeRecord* node : nodes) {
        std::int64_t gpus = 0;
        std::int64_t gpus_at_all = 0;
        for (const NodeGpu& gpu : node->gpus) {
            if (ask.model.empty() ||
                model::is_model(ask.model, hardware.name_of_model(gpu.model))) {
                ++gpus_at_all;
                gpus += gpu.total_mib >= ask.memory_mib ? 1 : 0;
                most.gpu_mib = std::max(most.gpu_mib, gpu.total_mib);
            }
        }
        most.gpus = std::max(most.gpus, gpus);
        most.gpus_at_all = std::max(most.gpus_at_all, gpus_at_all);
        const model::HostAmount& host = node->host;
        most.host.cpu_millicores = std::max(most.host.cpu_millicores, host.cpu_millicores);
        most.host.memory_mib = std::max(most.host.memory_mib, host.memory_mib);
    }
    return most;
}

/// "; there are: NVIDIA A30, NVIDIA H100": by name, each once.
std::string models_there_are(const Hardware& hardware, const Nodes& nodes) {
    std::set<std::string> names;
    for (const NodeRecord* node : nodes) {
        for (const NodeGpu& gpu : node->gpus) {
            names.insert(name_of(hardware, gpu));
        }
    }
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "; there are: " : ", ") + name;
    }
    return text.empty() ? ", or any GPU" : text;
}

std::string gpus_text(std::int64_t count) {
    return std::to_string(count) + (count == 1 ? " GPU" : " GPUs");
}

/// "" if the GPUs alone are no obstacle.
std::string why_no_gpus(
    const Hardware& hardware, const Nodes& nodes, const model::GpuAsk& ask, const Most& most) {
    const std::int64_t count = ask.is_share() ? 1 : ask.count;
    if (count == 0 || most.gpus >= count) {
        return "";
    }
    const std::string of_model = ask.model.empty() ? "" : " of model '" + ask.model + "'";
    if (most.gpus_at_all == 0) {
        return ask.model.empty()
                   ? "no node has a GPU"
                   : "no node has a GPU" + of_model + models_there_are(hardware, nodes);
    }
    if (most.gpus == 0) {
        return "no GPU" + of_model + " has " + format_mib(ask.memory_mib) + "; the largest has " +
               format_mib(most.gpu_mib);
    }
    const std::string of_size =
        ask.memory_mib > 0 ? " with " + format_mib(ask.memory_mib) + " each" : "";
    return "no node has " + gpus_text(count) + of_model + of_size + "; the largest has " +
           std::to_string(most.gpus);
}

/// "no node has zone==c (n1: zone is a, it asks for zone==c)": of the first few nodes.
std::string why_on_none(const Hardware& hardware, const std::string& on) {
    constexpr std::size_t kShownMax = 3;
    std::string text = "no node has " + on;
    const auto expression = model::parse_node_expression(on);
    std::size_t shown = 0;
    for (const NodeRecord* node : hardware.nodes) {
        if (!expression || ++shown > kShownMax) {
            break;
        }
        text +=
            (shown == 1 ? " (" : "; ") + node->name + ": " +
            why_not(*expression, facts_of(*node, model::WhichGpus::kAll, hardware.name_of_model));
    }
    return text + (shown > kShownMax ? "; …)" : shown > 0 ? ")" : "");
}

}  // namespace

Hardware hardware_of(const State& state) {
    Hardware hardware{
        .name_of_model = [&state](GpuModelId model) { return state.gpu_model_name(model); }};
    for (const auto& [id, node] : state.nodes()) {
        hardware.nodes.push_back(&node.record);
    }
    return hardware;
}

scheduler::NodeView at_best(const NodeRecord& node) {
    scheduler::NodeView view{.id = node.id, .free = {.host = node.host}, .host_total = node.host};
    for (const NodeGpu& gpu : node.gpus) {
        view.free.gpus.push_back({.id = gpu.id, .model = gpu.model, .total_mib = gpu.total_mib});
    }
    return view;
}

Candidate::Candidate(
    const model::RequestRecord& request,
    model::Request resolved,
    std::function<std::string(GpuModelId)> name_of_model)
    : resolved_(std::move(resolved)),
      name_of_model_(std::move(name_of_model)),
      runs_anywhere_(request.on.empty()) {
    resolved_.node_classes.reset();
    if (!runs_anywhere_) {
        if (auto on = model::parse_node_expression(request.on)) {
            on_ = *std::move(on);
        }
    }
}

bool Candidate::may_run_on(const NodeRecord& node) const {
    const auto holds_with = [&](model::WhichGpus which) {
        return on_ && holds(*on_, facts_of(node, which, name_of_model_));
    };
    return runs_anywhere_ || holds_with(model::WhichGpus::kPresent) ||
           holds_with(model::WhichGpus::kAll);
}

bool Candidate::could_run_on(const NodeRecord& node) const {
    return could_hold(at_best(node), resolved_) && may_run_on(node);
}

bool could_ever_run(
    const Hardware& hardware, const model::RequestRecord& request, model::Request resolved) {
    const Candidate candidate(request, std::move(resolved), hardware.name_of_model);
    return std::ranges::any_of(
        hardware.nodes, [&](const NodeRecord* node) { return candidate.could_run_on(*node); });
}

std::string why_never(const Hardware& hardware, const model::RequestRecord& request) {
    const Candidate candidate(request, {}, hardware.name_of_model);
    Nodes nodes;
    std::ranges::copy_if(hardware.nodes, std::back_inserter(nodes), [&](const NodeRecord* node) {
        return candidate.may_run_on(*node);
    });
    if (nodes.empty()) {
        return why_on_none(hardware, request.on);
    }
    const Most most = most_of(hardware, nodes, request.gpus);
    std::string why = why_no_gpus(hardware, nodes, request.gpus, most);
    const auto add = [&](const std::string& asked, const std::string& largest) {
        why += (why.empty() ? "no node has " : "; no node has ") + asked + "; the largest has " +
               largest;
    };
    const model::HostAmount& host = request.host;
    if (host.cpu_millicores > most.host.cpu_millicores) {
        add(format_milli(host.cpu_millicores) + " CPUs", format_milli(most.host.cpu_millicores));
    }
    if (host.memory_mib > most.host.memory_mib) {
        add(format_mib(host.memory_mib) + " of memory", format_mib(most.host.memory_mib));
    }
    const NodeRecord* largest =
        *std::ranges::max_element(nodes, {}, [](const NodeRecord* node) { return size_of(*node); });
    return (request.on.empty() ? "" : "of the nodes with " + request.on + ", ") +
           (why.empty() ? "no node has all of it at once" : why) + "; the largest node is " +
           describe(hardware, *largest);
}

model::Usage usage_of_one(const model::RequestRecord& request) {
    return {
        .gpu_milli = request.gpus.count * model::kWholeGpuMilli + request.gpus.milli,
        .cpu_millicores = request.host.cpu_millicores,
        .memory_mib = request.host.memory_mib};
}

std::string amount_text(std::string_view what, std::int64_t amount) {
    if (what == "gpu_milli") {
        return format_milli(amount) + (amount == model::kWholeGpuMilli ? " GPU" : " GPUs");
    }
    if (what == "cpu_millicores") {
        return format_milli(amount) + " CPUs";
    }
    return what == "memory_mib" ? format_mib(amount) + " of memory" : std::to_string(amount);
}

}  // namespace reeve::ledger
