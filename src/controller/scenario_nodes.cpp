#include "controller/scenario_nodes.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "ledger/fit.hpp"
#include "scheduler/project_tree.hpp"

namespace reeve::controller {
namespace {

using NodePointer = std::shared_ptr<const NodeStatus>;

void subtract(model::Usage& from, const model::Usage& less) {
    from.gpu_milli -= less.gpu_milli;
    from.cpu_millicores -= less.cpu_millicores;
    from.memory_mib -= less.memory_mib;
    from.running_elements -= less.running_elements;
}

std::string both_of(const std::string& node, const std::string& one, const std::string& other) {
    return "node '" + node + "' is to be " + one + " and " + other + "; ask for one of them";
}

class NodeChanger {
  public:
    NodeChanger(View& view, const WhatIf& what_if, std::set<JobId>& lost)
        : view_(view), what_if_(what_if), lost_(lost) {}

    Result<void> change() {
        Result<void> done = check_nodes();
        done = done ? take_and_give_nodes() : done;
        return done ? add_nodes() : done;
    }

  private:
    [[nodiscard]] Result<const NodeStatus*> node_named(const std::string& name) const {
        std::vector<std::string> names;
        for (const NodePointer& node : view_.nodes) {
            if (node->record.name == name) {
                return node.get();
            }
            names.push_back(node->record.name);
        }
        return fail(
            ErrorCode::kNotFound, "there is no node '" + name + "'" + those_there_are(name, names));
    }

    /// Each is known, and comes once.
    [[nodiscard]] Result<void> check_nodes() const {
        std::map<std::string, std::string> wish_of;
        const std::vector<std::pair<std::string, const std::vector<std::string>*>> wishes = {
            {"drained", &what_if_.drained},
            {"resumed", &what_if_.resumed},
            {"removed", &what_if_.removed},
        };
        for (const auto& [wish, names] : wishes) {
            for (const std::string& name : *names) {
                if (const auto node = node_named(name); !node) {
                    return tl::unexpected<Error>(node.error());
                }
                const auto [known, is_new] = wish_of.emplace(name, wish);
                if (!is_new && known->second != wish) {
                    return fail(ErrorCode::kInvalid, both_of(name, known->second, wish));
                }
            }
        }
        return {};
    }

    Result<void> take_and_give_nodes() {
        const auto is_in = [](const std::vector<std::string>& names, const NodePointer& node) {
            return std::ranges::find(names, node->record.name) != names.end();
        };
        std::vector<NodePointer> left;
        for (const NodePointer& node : view_.nodes) {
            if (is_in(what_if_.removed, node)) {
                for (const Holding& holding : node->holdings) {
                    forget_usage(view_, holding);
                    lost_.insert(holding.allocation.task.element.job);
                }
            } else if (is_in(what_if_.drained, node)) {
                auto drained = std::make_shared<NodeStatus>(*node);
                drained->record.is_drained = true;
                drained->view.availability = scheduler::Availability::kDrained;
                left.push_back(std::move(drained));
            } else if (is_in(what_if_.resumed, node) && node->record.is_drained) {
                auto resumed = std::make_shared<NodeStatus>(*node);
                resumed->record.is_drained = false;
                resumed->record.drain_reason.clear();
                resumed->view.availability = node->heard_at == model::kNever
                                                 ? scheduler::Availability::kUnreachable
                                                 : scheduler::Availability::kReady;
                left.push_back(std::move(resumed));
            } else {
                left.push_back(node);
            }
        }
        view_.nodes = std::move(left);
        return {};
    }

    Result<void> add_nodes() {
        std::int64_t count = 0;
        for (const AddedNodes& added : what_if_.added) {
            count += added.count;
            if (count > kAddedNodesMax) {
                return fail(
                    ErrorCode::kInvalid, "add_nodes: " + std::to_string(count) +
                                             " nodes are too many; a simulation adds " +
                                             std::to_string(kAddedNodesMax) + " at most");
            }
            const auto pattern = added.like.empty() ? pattern_of(added) : pattern_like(added.like);
            if (!pattern) {
                return tl::unexpected<Error>(pattern.error());
            }
            for (std::int64_t i = 0; i < added.count; ++i) {
                add_node(*pattern);
            }
        }
        return {};
    }

    void add_node(NodeStatus node) {
        std::uint64_t last_node = 0;
        for (const NodePointer& each : view_.nodes) {
            last_node = std::max(last_node, each->record.id.value());
            for (const model::NodeGpu& gpu : each->record.gpus) {
                last_gpu_ = std::max(last_gpu_, gpu.id.value());
            }
        }
        do {
            node.record.name = "added-" + std::to_string(++added_);
        } while (node_named(node.record.name));
        node.record.id = NodeId(last_node + 1);
        for (model::NodeGpu& gpu : node.record.gpus) {
            gpu.id = GpuId(++last_gpu_);
        }
        node.view = ledger::at_best(node.record);
        for (model::Gpu& gpu : node.view.free.gpus) {
            gpu.free = {.milli = model::kWholeGpuMilli, .memory_mib = gpu.total_mib};
        }
        node.heard_at = view_.at;
        view_.nodes.push_back(std::make_shared<NodeStatus>(std::move(node)));
    }

