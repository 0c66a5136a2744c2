#include "store/sqlite/rows.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "store/sqlite/numbers.hpp"

namespace reeve::store_sqlite {
namespace {

using model::ElementState;

std::string pack_counts(const model::StateCounts& counts) {
    std::string out;
    for (const std::uint32_t count : counts.of) {
        append_number(out, count);
        out += ' ';
    }
    return out;
}

/// What `counts` is taken for when the column is NULL.
model::StateCounts one_in(ElementState state) {
    model::StateCounts counts;
    counts[state] = 1;
    return counts;
}

std::string pack_taken(const std::vector<std::uint32_t>& taken) {
    std::string out;
    for (const std::uint32_t position : taken) {
        append_number(out, position);
        out += ' ';
    }
    return out;
}

/// "0 12 2 13 ": kind and job, in turns.
std::string pack_after(const std::vector<model::Dependency>& after) {
    std::string out;
    for (const model::Dependency& dependency : after) {
        append_number(out, static_cast<int>(dependency.kind));
        out += ' ';
        append_number(out, dependency.job.value());
        out += ' ';
    }
    return out;
}

/// "7 1000 81920 ": GPU, milli and MiB, in turns.
std::string pack_gpus(const std::vector<model::GpuGrant>& gpus) {
    std::string out;
    for (const model::GpuGrant& grant : gpus) {
        append_number(out, grant.gpu.value());
        out += ' ';
        append_number(out, grant.amount.milli);
        out += ' ';
        append_number(out, grant.amount.memory_mib);
        out += ' ';
    }
    return out;
}

template <class Enumeration>
void bind_optional(Run& run, const std::optional<Enumeration>& value) {
    if (value) {
        run.integer(static_cast<std::int64_t>(*value));
    } else {
        run.null();
    }
}

template <class Value>
std::optional<Value> read_optional(Run& run) {
    const bool is_null = run.read_is_null();
    const auto number = run.read_integer();
    return is_null ? std::nullopt : std::optional(static_cast<Value>(number));
}

void append_netstring(std::string& out, std::string_view text) {
    append_number(out, text.size());
    out += ':';
    out += text;
}

std::string take_netstring(std::string_view& rest) {
    std::size_t size = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), size);
    rest.remove_prefix(
        std::min(static_cast<std::size_t>(parsed.ptr - rest.data()) + 1, rest.size()));
    std::string text(rest.substr(0, size));
    rest.remove_prefix(text.size());
    return text;
}

constexpr std::uint64_t kFnvBasis = 0xCBF29CE484222325ULL;  // The published parameters of FNV-1a.
constexpr std::uint64_t kFnvPrime = 0x100000001B3ULL;

std::uint64_t hash_on(std::uint64_t hash, std::string_view text) {
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
    }
    return hash;
}

void bind_quota(Run& run, const model::Quota& quota) {
    bind_optional(run, quota.gpu_milli);
    bind_optional(run, quota.cpu_millicores);
    bind_optional(run, quota.memory_mib);
    bind_optional(run, quota.running_elements);
    bind_optional(run, quota.pending_elements);
}

model::Quota read_quota(Run& run) {
    model::Quota quota;
    quota.gpu_milli = read_optional<std::int64_t>(run);
    quota.cpu_millicores = read_optional<std::int64_t>(run);
    quota.memory_mib = read_optional<std::int64_t>(run);
    quota.running_elements = read_optional<std::int64_t>(run);
    quota.pending_elements = read_optional<std::int64_t>(run);
    return quota;
}

}  // namespace

std::int64_t phase_of(ElementState state) {
    switch (state) {
        case ElementState::kScheduled:
        case ElementState::kRunning:
        case ElementState::kStopping:  return kLivePhase;
        case ElementState::kQueued:
        case ElementState::kHeld:
        case ElementState::kSucceeded:
        case ElementState::kFailed:
        case ElementState::kCancelled:
        case ElementState::kTimedOut:  break;
    }
    return static_cast<std::int64_t>(state);
}

JobIndexes indexes_of(const model::JobRecord& job) {
    JobIndexes indexes{.state = model::state_of(job.counts)};
    indexes.phase = phase_of(indexes.state);
    if (job.counts[ElementState::kQueued] > 0) {
        indexes.queue_class = 0;
    } else if (job.counts[ElementState::kHeld] > 0) {
        indexes.queue_class = 1;
    }
    return indexes;
}

std::uint64_t hash_of(std::string_view text) {
    return hash_on(kFnvBasis, text);
}

std::uint64_t hash_of_label(std::string_view key, std::string_view value) {
    return hash_on(hash_on(hash_on(kFnvBasis, key), "="), value);
}

