#include "agent/process/plan_launch.hpp"

#include <algorithm>
#include <utility>

#include "agent/process/task_directory.hpp"
#include "agent/process/task_environment.hpp"
#include "model/output_file.hpp"
#include "model/spec_rules.hpp"
#include "platform/clock.hpp"

namespace reeve::agent::process {
namespace {

constexpr std::int64_t kUserKeptUs = 60'000'000;

/// Device numbers of what was granted; absent if the node has no real devices to deny.
std::optional<std::vector<std::int32_t>> granted_minors(
    const model::TaskOrder& order, const std::vector<model::GpuDescription>& gpus) {
    std::vector<std::int32_t> minors;
    bool has_devices = false;
    for (const model::GpuDescription& gpu : gpus) {
        if (gpu.minor < 0) {
            continue;
        }
        has_devices = true;
        const bool is_granted = std::ranges::any_of(
            order.gpus, [&](const auto& granted) { return granted.uuid == gpu.uuid; });
        if (is_granted) {
            minors.push_back(gpu.minor);
        }
    }
    return has_devices ? std::optional(std::move(minors)) : std::nullopt;
}

ShimPlan shim_plan(
    const model::TaskOrder& order,
    const model::Execution& execution,
    const LaunchRules& rules,
    const CgroupPaths& cgroup) {
    return {
        .task = to_string(order.key),
        .boot_id = rules.boot_id,
        .stop_signal = execution.stop_signal,
        .stop_grace_s = execution.stop_grace_s,
        .time_limit_s = order.time_limit_s,
        .log_bytes_max = rules.log_bytes_max,
        .splits_output = execution.splits_output ? 1 : 0,
        .cgroup = cgroup,
        .limits =
            {
                     .cpu_millicores = order.cpu_millicores,
                     .memory_mib = order.memory_mib,
                     .pids_max = rules.pids_max,
                     .gpu_minors = granted_minors(order, rules.gpus),
                     },
    };
}

/// Where its output is copied to. Errors: kInvalid if a path is too long.
Result<void> plan_files(
    const model::TaskOrder& order,
    const model::JobSpec& spec,
    const LaunchRules& rules,
    LaunchPlan& plan) {
    const model::OutputNames names = {
        .element = element_name(order),
        .job = to_string(order.key.element.job),
        .index = std::to_string(order.key.element.index),
        .job_name = spec.terms.name,
        .user = order.identity.user,
        .node_name = rules.node_name,
    };
    const model::Execution& execution = spec.execution;
    plan.child.output_file = model::expand_output_file(execution.output_file, names);
    plan.child.error_file = model::expand_output_file(execution.error_file, names);
    plan.child.keeps_files = order.key.attempt > 1 ? 1 : 0;
    for (const std::string* path : {&plan.child.output_file, &plan.child.error_file}) {
        if (path->size() > model::kPathBytesMax) {
            return fail(
                ErrorCode::kInvalid, "an output file's path has " + std::to_string(path->size()) +
                                         " bytes with the names of this task in it; " +
                                         std::to_string(model::kPathBytesMax) + " are accepted");
        }
    }
    const bool is_copied = !execution.output_file.empty() || !execution.error_file.empty();
    plan.shim.copies_output = is_copied ? 1 : 0;
    if (plan.child.changes_identity != 0) {
        plan.shim.file_uid = plan.child.uid;
        plan.shim.file_gid = plan.child.gid;
    }
    return {};
}

}  // namespace

UserCache::User UserCache::find(const model::Identity& identity) {
    const std::int64_t now = platform::monotonic_now().count();
    Cached& cached = users_[{identity.uid, identity.gid}];
    if (cached.until_us > now) {
        return cached.user;
    }
    User user = {
        .entry =
            {.name = identity.user,
                    .uid = identity.uid,
                    .gid = identity.gid,
                    .home = "/",
                    .shell = "/bin/sh"},
        .groups = {identity.gid},
    };
    if (const auto found = platform::user_by_id(identity.uid); found) {
        user.entry = *found;
        user.groups = platform::groups_of(found->name, identity.gid);
    }
    cached = {user, now + kUserKeptUs};
    return user;
}

Result<PlannedLaunch> plan_launch(
    const model::TaskOrder& order,
    const LaunchRules& rules,
    const UserCache::User& user,
    const CgroupPaths& cgroup,
    const std::string& directory) {
    const Result<model::JobSpec> spec = model::parse_job_spec(order.spec_json);
    if (!spec) {
        return fail(spec.error().code, "the job's spec: " + spec.error().message);
    }
    const model::Execution& execution = spec->execution;
    const bool is_root = rules.server_uid == 0;
    if (!is_root && order.identity.uid != rules.server_uid) {
        return fail(
            ErrorCode::kForbidden, "this server runs as uid " + std::to_string(rules.server_uid) +
                                       " and cannot start a task of uid " +
                                       std::to_string(order.identity.uid));
    }
    PlannedLaunch planned = {.script = execution.script};
    planned.plan.shim = shim_plan(order, execution, rules, cgroup);
    ChildPlan& child = planned.plan.child;
    child.changes_identity = is_root ? 1 : 0;
    child.uid = order.identity.uid;
    child.gid = order.identity.gid;
    for (const std::uint32_t group : user.groups) {
        child.groups.push_back(static_cast<std::int32_t>(group));
    }
    child.working_dir = execution.working_dir.empty() ? user.entry.home : execution.working_dir;
    child.argv = execution.argv;
    if (auto files = plan_files(order, *spec, rules, planned.plan); !files) {
        return tl::unexpected(std::move(files.error()));
    }
    if (!execution.script.empty()) {
        child.script = directory + kScriptFile;
        child.argv.insert(child.argv.begin(), child.script);
    }
    if (child.argv.empty()) {
        return fail(ErrorCode::kInvalid, "the job has no command and no script");
    }
    model::TaskOrder named = order;  // The ledger keeps no names.
    named.job_name = spec->terms.name;
    child.environment = task_environment(named, execution, user.entry, rules.simulated_driver);
    return planned;
}

}  // namespace reeve::agent::process
