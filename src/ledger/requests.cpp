// What requests mean on the hardware that is known, and on which nodes they may run.
#include "ledger/state.hpp"

namespace reeve::ledger {
namespace {

/// Two requests with the same text ask for the same. A separator that no name may hold.
std::string request_text(const model::RequestRecord& request) {
    std::string text;
    for (const std::int64_t amount :
         {request.gpus.count, request.gpus.milli, request.gpus.memory_mib,
          request.host.cpu_millicores, request.host.memory_mib}) {
        text += std::to_string(amount) + "\n";
    }
    return text + request.gpus.model + "\n" + request.on;
}

}  // namespace

std::optional<model::RequestId> State::find_request(const model::RequestRecord& like) const {
    const auto found = request_ids_.find(request_text(like));
    return found == request_ids_.end() ? std::nullopt : std::optional(found->second);
}

void State::apply(const Put<model::RequestRecord>& put) {
    if (put.before) {
        if (!put.before->on.empty()) {
            node_classes_.remove(put.before->on);
        }
        request_ids_.erase(request_text(*put.before));
        resolved_.erase(put.before->id);
        requests_.erase(put.before->id);
    }
    if (put.after) {
        if (!put.after->on.empty()) {
            node_classes_.add(put.after->on);
        }
        requests_.insert_or_assign(put.after->id, *put.after);
        request_ids_.insert_or_assign(request_text(*put.after), put.after->id);
    }
    reclassify();
    if (put.after) {
        resolve(*put.after);
    }
}

void State::apply(const Put<model::GpuModelRecord>& put) {
    const GpuModelId id = put.after ? put.after->id : put.before->id;
    if (put.after) {
        gpu_models_.insert_or_assign(id, *put.after);
    } else {
        gpu_models_.erase(id);
    }
    resolved_.clear();  // A new model may be what a request names.
    resolve_requests();
}

/// Tells the scheduler of the nodes that are of another class than before, and of the requests that
/// mean other classes.
void State::reclassify() {
    for (const NodeId id : node_classes_.take_moved()) {
        show(id);
        dirty_nodes_.insert(id);
    }
    if (!node_classes_.take_is_changed()) {
        return;
    }
    std::erase_if(
        resolved_, [](const auto& known) { return known.second.node_classes.has_value(); });
    resolve_requests();
}

void State::resolve_requests() {
    for (const auto& [id, record] : requests_) {
        resolve(record);
    }
}

/// What it means, unless that is known.
void State::resolve(const model::RequestRecord& record) {
    if (resolved_.contains(record.id)) {
        return;
    }
    std::optional<std::vector<GpuModelId>> models;
    if (!record.gpus.model.empty()) {
        models.emplace();
        for (const auto& [model_id, model] : gpu_models_) {
            if (model::is_model(record.gpus.model, model.name)) {
                models->push_back(model_id);
            }
        }
    }
    model::Request request = model::request_of(record.gpus, record.host, std::move(models));
    if (!record.on.empty()) {
        request.node_classes = node_classes_.classes_of(record.on);
    }
    const auto known = resolved_.emplace(record.id, std::move(request));
    core_.put_request(record.id, known.first->second);
}

}  // namespace reeve::ledger