std::uint64_t hash_of_request(UserId user, std::string_view key) {
    return hash_on(kFnvBasis ^ (user.value() * kFnvPrime), key);
}

std::string pack_labels(const std::map<std::string, std::string>& labels) {
    std::string out;
    for (const auto& [key, value] : labels) {
        append_netstring(out, key);
        append_netstring(out, value);
    }
    return out;
}

std::map<std::string, std::string> unpack_labels(std::string_view packed) {
    std::map<std::string, std::string> labels;
    while (!packed.empty()) {
        std::string key = take_netstring(packed);
        labels[std::move(key)] = take_netstring(packed);
    }
    return labels;
}

model::StateCounts unpack_counts(std::string_view packed, ElementState state) {
    if (packed.empty()) {
        return one_in(state);
    }
    model::StateCounts counts;
    Numbers numbers(packed);
    for (std::uint32_t& count : counts.of) {
        count = numbers.take<std::uint32_t>();
    }
    return counts;
}

void bind(Run& run, const model::UserRecord& user) {
    run.id(user.id).text(user.name).integer(user.uid).integer(user.gid);
}

model::UserRecord read_user(Run& run) {
    model::UserRecord user;
    user.id = run.read_id<UserId>();
    user.name = run.read_string();
    user.uid = run.read_as<std::uint32_t>();
    user.gid = run.read_as<std::uint32_t>();
    return user;
}

void bind(Run& run, const model::RequestRecord& request) {
    run.id(request.id)
        .integer(request.gpus.count)
        .integer(request.gpus.milli)
        .integer(request.gpus.memory_mib)
        .text_or_null(request.gpus.model)
        .integer(request.host.cpu_millicores)
        .integer(request.host.memory_mib)
        .text_or_null(request.on);
}

model::RequestRecord read_request(Run& run) {
    model::RequestRecord request;
    request.id = run.read_id<model::RequestId>();
    request.gpus.count = run.read_integer();
    request.gpus.milli = run.read_integer();
    request.gpus.memory_mib = run.read_integer();
    request.gpus.model = run.read_string();
    request.host.cpu_millicores = run.read_integer();
    request.host.memory_mib = run.read_integer();
    request.on = run.read_string();
    return request;
}

void bind(Run& run, const model::GpuModelRecord& gpu_model) {
    run.id(gpu_model.id).text(gpu_model.name);
}

model::GpuModelRecord read_gpu_model(Run& run) {
    model::GpuModelRecord gpu_model;
    gpu_model.id = run.read_id<GpuModelId>();
    gpu_model.name = run.read_string();
    return gpu_model;
}

void bind(Run& run, const model::ProjectRecord& project) {
    run.id(project.id).text(project.name);
    if (project.parent) {
        run.id(*project.parent);
    } else {
        run.null();
    }
    bind_quota(run, project.quota);
    run.integer(project.share);
    bind_quota(run, project.user_quota);
    run.integer(project.guaranteed_gpu_milli);
}

void bind(Run& run, const model::AccountRecord& account) {
    run.id(account.project).id(account.user).integer(account.used_milli_s).time(account.at);
}

model::AccountRecord read_account(Run& run) {
    model::AccountRecord account;
    account.project = run.read_id<ProjectId>();
    account.user = run.read_id<UserId>();
    account.used_milli_s = run.read_integer();
    account.at = run.read_time();
    return account;
}

model::ProjectRecord read_project(Run& run) {
    model::ProjectRecord project;
    project.id = run.read_id<ProjectId>();
    project.name = run.read_string();
    const bool is_root = run.read_is_null();
    const auto parent = run.read_id<ProjectId>();
    if (!is_root) {
        project.parent = parent;
    }
    project.quota = read_quota(run);
    project.share = run.read_as<std::int32_t>();
    project.user_quota = read_quota(run);
    project.guaranteed_gpu_milli = run.read_integer();
    return project;
}

void bind(Run& run, const model::NodeRecord& node, Packed& packed) {
    packed.first = pack_labels(node.labels);
    run.id(node.id)
        .text(node.name)
        .text_or_null(node.boot_id)
        .integer(node.host.cpu_millicores)
        .integer(node.host.memory_mib)
        .integer(node.is_drained ? 1 : 0)
        .text_or_null(node.drain_reason)
        .text_or_null(node.enforcement)
        .text_or_null(packed.first);
}

model::NodeRecord read_node(Run& run) {
    model::NodeRecord node;
    node.id = run.read_id<NodeId>();
    node.name = run.read_string();
    node.boot_id = run.read_string();
    node.host.cpu_millicores = run.read_integer();
    node.host.memory_mib = run.read_integer();
    node.is_drained = run.read_integer() != 0;
    node.drain_reason = run.read_string();
    node.enforcement = run.read_string();
    node.labels = unpack_labels(run.read_text());
    return node;
}

