#include "api/job_json.hpp"

#include <algorithm>

#include "model/job_end.hpp"

namespace reeve::api {
namespace {

using controller::BlockerKind;
using model::ElementState;
using scheduler::WishPart;

/// 2000 -> 2, 250 -> 0.25.
void write_milli(JsonText& json, std::string_view name, std::int64_t milli) {
    json.key(name);
    if (milli % 1000 == 0) {
        json.value(milli / 1000);
    } else {
        json.value(static_cast<double>(milli) / 1000);
    }
}

void write_time(JsonText& json, std::string_view name, Instant at) {
    if (at != model::kNever) {
        json.field(name, at);
    }
}

void write_text(JsonText& json, std::string_view name, const std::string& text) {
    if (!text.empty()) {
        json.field(name, text);
    }
}

void write_resources(JsonText& json, const ledger::JobRow& job) {
    json.key("resources");
    json.begin_object();
    const model::GpuAsk& gpus = job.gpus;
    if (gpus.count > 0) {
        json.field("gpus", gpus.count);
    } else if (gpus.milli > 0) {
        write_milli(json, "gpus", gpus.milli);
    }
    write_text(json, "gpu_model", gpus.model);
    if (gpus.memory_mib > 0) {
        json.field("gpu_memory_mib", gpus.memory_mib);
    }
    if (job.host.cpu_millicores > 0) {
        write_milli(json, "cpus", job.host.cpu_millicores);
    }
    if (job.host.memory_mib > 0) {
        json.field("memory_mib", job.host.memory_mib);
    }
    json.end_object();
}

void write_counts(JsonText& json, const model::JobRecord& job) {
    json.key("elements");
    json.begin_object();
    json.field("total", job.range.count());
    for (std::size_t i = 0; i < model::kElementStates; ++i) {
        const auto state = static_cast<ElementState>(i);
        json.field(model::word_of(state), job.counts[state]);
    }
    json.end_object();
}

void write_array(JsonText& json, const model::ArrayRange& range) {
    json.key("array");
    json.begin_object();
    json.field("first", range.first);
    json.field("last", range.last);
    json.field("step", range.step);
    json.field("max_running", range.running_max);
    json.end_object();
}

const model::NodeGpu* find_gpu(const controller::NodeStatus* node, GpuId id) {
    if (node == nullptr) {
        return nullptr;
    }
    const auto found = std::ranges::find(node->record.gpus, id, &model::NodeGpu::id);
    return found == node->record.gpus.end() ? nullptr : &*found;
}

void write_gpus(
    JsonText& json, const model::AllocationRecord& allocation, const controller::View& view) {
    if (allocation.grant.gpus.empty()) {
        return;
    }
    const controller::NodeStatus* node = find_node(view, allocation.node);
    json.key("gpus");
    json.begin_array();
    for (const model::GpuGrant& grant : allocation.grant.gpus) {
        const model::NodeGpu* gpu = find_gpu(node, grant.gpu);
        json.begin_object();
        json.field("uuid", gpu == nullptr ? std::string("unknown") : gpu->uuid);
        json.field("node", node == nullptr ? std::string("unknown") : node->record.name);
        if (gpu != nullptr) {
            const auto model = view.gpu_models.find(gpu->model);
            json.field("model", model == view.gpu_models.end() ? std::string() : model->second);
            json.field("simulated", gpu->is_simulated);
        }
        json.field("milli", grant.amount.milli);
        json.field("memory_mib", grant.amount.memory_mib);
        json.end_object();
    }
    json.end_array();
}

void write_end(JsonText& json, const model::ElementRecord& element) {
    using model::EndReason;
    if (!element.end_reason) {
        return;
    }
    const EndReason reason = *element.end_reason;
    json.field("end_reason", model::word_of(reason));
    if (reason == EndReason::kExitCode) {
        json.field("exit_code", element.exit_code);
    }
    if (element.signal != 0) {
        json.field("signal", element.signal);
    }
    write_text(json, "message", element.message);
}

/// What an attempt is: in a job of one element the job's, else the element's.
void write_attempt(
    JsonText& json,
    const model::ElementRecord& element,
    const controller::View& view,
    const std::optional<model::AllocationRecord>& allocation) {
    write_time(json, "started_at", element.started_at);
    write_time(json, "ended_at", element.ended_at);
    write_end(json, element);
    json.field("attempt", element.attempt);
    if (const controller::NodeStatus* node = find_node(view, element.node)) {
        json.field("node", node->record.name);
    }
    if (allocation) {
        write_gpus(json, *allocation, view);
    }
}

/// One word for the wire, whether it is a blocker's kind or a job's reason.
std::string word_for(const controller::Blocker& blocker) {
    switch (blocker.kind) {
        case BlockerKind::kHeld:
        case BlockerKind::kDependency:
        case BlockerKind::kArrayLimit:
        case BlockerKind::kClusterLimit:
        case BlockerKind::kReserved:
        case BlockerKind::kBooked:
        case BlockerKind::kGuarantee:
        case BlockerKind::kQuota:        return std::string(controller::word_of(blocker.kind));
        case BlockerKind::kBackoff:      return "retry_backoff";
        case BlockerKind::kNoNode:       return "node_unavailable";
        case BlockerKind::kOrder:        return "behind";
        case BlockerKind::kNode:         break;
    }
    if (blocker.what == "gpu" || blocker.what == "cpu" || blocker.what == "memory") {
        return blocker.what + "_short";
    }
    if (blocker.what == "size") {
        return "too_small";
    }
    if (blocker.what == "labels") {
        return "labels";
    }
    return blocker.what == "gate" ? "gate" : "node_unavailable";
}

void write_holder(JsonText& json, const controller::Holder& holder) {
    json.begin_object();
    write_text(json, "job", holder.element);
    if (holder.is_external) {
        json.field("external", true);
    }
    write_text(json, "process", holder.process);
    write_text(json, "user", holder.user);
    write_text(json, "project", holder.project);
    if (holder.until) {
        json.field("until", *holder.until);
    }
    json.end_object();
}

void write_blocker(JsonText& json, const controller::Blocker& blocker) {
    json.begin_object();
    json.field("kind", word_for(blocker));
    json.field("text", blocker.text);
    write_text(json, "node", blocker.node);
    write_text(json, "what", blocker.what);
    if (blocker.asked != 0 || blocker.free != 0) {
        json.field("asked", blocker.asked);
        json.field("free", blocker.free);
    }
    if (!blocker.holders.empty()) {
        json.key("holder");
        write_holder(json, blocker.holders.front());
        if (blocker.holders.front().until) {
            json.field("until", *blocker.holders.front().until);
        }
        json.key("holders");
        json.begin_array();
        for (const controller::Holder& holder : blocker.holders) {
            write_holder(json, holder);
        }
        json.end_array();
    }
    json.end_object();
}

bool has(const scheduler::Alternative& alternative, WishPart part) {
    return std::ranges::find(alternative.changed, part) != alternative.changed.end();
}

void write_resources_patch(JsonText& json, const scheduler::Alternative& alternative) {
    const scheduler::Wish& wish = alternative.wish;
    json.key("resources");
    json.begin_object();
    if (has(alternative, WishPart::kGpus)) {
        json.field("gpus", wish.gpus.count);
    } else if (has(alternative, WishPart::kShare)) {
        write_milli(json, "gpus", wish.gpus.milli);
    }
    if (has(alternative, WishPart::kGpuModel)) {
        json.key("gpu_model");
        json.raw(wish.gpus.model.empty() ? "null" : '"' + wish.gpus.model + '"');
    }
    if (has(alternative, WishPart::kGpuMemory)) {
        json.field("gpu_memory_mib", wish.gpus.memory_mib);
    }
    if (has(alternative, WishPart::kCpus)) {
        write_milli(json, "cpus", wish.host.cpu_millicores);
    }
    if (has(alternative, WishPart::kMemory)) {
        json.field("memory_mib", wish.host.memory_mib);
    }
    json.end_object();
}

/// What a job has to ask for, as a merge patch of its spec (RFC 7396).
void write_patch(JsonText& json, const scheduler::Alternative& alternative) {
    json.key("set");
    json.begin_object();
    if (alternative.changed != std::vector{WishPart::kTime}) {
        write_resources_patch(json, alternative);
    }
    if (has(alternative, WishPart::kTime)) {
        json.field("time_limit_s", alternative.wish.limit.count());
    }
    json.end_object();
}

void write_change(JsonText& json, const controller::Change& change) {
    json.begin_object();
    json.field("kind", controller::word_of(change.kind));
    json.field("text", change.text);
    write_text(json, "flags", change.flags);
    write_text(json, "command", change.command);
    if (change.alternative) {
        write_patch(json, *change.alternative);
    }
    json.end_object();
}

}  // namespace

const controller::NodeStatus* find_node(const controller::View& view, NodeId id) {
    const auto found =
        std::ranges::find_if(view.nodes, [&](const auto& node) { return node->record.id == id; });
    return found == view.nodes.end() ? nullptr : found->get();
}

std::optional<model::AllocationRecord> live_allocation(
    const controller::View& view, const model::ElementRecord& element) {
    const controller::NodeStatus* node = find_node(view, element.node);
    if (node == nullptr || element.allocation == AllocationId(0)) {
        return std::nullopt;
    }
    const auto found = std::ranges::find_if(node->holdings, [&](const auto& holding) {
        return holding.allocation.id == element.allocation;
    });
    return found == node->holdings.end() ? std::nullopt : std::optional(found->allocation);
}

namespace {

void write_fair_delay(JsonText& json, const model::JobRecord& job, const controller::View& view) {
    if (job.fair_load > 0 && view.fair_share) {
        json.field(
            "fair_delay_s", scheduler::delay_of(view.scheduling.order, job.fair_load).count());
    }
}

}  // namespace

void write_job(
    JsonText& json,
    const ledger::JobRow& job,
    const controller::View& view,
    const JobExtras& extras) {
    const model::JobRecord& record = job.record;
    json.begin_object();
    json.field("id", record.id.value());
    json.field("name", job.name);
    json.field("user", job.user);
    json.field("project", job.project);
    json.field("state", model::word_of(model::state_of(record.counts)));
    write_text(json, "reason", extras.reason);
    if (extras.position) {
        json.key("position");
        write_position(json, *extras.position);
    }
    json.field("priority", record.priority);
    json.field("submitted_at", record.submitted_at);
    write_fair_delay(json, record, view);
    if (job.element) {
        write_attempt(json, *job.element, view, extras.allocation);
        if (const auto* node = extras.allocation ? find_node(view, job.element->node) : nullptr) {
            write_text(json, "enforcement", node->record.enforcement);
        }
    } else {
        write_time(json, "ended_at", record.ended_at);
        // The rows of an array have no element, and only single jobs are known not to have one.
        const std::optional<model::JobEnd> end =
            record.is_array ? model::end_of(record) : model::end_of_never_started(record);
        if (end) {
            json.field("end_reason", model::word_of(end->reason));
            write_text(json, "message", end->message);
        }
    }
    write_counts(json, record);
    write_resources(json, job);
    write_text(json, "on", job.on);
    if (record.time_limit_s > 0) {
        json.field("time_limit_s", record.time_limit_s);
    }
    if (record.is_array) {
        write_array(json, record.range);
    }
    if (!job.labels.empty()) {
        json.key("labels");
        json.begin_object();
        for (const auto& [name, value] : job.labels) {
            json.field(name, value);
        }
        json.end_object();
    }
    if (!extras.spec_json.empty()) {
        json.key("spec");
        json.raw(extras.spec_json);
    }
    json.end_object();
}

void write_element(
    JsonText& json,
    const model::ElementRecord& element,
    const controller::View& view,
    const std::optional<model::AllocationRecord>& allocation) {
    json.begin_object();
    json.field("index", element.key.index);
    json.field("state", model::word_of(element.state));
    write_attempt(json, element, view, allocation);
    json.end_object();
}

namespace {

/// The reason that is said first. That some nodes are not ones it may run on says nothing as long
/// as others are.
const controller::Blocker& headline_of(const controller::Why& why) {
    const auto end = why.blockers.begin() + static_cast<std::ptrdiff_t>(why.binding_count);
    const auto found = std::find_if(why.blockers.begin(), end, [](const auto& blocker) {
        return blocker.kind != BlockerKind::kNode ||
               (blocker.what != "labels" && blocker.what != "size");
    });
    return found == end ? why.blockers.front() : *found;
}

}  // namespace

std::string reason_word(const controller::Why& why) {
    if (why.binding_count > 0) {
        return word_for(headline_of(why));
    }
    const bool is_behind = std::ranges::any_of(
        why.blockers, [](const auto& blocker) { return blocker.kind == BlockerKind::kOrder; });
    return is_behind ? "behind" : "starting";
}

void write_why(JsonText& json, const controller::Waiter& waiter, const controller::Why& why) {
    const model::JobRecord& record = waiter.job.record;
    json.field("id", record.id.value());
    if (waiter.state) {
        json.field("element", waiter.index);
    }
    write_reasons(json, waiter, why);
}

void write_history(JsonText& json, const std::vector<controller::ReasonSpan>& spans) {
    if (spans.empty()) {
        return;
    }
    json.key("history");
    json.begin_array();
    for (const controller::ReasonSpan& span : spans) {
        json.begin_object();
        json.field("reason", span.reason);
        json.field("since", span.since);
        json.field("seen", span.seen);
        json.end_object();
    }
    json.end_array();
}

void write_reasons(JsonText& json, const controller::Waiter& waiter, const controller::Why& why) {
    const model::JobRecord& record = waiter.job.record;
    json.field("state", model::word_of(waiter.state.value_or(model::state_of(record.counts))));
    if (why.position) {
        json.key("position");
        write_position(json, *why.position);
    }
    if (why.kept) {
        json.key("reservation");
        json.begin_object();
        json.field("starts_by", why.kept->at);
        json.key("nodes");
        json.begin_array();
        for (const std::string& node : why.kept->nodes) {
            json.value(node);
        }
        json.end_array();
        json.field("assumed", why.kept->is_assumed);
        json.end_object();
    }
    if (why.binding_count > 0) {
        json.key("binding");
        write_blocker(json, headline_of(why));
    }
    json.key("blockers");
    json.begin_array();
    for (const controller::Blocker& blocker : why.blockers) {
        write_blocker(json, blocker);
    }
    json.end_array();
    json.field("binding_count", why.binding_count);
    json.key("changes");
    json.begin_array();
    for (const controller::Change& change : why.changes) {
        write_change(json, change);
    }
    json.end_array();
}

void write_when(
    JsonText& json,
    const ledger::JobRow& job,
    const controller::When& when,
    const controller::View& view) {
    json.field("id", job.record.id.value());
    json.field("state", model::word_of(model::state_of(job.record.counts)));
    json.field("kind", controller::word_of(when.kind));
    if (when.kind == controller::WhenKind::kDependency) {
        json.field("after", when.after.value());
    }
    if (when.kind == controller::WhenKind::kExpected) {
        json.field("expected_at", when.at);
        json.key("nodes");
        json.begin_array();
        for (const std::string& node : when.nodes) {
            json.value(node);
        }
        json.end_array();
        json.field("starts_before", when.starts_before);
        json.field("without_limit", when.without_limit);
        json.field("assumed_run_s", view.scheduling.assumed_run.count());
    }
}

void write_forecast(
    JsonText& json,
    const controller::Outlook& outlook,
    const controller::ForecastSheet& sheet,
    const controller::View& view,
    Instant now) {
    if (!outlook.said) {
        return;
    }
    constexpr std::chrono::microseconds kNone(0);
    const scheduler::Interval& interval = outlook.said->interval;
    const auto age = std::max(now - sheet.at, kNone);
    json.key("forecast");
    json.begin_object();
    json.field("from", sheet.at + interval.from);
    json.field("until", sheet.at + interval.until);
    json.field("confidence_percent", scheduler::kConfidencePercent);
    json.field("samples", sheet.samples);
    json.field("revision", sheet.rev.value());
    json.field("age_s", std::chrono::duration_cast<std::chrono::seconds>(age).count());
    json.field("past_forecasts", view.calibration ? view.calibration->known() : 0);
    json.field("past_inside", view.calibration ? view.calibration->inside() : 0);
    json.end_object();
}

void write_as_of(JsonText& json, std::uint64_t incarnation, Revision rev, Instant now) {
    json.key("as_of");
    json.begin_object();
    json.field("cursor", std::to_string(incarnation) + ":" + std::to_string(rev.value()));
    json.field("revision", rev.value());
    json.field("time", now);
    json.end_object();
}

void write_position(JsonText& json, std::uint64_t position) {
    if (position <= ledger::kPositionMax) {
        json.value(position);
    } else {
        json.value(">10,000");
    }
}

}  // namespace reeve::api
