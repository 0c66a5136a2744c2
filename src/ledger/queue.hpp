#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/strong_id.hpp"
#include "model/records.hpp"

namespace reeve::ledger {

/// Jobs whose next element would be placed alike: all of a group fit now, or none does.
struct GroupKey {
    std::int32_t priority = 0;
    ProjectId project = ProjectId(0);
    model::RequestId request = model::RequestId(0);

    friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
};

/// The jobs that have an element to place, in the order they are looked at: priority first, then
/// the job's id. An index of the ledger: it follows from the records alone. Cost: each change is
/// logarithmic; walking the heads costs one step per group, not per job.
class Queue {
  public:
    /// True if `job` is the new head of its group. Inserting twice is inserting once.
    bool insert(const GroupKey& group, JobId job);
    void erase(const GroupKey& group, JobId job);

    /// A place in the order of heads. Lower comes first.
    struct Place {
        std::int64_t priority_negated = 0;
        JobId head = JobId(0);

        friend auto operator<=>(const Place&, const Place&) = default;
    };

    struct Head {
        Place place = {};
        GroupKey group = {};
    };

    /// The first head at or after `from`; nothing at the end.
    [[nodiscard]] std::optional<Head> head_from(const Place& from) const;

    /// The head of one group; nothing if it is empty.
    [[nodiscard]] std::optional<Head> head_of(const GroupKey& group) const;

    [[nodiscard]] std::size_t group_count() const noexcept { return groups_.size(); }

    friend bool operator==(const Queue&, const Queue&) = default;

  private:
    static Place place_of(const GroupKey& group, JobId head);

    std::map<GroupKey, std::set<JobId>> groups_;
    std::map<Place, GroupKey> heads_;
};

}  // namespace reeve::ledger