void bind_node_gpu(Run& run, const model::NodeRecord& node, std::size_t position) {
    const model::NodeGpu& gpu = node.gpus.at(position);
    run.id(node.id)
        .integer(static_cast<std::int64_t>(position))
        .id(gpu.id)
        .text(gpu.uuid)
        .id(gpu.model)
        .integer(gpu.total_mib)
        .integer(gpu.is_present ? 1 : 0)
        .integer(gpu.is_simulated ? 1 : 0);
}

model::NodeGpu read_node_gpu(Run& run) {
    model::NodeGpu gpu;
    gpu.id = run.read_id<GpuId>();
    gpu.uuid = run.read_string();
    gpu.model = run.read_id<GpuModelId>();
    gpu.total_mib = run.read_integer();
    gpu.is_present = run.read_integer() != 0;
    gpu.is_simulated = run.read_integer() != 0;
    return gpu;
}

void bind_job_fixed(Run& run, const model::JobRecord& job) {
    run.id(job.id)
        .id(job.user)
        .id(job.project)
        .time(job.submitted_at)
        .integer(job.range.first)
        .integer(job.range.last)
        .integer(job.range.step)
        .integer(job.range.running_max)
        .integer(job.is_array ? 1 : 0)
        .integer(job.fair_step)
        .integer(job.run_name);
}

void bind_job_changing(Run& run, const model::JobRecord& job, Packed& packed) {
    const ElementState state = model::state_of(job.counts);
    packed.first = pack_taken(job.taken);
    packed.second = pack_after(job.after);
    packed.third = job.counts == one_in(state) ? std::string() : pack_counts(job.counts);
    run.id(job.request)
        .integer(job.priority)
        .integer(job.fair_load)
        .integer(job.retries_max)
        .integer(job.retry_backoff_s)
        .integer(job.time_limit_s)
        .integer(static_cast<std::int64_t>(job.on_node_loss))
        .integer(job.is_preemptible ? 1 : 0)
        .integer(static_cast<std::int64_t>(job.waiting_state))
        .integer(job.next)
        .text_or_null(packed.first)
        .text_or_null(packed.second)
        .text_or_null(packed.third)
        .integer(static_cast<std::int64_t>(state))
        .id(job.rev);
}

void bind_job_indexed(Run& run, const model::JobRecord& job) {
    const JobIndexes indexes = indexes_of(job);
    run.integer(job.rank).time(job.ended_at).integer(indexes.phase);
    bind_optional(run, indexes.queue_class);
}

model::JobRecord read_job(Run& run) {
    model::JobRecord job;
    job.id = run.read_id<JobId>();
    job.user = run.read_id<UserId>();
    job.project = run.read_id<ProjectId>();
    job.submitted_at = run.read_time();
    job.range.first = run.read_as<std::uint32_t>();
    job.range.last = run.read_as<std::uint32_t>();
    job.range.step = run.read_as<std::uint32_t>();
    job.range.running_max = run.read_as<std::uint32_t>();
    job.is_array = run.read_integer() != 0;
    job.fair_step = run.read_integer();
    job.run_name = run.read_as<std::uint32_t>();
    job.request = run.read_id<model::RequestId>();
    job.priority = run.read_as<std::int32_t>();
    job.fair_load = run.read_integer();
    job.retries_max = run.read_as<std::int32_t>();
    job.retry_backoff_s = run.read_integer();
    job.time_limit_s = run.read_integer();
    job.on_node_loss = run.read_as<model::OnNodeLoss>();
    job.is_preemptible = run.read_integer() != 0;
    job.waiting_state = run.read_as<ElementState>();
    job.next = run.read_as<std::uint32_t>();
    for (Numbers taken(run.read_text()); !taken.is_done();) {
        job.taken.push_back(taken.take<std::uint32_t>());
    }
    for (Numbers after(run.read_text()); !after.is_done();) {
        const auto kind = static_cast<model::DependencyKind>(after.take<int>());
        job.after.push_back({.kind = kind, .job = JobId(after.take<std::uint64_t>())});
    }
    const std::string_view counts = run.read_text();
    job.counts = unpack_counts(counts, run.read_as<ElementState>());
    job.rev = run.read_id<Revision>();
    job.rank = run.read_integer();
    job.ended_at = run.read_time();
    return job;
}

void bind(Run& run, const model::ElementRecord& element) {
    run.id(element.key.job)
        .integer(element.key.index)
        .integer(element.attempt)
        .integer(static_cast<std::int64_t>(element.state));
    bind_optional(run, element.intent);
    run.integer(element.is_forced ? 1 : 0);
    bind_optional(run, element.end_reason);
    run.integer(element.exit_code)
        .integer(element.signal)
        .integer(element.retries_used)
        .time(element.not_before)
        .time(element.queued_at)
        .time(element.scheduled_at)
        .time(element.started_at)
        .time(element.ended_at)
        .id(element.node)
        .id(element.allocation)
        .integer(element.pid)
        .integer(element.memory_peak_mib)
        .integer(element.cpu_ms)
        .integer(element.log_bytes)
        .text_or_null(element.message);
}

