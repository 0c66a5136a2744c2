#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/strong_id.hpp"
#include "scheduler/project_tree.hpp"

namespace reeve::scheduler {

/// What may be had back from whom: nothing that takes a project, or one above it, below what is
/// guaranteed to it. Without guarantees: everything.
class Loans {
  public:
    Loans() = default;

    /// Of what is stopped for a job of `project`: what it gets is not lost to those above it.
    Loans(const ProjectTree& projects, ProjectId project);

    [[nodiscard]] bool may_take(ProjectId from, std::int64_t gpu_milli) const;

    /// `gpu_milli` below 0: it is not taken after all.
    void take(ProjectId from, std::int64_t gpu_milli);

  private:
    [[nodiscard]] std::vector<ProjectId> losers(ProjectId from) const;

    const ProjectTree* projects_ = nullptr;  // Null without guarantees.
    std::vector<ProjectId> gainers_;
    std::map<ProjectId, std::int64_t> taken_;
};

}  // namespace reeve::scheduler
