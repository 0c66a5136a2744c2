// What requests mean on the hardware that is known, and on which nodes they may run.
#include <utility>

#include "base/assert.hpp"
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
        drop_request(put.before->id);
    }
    if (!put.after) {
        return;
    }
    const model::RequestRecord& record = *put.after;
    RequestState& request =
        requests_.insert_or_assign(record.id, RequestState{.record = record}).first->second;
    request_ids_.insert_or_assign(request_text(record), record.id);
    maybe_unused_.push_back(record.id);  // Unless a job follows that asks for it.
    if (!record.on.empty()) {
        node_classes_.add(record.on);
        reclassify();
        requests_on_[record.on].insert(record.id);
    }
    resolve(request);
}

void State::drop_request(model::RequestId id) {
    const auto found = requests_.find(id);
    REEVE_ASSERT(
        found != requests_.end() && found->second.jobs == 0, "nobody asks for what is dropped");
    const model::RequestRecord record = std::move(found->second.record);
    requests_.erase(found);
    request_ids_.erase(request_text(record));
    core_.drop_request(id);
    if (!record.on.empty()) {
        const auto same = requests_on_.find(record.on);
        same->second.erase(id);
        if (same->second.empty()) {
            requests_on_.erase(same);
        }
        node_classes_.remove(record.on);
        reclassify();
    }
}

void State::count_requests(const JobPut& put) {
    if (put.before && put.after && put.before->request == put.after->request) {
        return;
    }
    if (put.after) {
        count_request(put.after->request, 1);
    }
    if (put.before) {
        count_request(put.before->request, -1);
    }
}

/// A job asks for it that did not (+1), or no more (-1).
void State::count_request(model::RequestId id, int sign) {
    const auto found = requests_.find(id);
    REEVE_ASSERT(found != requests_.end(), "a request is interned before it is used");
    std::size_t& jobs = found->second.jobs;
    jobs = sign > 0 ? jobs + 1 : jobs - 1;
    if (jobs == 0) {
        maybe_unused_.push_back(id);
    }
}

/// Not before: a change that is taken back may be that of the last job.
std::vector<model::RequestId> State::forget_unused_requests() {
    std::vector<model::RequestId> forgotten;
    for (const model::RequestId id : std::exchange(maybe_unused_, {})) {
        const auto found = requests_.find(id);
        if (found != requests_.end() && found->second.jobs == 0) {
            drop_request(id);
            forgotten.push_back(id);
        }
    }
    return forgotten;
}

void State::apply(const Put<model::GpuModelRecord>& put) {
    const GpuModelId id = put.after ? put.after->id : put.before->id;
    if (put.after) {
        gpu_models_.insert_or_assign(id, *put.after);
    } else {
        gpu_models_.erase(id);
    }
    for (auto& [request_id, request] : requests_) {
        resolve(request);  // A new model may be what it names.
    }
}

/// Tells the scheduler of the nodes that are of another class than before, and of the requests that
/// mean other classes. Each means the same nodes as before, but for one that was shown just now.
void State::reclassify() {
    for (const NodeId id : node_classes_.take_moved()) {
        core_.reclassify(id, node_classes_.class_of(id));
        dirty_nodes_.insert(id);
    }
    for (const std::string& on : node_classes_.take_changed()) {
        const auto same = requests_on_.find(on);
        if (same == requests_on_.end()) {
            continue;
        }
        const std::vector<NodeClassId> classes = node_classes_.classes_of(on);
        for (const model::RequestId id : same->second) {
            requests_.at(id).resolved.node_classes = classes;
            core_.reclassify(id, classes);
        }
    }
}

/// What it means on the hardware that is known, wherever its nodes are.
model::Request State::on_hardware(const model::RequestRecord& record) const {
    std::optional<std::vector<GpuModelId>> models;
    if (!record.gpus.model.empty()) {
        models.emplace();
        for (const auto& [model_id, model] : gpu_models_) {
            if (model::is_model(record.gpus.model, model.name)) {
                models->push_back(model_id);
            }
        }
    }
    return model::request_of(record.gpus, record.host, std::move(models));
}

void State::observe(const model::RequestRecord& request, std::uint64_t elements) {
    if (scheduler::learns(policy_)) {
        core_.observe(on_hardware(request), elements);
    }
}

void State::resolve(RequestState& request) {
    const model::RequestRecord& record = request.record;
    request.resolved = on_hardware(record);
    if (!record.on.empty()) {
        request.resolved.node_classes = node_classes_.classes_of(record.on);
    }
    core_.put_request(record.id, request.resolved);
}

}  // namespace reeve::ledger
