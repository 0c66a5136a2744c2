#include "store/memory/memory_reader.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace reeve::store_memory {
namespace {

using ledger::JobOrder;
using model::ElementState;

template <class Map, class Id>
std::string name_in(const Map& map, Id id) {
    const auto found = map.find(id);
    return found == map.end() ? std::string() : found->second.name;
}

template <class Value>
bool is_any_of(const std::vector<Value>& wanted, const Value& value) {
    return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

/// Where a job stands in a list, lowest first.
using Rank = std::pair<std::int64_t, std::int64_t>;

Rank rank_of(JobOrder order, std::int64_t rank, JobId id) {
    const auto number = static_cast<std::int64_t>(id.value());
    switch (order) {
        case JobOrder::kNewestFirst: return {0, -number};
        case JobOrder::kOldestFirst: return {0, number};
        case JobOrder::kQueue:       break;
    }
    return {rank, number};
}

class MemoryReader final : public ledger::Reader {
  public:
    explicit MemoryReader(const MemoryState& state) : state_(state) {}

    Result<ledger::JobPage> jobs(
        const ledger::JobFilter& filter,
        JobOrder order,
        const std::optional<ledger::JobCursor>& after,
        std::size_t limit) override {
        limit = std::clamp<std::size_t>(limit, 1, ledger::kPageMax);
        std::vector<std::pair<Rank, const StoredJob*>> found;
        for (const auto& [id, job] : state_.jobs) {
            const Rank rank = rank_of(order, job.record.rank, id);
            const bool comes_after = !after || rank > rank_of(order, after->rank, after->id);
            const bool is_listed = order != JobOrder::kQueue || job.record.counts.pending() > 0;
            if (comes_after && is_listed && matches(filter, job)) {
                found.emplace_back(rank, &job);
            }
        }
        std::ranges::sort(found);
        ledger::JobPage page{.as_of = state_.header.last_rev};
        for (const auto& [rank, job] : found) {
            if (page.rows.size() == limit) {
                const model::JobRecord& last = page.rows.back().record;
                page.next = ledger::JobCursor{.rank = last.rank, .id = last.id};
                break;
            }
            page.rows.push_back(row_of(*job));
        }
        return page;
    }

    Result<ledger::JobRow> job(JobId id) override {
        const auto found = state_.jobs.find(id);
        if (found == state_.jobs.end()) {
            return no_job(id);
        }
        return row_of(found->second);
    }

    Result<std::string> spec(JobId id) override {
        const auto found = state_.jobs.find(id);
        if (found == state_.jobs.end()) {
            return no_job(id);
        }
        return found->second.texts.spec_json;
    }

    Result<ledger::ElementPage> elements(
        JobId id,
        const std::optional<std::pair<std::uint32_t, std::uint32_t>>& after,
        std::size_t limit) override {
        if (!state_.jobs.contains(id)) {
            return no_job(id);
        }
        limit = std::clamp<std::size_t>(limit, 1, ledger::kPageMax);
        ledger::ElementPage page{.as_of = state_.header.last_rev};
        auto at = after ? state_.elements.upper_bound({
                              {id, after->first},
                              after->second
        })
                        : state_.elements.lower_bound({{id, 0}, 0});
        for (; at != state_.elements.end() && at->first.first.job == id; ++at) {
            if (page.rows.size() == limit) {
                page.next = std::pair(page.rows.back().key.index, page.rows.back().attempt);
                break;
            }
            page.rows.push_back(at->second);
        }
        return page;
    }

    Result<std::optional<model::AllocationRecord>> allocation(AllocationId id) override {
        const auto found = state_.allocations.find(id);
        return found == state_.allocations.end() ? std::optional<model::AllocationRecord>()
                                                 : std::optional(found->second);
    }

    Result<std::vector<model::ControlRecord>> controls(JobId id, std::size_t limit) override {
        std::vector<model::ControlRecord> found;
        for (auto at = state_.controls.lower_bound({id, Revision(0)});
             at != state_.controls.end() && at->first.first == id; ++at) {
            found.push_back(at->second);
        }
        limit = std::clamp<std::size_t>(limit, 1, ledger::kPageMax);
        const std::size_t older = found.size() - std::min(found.size(), limit);
        found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(older));
        return found;
    }

    Result<std::uint64_t> position(std::int64_t rank, JobId id) override {
        const Rank own = rank_of(JobOrder::kQueue, rank, id);
        std::uint64_t before = 0;
        for (const auto& [other, job] : state_.jobs) {
            const Rank its = rank_of(JobOrder::kQueue, job.record.rank, other);
            if (job.record.counts[ElementState::kQueued] > 0 && its < own) {
                ++before;
            }
        }
        return std::min(before, ledger::kPositionMax) + 1;
    }

    Result<std::vector<std::uint64_t>> positions(
        const std::vector<ledger::JobCursor>& jobs) override {
        std::vector<std::uint64_t> all;
        all.reserve(jobs.size());
        for (const auto& [rank, id] : jobs) {
            all.push_back(position(rank, id).value());
        }
        return all;
    }

    Result<ledger::EventPage> events(Revision since, std::size_t limit) override {
        limit = std::clamp<std::size_t>(limit, 1, ledger::kPageMax);
        const std::uint64_t last = state_.header.last_rev.value();
        const std::uint64_t floor = last - state_.events.size();
        ledger::EventPage page{.last_rev = state_.header.last_rev};
        page.is_gap = since.value() > last || since.value() < floor;
        for (std::uint64_t rev = since.value();
             !page.is_gap && rev < last && page.events.size() < limit; ++rev) {
            page.events.push_back(state_.events[rev - floor].event);
        }
        return page;
    }

    Result<std::pair<std::uint64_t, Revision>> head() override {
        return std::pair(state_.header.incarnation, state_.header.last_rev);
    }

  private:
    static tl::unexpected<Error> no_job(JobId id) {
        return fail(ErrorCode::kNotFound, "there is no job " + to_string(id));
    }

    [[nodiscard]] bool matches(const ledger::JobFilter& filter, const StoredJob& job) const {
        const auto has_label = [&](const auto& label) {
            const auto found = job.texts.labels.find(label.first);
            return found != job.texts.labels.end() && found->second == label.second;
        };
        return is_any_of(filter.states, model::state_of(job.record.counts)) &&
               is_any_of(filter.ids, job.record.id) &&
               (!filter.user || *filter.user == name_in(state_.users, job.record.user)) &&
               (!filter.project ||
                *filter.project == name_in(state_.projects, job.record.project)) &&
               (!filter.name || *filter.name == job.texts.name) &&
               std::ranges::all_of(filter.labels, has_label);
    }

    [[nodiscard]] ledger::JobRow row_of(const StoredJob& job) const {
        ledger::JobRow row{
            .record = job.record,
            .name = job.texts.name,
            .user = name_in(state_.users, job.record.user),
            .project = name_in(state_.projects, job.record.project),
            .labels = job.texts.labels};
        if (const auto request = state_.requests.find(job.record.request);
            request != state_.requests.end()) {
            row.gpus = request->second.gpus;
            row.host = request->second.host;
            row.on = request->second.on;
        }
        if (job.record.range.count() == 1) {
            row.element = last_attempt_of(job.record.id);
        }
        return row;
    }

    [[nodiscard]] std::optional<model::ElementRecord> last_attempt_of(JobId id) const {
        auto at = state_.elements.lower_bound({
            {JobId(id.value() + 1), 0},
            0
        });
        if (at == state_.elements.begin() || (--at)->first.first.job != id) {
            return std::nullopt;
        }
        return at->second;
    }

    const MemoryState& state_;
};

}  // namespace

std::unique_ptr<ledger::Reader> make_memory_reader(const MemoryState& state) {
    return std::make_unique<MemoryReader>(state);
}

}  // namespace reeve::store_memory
