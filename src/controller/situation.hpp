#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/view.hpp"
#include "ledger/reader.hpp"
#include "scheduler/forward.hpp"
#include "scheduler/run_stats.hpp"

namespace reeve::controller {

/// Makes what the scheduler would be told of a view and of jobs that wait: of whatever may start
/// one day if nobody does anything.
class SituationBuilder {
  public:
    /// `view` outlives it.
    explicit SituationBuilder(const View& view, std::optional<Instant> now = {});

    /// A job of the queue, as it was read no later than the view was taken: what of it started
    /// since is in the view. What is held never starts.
    void add(const ledger::JobRow& job);

    /// A job that is no more, and did not succeed.
    void add_failed(JobId job) { situation_.failed.push_back(job); }

    [[nodiscard]] const scheduler::Situation& situation() const { return situation_; }

    /// Of what runs and of what was added: by what its run time is remembered.
    [[nodiscard]] const std::map<JobId, scheduler::RunKey>& run_keys() const { return run_keys_; }

  private:
    model::RequestId id_of(const ledger::JobRow& job);
    model::RequestId add_request(model::Request request);

    const View& view_;
    scheduler::Situation situation_;
    std::map<std::string, ProjectId> projects_;
    std::map<model::RequestId, model::RequestId> ids_;  // Of the ledger's.
    std::vector<model::RequestId> not_submitted_;       // Of jobs that there are not.
    std::map<JobId, std::uint32_t> held_by_;            // Tasks in the view.
    std::map<JobId, scheduler::RunKey> run_keys_;
};

}  // namespace reeve::controller