model::ElementRecord read_element(Run& run) {
    model::ElementRecord element;
    element.key.job = run.read_id<JobId>();
    element.key.index = run.read_as<std::uint32_t>();
    element.attempt = run.read_as<std::uint32_t>();
    element.state = run.read_as<ElementState>();
    element.intent = read_optional<model::StopIntent>(run);
    element.is_forced = run.read_integer() != 0;
    element.end_reason = read_optional<model::EndReason>(run);
    element.exit_code = run.read_as<std::int32_t>();
    element.signal = run.read_as<std::int32_t>();
    element.retries_used = run.read_as<std::int32_t>();
    element.not_before = run.read_time();
    element.queued_at = run.read_time();
    element.scheduled_at = run.read_time();
    element.started_at = run.read_time();
    element.ended_at = run.read_time();
    element.node = run.read_id<NodeId>();
    element.allocation = run.read_id<AllocationId>();
    element.pid = run.read_integer();
    element.memory_peak_mib = run.read_integer();
    element.cpu_ms = run.read_integer();
    element.log_bytes = run.read_integer();
    element.message = run.read_string();
    return element;
}

void bind(Run& run, const model::AllocationRecord& allocation, Packed& packed) {
    packed.first = pack_gpus(allocation.grant.gpus);
    run.id(allocation.id)
        .id(allocation.task.element.job)
        .integer(allocation.task.element.index)
        .integer(allocation.task.attempt)
        .integer(allocation.task.rank)
        .integer(static_cast<std::int64_t>(allocation.owner))
        .id(allocation.node)
        .id(allocation.project)
        .integer(allocation.grant.host.cpu_millicores)
        .integer(allocation.grant.host.memory_mib)
        .text_or_null(packed.first)
        .integer(static_cast<std::int64_t>(allocation.state))
        .time(allocation.reserved_at)
        .time(allocation.released_at);
}

model::AllocationRecord read_allocation(Run& run) {
    model::AllocationRecord allocation;
    allocation.id = run.read_id<AllocationId>();
    allocation.task.element.job = run.read_id<JobId>();
    allocation.task.element.index = run.read_as<std::uint32_t>();
    allocation.task.attempt = run.read_as<std::uint32_t>();
    allocation.task.rank = run.read_as<std::uint32_t>();
    allocation.owner = run.read_as<model::AllocationOwner>();
    allocation.node = run.read_id<NodeId>();
    allocation.project = run.read_id<ProjectId>();
    allocation.grant.host.cpu_millicores = run.read_integer();
    allocation.grant.host.memory_mib = run.read_integer();
    for (Numbers gpus(run.read_text()); !gpus.is_done();) {
        model::GpuGrant grant{.gpu = GpuId(gpus.take<std::uint64_t>())};
        grant.amount.milli = gpus.take<std::int64_t>();
        grant.amount.memory_mib = gpus.take<std::int64_t>();
        allocation.grant.gpus.push_back(grant);
    }
    allocation.state = run.read_as<model::AllocationState>();
    allocation.reserved_at = run.read_time();
    allocation.released_at = run.read_time();
    return allocation;
}

void bind(Run& run, const model::ControlRecord& control) {
    run.id(control.job).id(control.rev).integer(static_cast<std::int64_t>(control.control));
    bind_optional(run, control.index);
    run.text(control.actor).time(control.at);
}

model::ControlRecord read_control(Run& run) {
    model::ControlRecord control;
    control.job = run.read_id<JobId>();
    control.rev = run.read_id<Revision>();
    control.control = run.read_as<model::JobControl>();
    control.index = read_optional<std::uint32_t>(run);
    control.actor = run.read_string();
    control.at = run.read_time();
    return control;
}

void bind(Run& run, const model::IdempotencyRecord& request) {
    run.id(request.user)
        .text(request.key)
        .unsigned_integer(request.fingerprint)
        .id(request.first_job)
        .integer(request.job_count)
        .time(request.at);
}

model::IdempotencyRecord read_idempotency(Run& run) {
    model::IdempotencyRecord request;
    request.user = run.read_id<UserId>();
    request.key = run.read_string();
    request.fingerprint = run.read_unsigned();
    request.first_job = run.read_id<JobId>();
    request.job_count = run.read_as<std::uint32_t>();
    request.at = run.read_time();
    return request;
}

}  // namespace reeve::store_sqlite