    [[nodiscard]] Result<NodeStatus> pattern_like(const std::string& name) const {
        const auto like = node_named(name);
        if (!like) {
            return tl::unexpected<Error>(like.error());
        }
        NodeStatus pattern{.record = (*like)->record};
        pattern.record.is_drained = false;
        pattern.record.drain_reason.clear();
        for (model::NodeGpu& gpu : pattern.record.gpus) {
            gpu.is_present = true;
        }
        return pattern;
    }

    /// The GPU of a model, as a node has it; a model that no node has is made up.
    [[nodiscard]] Result<model::NodeGpu> gpu_of(const AddedNodes& added) {
        std::set<std::string> names;
        std::optional<model::NodeGpu> found;
        for (const NodePointer& node : view_.nodes) {
            for (const model::NodeGpu& gpu : node->record.gpus) {
                const auto name = view_.gpu_models.find(gpu.model);
                if (name == view_.gpu_models.end()) {
                    continue;
                }
                names.insert(name->second);
                if (!found && model::is_model(added.gpu_model, name->second)) {
                    found = gpu;
                }
            }
        }
        if (found) {
            found->total_mib = added.gpu_memory_mib > 0 ? added.gpu_memory_mib : found->total_mib;
            found->is_present = true;
            return *found;
        }
        if (added.gpu_memory_mib == 0) {
            return fail(
                ErrorCode::kInvalid,
                "no node has a GPU of model '" + added.gpu_model + "'" +
                    those_there_are(added.gpu_model, {names.begin(), names.end()}) +
                    ". For another model give its memory, too (gpu_memory_mib, "
                    "--add-nodes 2x4x" +
                    added.gpu_model + ":80G)");
        }
        const auto last = view_.gpu_models.rbegin();
        const GpuModelId id(last == view_.gpu_models.rend() ? 1 : last->first.value() + 1);
        view_.gpu_models.emplace(id, added.gpu_model);
        return model::NodeGpu{.model = id, .total_mib = added.gpu_memory_mib};
    }

    [[nodiscard]] Result<NodeStatus> pattern_of(const AddedNodes& added) {
        const auto gpu = gpu_of(added);
        if (!gpu) {
            return tl::unexpected<Error>(gpu.error());
        }
        NodeStatus pattern;
        for (const NodePointer& node : view_.nodes) {
            model::HostAmount& most = pattern.record.host;
            const model::HostAmount& host = node->record.host;
            most.cpu_millicores = std::max(most.cpu_millicores, host.cpu_millicores);
            most.memory_mib = std::max(most.memory_mib, host.memory_mib);
        }
        if (added.cpu_millicores > 0) {
            pattern.record.host.cpu_millicores = added.cpu_millicores;
        }
        if (added.memory_mib > 0) {
            pattern.record.host.memory_mib = added.memory_mib;
        }
        pattern.record.gpus.assign(static_cast<std::size_t>(added.gpus), *gpu);
        return pattern;
    }

    View& view_;
    const WhatIf& what_if_;
    std::set<JobId>& lost_;
    std::uint64_t last_gpu_ = 0;
    std::int64_t added_ = 0;
};

}  // namespace

Result<void> change_nodes(View& view, const WhatIf& what_if, std::set<JobId>& lost) {
    return NodeChanger(view, what_if, lost).change();
}

void forget_usage(View& view, const Holding& holding) {
    const model::Usage less = scheduler::usage_of(holding.allocation.grant);
    subtract(view.usage, less);
    if (view.usage_of_users && holding.user_id != UserId(0)) {
        auto left = std::make_shared<UsageOfUsers>(*view.usage_of_users);
        subtract((*left)[{holding.allocation.project, holding.user_id}], less);
        view.usage_of_users = std::move(left);
    }
    for (std::optional<ProjectId> at = holding.allocation.project; at;) {
        const auto project =
            std::ranges::find(view.projects, *at, [](const auto& each) { return each.record.id; });
        if (project == view.projects.end()) {
            break;
        }
        subtract(project->usage, less);
        at = project->record.parent;
    }
}

std::string those_there_are(const std::string& name, const std::vector<std::string>& names) {
    constexpr std::size_t kShownMax = 10;
    const std::string near = nearest(name, names);
    if (!near.empty()) {
        return "; did you mean '" + near + "'?";
    }
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kShownMax); ++i) {
        text += (i == 0 ? "; there are: " : ", ") + names[i];
    }
    return text + (names.size() > kShownMax ? ", …" : names.empty() ? "; there are none" : "");
}

}  // namespace reeve::controller
