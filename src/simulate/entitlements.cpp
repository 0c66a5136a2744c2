#include "simulate/entitlements.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace reeve::simulate {
namespace {

using scheduler::Placed;
using scheduler::QuotaHolder;

/// What is said of each project of the workload, parents first.
std::vector<model::ProjectRecord> records_of(const Workload& workload) {
    std::vector<model::ProjectRecord> records(workload.projects.size());
    for (std::size_t place = 0; place < records.size(); ++place) {
        if (place < workload.project_rules.size()) {
            records[place] = workload.project_rules[place];
        }
        records[place].id = ProjectId(place + 1);
    }
    const auto depth_of = [&](const model::ProjectRecord& record) {
        std::size_t depth = 0;
        for (auto parent = record.parent; parent; parent = records[parent->value() - 1].parent) {
            ++depth;
        }
        return std::pair(depth, record.id);
    };
    std::vector<model::ProjectRecord> sorted = records;
    std::ranges::sort(sorted, {}, depth_of);
    return sorted;
}

/// What a job is known to ask for before it has anything.
model::Usage asked_by(const TraceJob& job, const model::Request& request) {
    model::Usage usage{
        .cpu_millicores = request.host.cpu_millicores * job.nodes,
        .memory_mib = request.host.memory_mib * job.nodes};
    if (const auto* whole = std::get_if<model::WholeGpus>(&request.gpus)) {
        usage.gpu_milli = whole->count * model::kWholeGpuMilli * job.nodes;
    } else if (const auto* share = std::get_if<model::GpuShare>(&request.gpus)) {
        usage.gpu_milli = share->milli.value_or(0) * job.nodes;
    }
    return usage;
}

}  // namespace

Entitlements::Entitlements(
    const Cluster& cluster,
    const Workload& workload,
    const scheduler::OrderRules& rules,
    std::chrono::seconds assumed_run,
    scheduler::Core& core)
    : workload_(workload),
      assumed_run_(assumed_run),
      core_(core),
      has_fair_share_(rules.half_life.count() > 0),
      shares_(rules) {
    // The live cluster has one project above all others.
    const ProjectId root(workload.projects.size() + 1);
    shares_.put_project({.id = root});
    tree_.set_capacity(cluster.gpus * model::kWholeGpuMilli);
    const std::vector<model::ProjectRecord> records = records_of(workload);
    for (const model::ProjectRecord& record : records) {
        tree_.put(record);
        model::ProjectRecord below = record;
        below.parent = record.parent.value_or(root);
        shares_.put_project(below);
        has_quotas_ = has_quotas_ || record.guaranteed_gpu_milli > 0 ||
                      record.quota != model::Quota() || record.user_quota != model::Quota();
    }
    empty_ = tree_;
    for (const model::ProjectRecord& record : records) {
        core_.put_due(record.id, tree_.due(record.id));
    }
}

bool Entitlements::may_ever_have(const TraceJob& job) const {
    return !has_quotas_ || !empty_.without_quota_for(
                               project_of(job), UserId(0),
                               asked_by(job, workload_.requests[job.request]), job.is_preemptible);
}

std::optional<QuotaHolder> Entitlements::without_quota_for(
    const scheduler::GroupKey& group, const std::vector<Placed>& parts) const {
    model::Usage all;
    for (const Placed& part : parts) {
        const model::Usage one = scheduler::usage_of(part.grant);
        all.gpu_milli += one.gpu_milli;
        all.cpu_millicores += one.cpu_millicores;
        all.memory_mib += one.memory_mib;
        all.running_elements += one.running_elements;
    }
    return tree_.without_quota_for(group.project, group.user, all, group.is_preemptible);
}

std::int64_t Entitlements::cost_of(const TraceJob& job) const {
    const std::chrono::seconds limit(job.limit_s);
    return scheduler::cost_of(
        shares_.rules(), asked_by(job, workload_.requests[job.request]),
        limit.count() > 0 ? limit : assumed_run_);
}

std::int64_t Entitlements::submit(const TraceJob& job, Instant now) {
    if (!has_fair_share_) {
        return 0;
    }
    const std::int64_t cost = cost_of(job);
    const std::int64_t load = shares_.load_of(project_of(job), user_of(job), cost, now).before;
    shares_.plan(project_of(job), user_of(job), cost);
    return load;
}

void Entitlements::count(const TraceJob& job, const model::Usage& amount, std::int64_t sign) {
    tree_.add(project_of(job), user_of(job), amount, sign);
    if (!job.is_preemptible) {
        tree_.add_firm(project_of(job), sign * amount.gpu_milli);
    }
    scheduler::tell_dues(core_, tree_, project_of(job));
}

void Entitlements::start(const TraceJob& job, const Placed& part) {
    if (has_quotas_) {
        count(job, scheduler::usage_of(part.grant), 1);
    }
}

void Entitlements::stop(
    const TraceJob& job, const Placed& part, std::chrono::seconds held, Instant now) {
    const model::Usage amount = scheduler::usage_of(part.grant);
    if (has_quotas_) {
        count(job, amount, -1);
        for (const QuotaHolder& holder : tree_.holders_above(project_of(job), user_of(job))) {
            core_.free_quota(holder);
        }
    }
    if (has_fair_share_) {
        const std::int64_t cost = scheduler::cost_of(shares_.rules(), amount, held);
        shares_.put_account(
            project_of(job), user_of(job),
            shares_.charged(project_of(job), user_of(job), cost, now));
    }
}

void Entitlements::end(const TraceJob& job) {
    if (has_fair_share_) {
        shares_.plan(project_of(job), user_of(job), -cost_of(job));
    }
}

}  // namespace reeve::simulate
