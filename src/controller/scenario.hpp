#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "controller/view.hpp"
#include "ledger/reader.hpp"
#include "model/job_spec.hpp"
#include "scheduler/backfill.hpp"
#include "scheduler/policy.hpp"

namespace reeve::controller {

// Of one simulation.
inline constexpr std::size_t kScenarioJobsMax = 20'000;  // Of the queue, from its beginning.
inline constexpr std::size_t kScenarioChangesMax = 1000;
inline constexpr std::uint32_t kHypotheticalJobsMax = 1000;
inline constexpr std::int64_t kAddedNodesMax = 1000;

/// Jobs that are as if they were submitted now, one after the other.
struct HypotheticalJobs {
    model::JobTerms terms = {};
    std::uint32_t count = 1;
};

/// Nodes as if they came now, empty. Either like one that there is, or with so many GPUs.
struct AddedNodes {
    std::int64_t count = 1;
    std::string like = {};       // Its name; "": by what follows.
    std::int64_t gpus = 0;       // At least 1.
    std::string gpu_model = {};  // As for --gpus; one that is not here needs its memory.
    std::int64_t gpu_memory_mib = 0;
    std::int64_t cpu_millicores = 0;  // 0: as the node with the most, and so below.
    std::int64_t memory_mib = 0;
};

enum class JobWish : std::uint8_t { kCancel, kHold, kRelease };

struct JobChange {
    JobId job = JobId(0);
    std::optional<JobWish> wish = {};
    std::optional<std::int32_t> priority = {};
    std::string priority_name = {};                 // Instead of the number; "": none.
    std::optional<std::int64_t> time_limit_s = {};  // 0: none.
};

/// What a project is limited to, and guaranteed, instead of what it is.
struct ProjectLimits {
    std::string name = {};
    model::Quota quota = {};
    std::optional<std::int64_t> guaranteed_gpu_milli = {};  // Absent: as it is.
};

/// What is to be taken as done.
struct WhatIf {
    std::string user = {};  // Whose the hypothetical jobs are.
    bool is_admin = false;  // That user, who may have any priority.
    std::vector<HypotheticalJobs> jobs = {};
    std::vector<std::string> drained = {};
    std::vector<std::string> resumed = {};
    std::vector<std::string> removed = {};  // Gone, and all that runs there with them.
    std::vector<AddedNodes> added = {};
    std::vector<ProjectLimits> quotas = {};
    std::optional<scheduler::Backfill> backfill = {};
    std::optional<scheduler::Policy> policy = {};
    std::vector<JobChange> changes = {};
};

/// A state of things, real or not: what a simulation begins with.
struct Scenario {
    View view = {};
    std::vector<ledger::JobRow> queue = {};  // In any order.
    std::set<JobId> cancelled = {};
    std::set<JobId> lost = {};  // All of it ran on nodes that are gone.
};

/// Hypothetical jobs have ids from here on, in order: behind all that there are.
inline constexpr auto kFirstHypothetical = JobId(std::uint64_t{1} << 60U);

/// A job that the caller may know of. Errors: kNotFound, and those of the reader.
using JobLookup = std::function<Result<ledger::JobRow>(JobId)>;

/// What `from` becomes by `what_if`. Each change is held to what the real one would be, on the
/// cluster as the others leave it; where that refuses, so does this, in the same words. A node that
/// is resumed is taken to answer, if it ever did. What is cancelled is gone at once, and what ran
/// on a removed node does not start again.
[[nodiscard]] Result<Scenario> scenario_of(
    const Scenario& from, const WhatIf& what_if, const JobLookup& job_of);

}  // namespace reeve::controller
