#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/http_message.hpp"
#include "api/json_text.hpp"
#include "api/sample_board.hpp"
#include "controller/view.hpp"

namespace reeve::api {

/// What a node's GPUs and the node are written with.
struct NodePicture {
    const controller::View& view;
    const controller::NodeStatus& node;
    std::shared_ptr<const Observed> observed = {};  // Null: nothing measured yet.
    Instant now;
};

/// The schemas Node, Gpu and Project of api/openapi.yaml.
void write_node(JsonText& json, const NodePicture& picture);

/// All GPUs of the node. Others' allocations are shown to `caller` without names.
void write_node_gpus(JsonText& json, const NodePicture& picture, const Caller& caller);

/// Why the GPU cannot be used; "" if it can.
[[nodiscard]] std::string trouble_of(const NodePicture& picture, const model::NodeGpu& gpu);

/// The nodes by name, as people look for them.
[[nodiscard]] std::vector<std::shared_ptr<const controller::NodeStatus>> by_name(
    const controller::View& view);

/// "ready", "drained", "unreachable", "gated".
[[nodiscard]] std::string_view word_of(scheduler::Availability availability);

void write_project(
    JsonText& json, const controller::ProjectStatus& project, const controller::View& view);

/// The fields of `observed` that a driver could tell.
void write_gpu_sample(JsonText& json, const model::GpuSample& sample);

/// A GPU's index in the node's free resources; nothing if it is gone.
[[nodiscard]] const model::Gpu* free_gpu(const controller::NodeStatus& node, GpuId id);

}  // namespace reeve::api
