#include "store/sqlite/job_list.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "store/sqlite/rows.hpp"

namespace reeve::store_sqlite {
namespace {

using ledger::JobOrder;

// Jobs looked at for one page (about 2 us each). A page that reaches it is short and goes on later.
constexpr std::size_t kLooksMax = 10'000;
// A filtered queue of up to this many jobs is read whole and sorted.
constexpr std::size_t kSortedMax = 5'000;
constexpr std::size_t kChunkMin = 16;
// Merged for one page. Without fair share and ageing there is one for each priority; with them
// nearly one for each job, and jobs are looked at one by one.
constexpr std::size_t kRunsMax = 64;

constexpr auto kAllPhases = std::to_array<std::int64_t>({0, 1, kLivePhase, 5, 6, 7, 8});

std::set<std::int64_t> phases_of(const Wanted& wanted) {
    std::set<std::int64_t> phases;
    for (const model::ElementState state : wanted.states) {
        phases.insert(phase_of(state));
    }
    if (phases.empty()) {
        phases.insert(kAllPhases.begin(), kAllPhases.end());
    }
    return phases;
}

/// True if no state is wanted of a phase without all others of it: only kLivePhase has several.
bool are_whole_phases(const Wanted& wanted) {
    const auto live = std::ranges::count_if(
        wanted.states, [](model::ElementState state) { return phase_of(state) == kLivePhase; });
    return live == 0 || live == 3;
}

}  // namespace

std::string JobList::sql_of(Index index, JobOrder order) {
    const bool is_descending = order == JobOrder::kNewestFirst;
    // "?3" is an id in the order of the list: ranks of a descending one are negated.
    const std::string after_id = is_descending ? "id < -?3 " : "id > ?3 ";
    const std::string by_id = is_descending ? "ORDER BY id DESC LIMIT ?4" : "ORDER BY id LIMIT ?4";
    const std::string ids = is_descending ? "SELECT 0, -id FROM jobs " : "SELECT 0, id FROM jobs ";
    const std::string rest = after_id + by_id;
    switch (index) {
        case kAll: return ids + "WHERE ?1 = ?1 AND ?2 = ?2 AND " + rest;
        case kByPhase:
            return ids +
                   "INDEXED BY jobs_by_phase WHERE phase = ?1 AND phase >= 2 AND ?2 = ?2 AND " +
                   rest;
        case kByUser:
            return ids + "INDEXED BY jobs_by_user WHERE user = ?1 AND phase = ?2 AND " + rest;
        case kByProject:
            return ids + "INDEXED BY jobs_by_project WHERE project = ?1 AND phase = ?2 AND " + rest;
        case kByName:
            return ids + "INDEXED BY jobs_by_name WHERE name_hash = ?1 AND phase = ?2 AND " + rest;
        case kByLabel:
            return std::string("SELECT 0, ") + (is_descending ? "-job" : "job") +
                   " FROM job_labels WHERE hash = ?1 AND ?2 = ?2 AND " +
                   (is_descending ? "job < -?3 ORDER BY job DESC" : "job > ?3 ORDER BY job") +
                   " LIMIT ?4";
        case kByRank:  // A job of this class that runs besides is in the phase of what runs.
            return ids +
                   "INDEXED BY jobs_by_queue WHERE queue_class = ?1 AND rank = ?2 "
                   "AND phase = ?1 AND " +
                   rest;
        case kQueueSame:
            return "SELECT rank, id FROM jobs INDEXED BY jobs_by_queue "
                   "WHERE queue_class = ?1 AND rank = ?2 AND id > ?3 "
                   "ORDER BY id LIMIT ?4";
        case kQueueAfter:
            return "SELECT rank, id FROM jobs INDEXED BY jobs_by_queue "
                   "WHERE queue_class = ?1 AND rank > ?2 AND ?3 = ?3 "
                   "ORDER BY rank, id LIMIT ?4";
        case kIndexes: break;
    }
    return {};
}

Result<JobList> JobList::prepare(Database& database) {
    JobList list(database);
    const auto prepare_into = [&](Statement& to, const std::string& sql) -> Result<void> {
        auto statement = database.prepare(sql);
        if (!statement) {
            return tl::unexpected(std::move(statement.error()));
        }
        to = std::move(*statement);
        return {};
    };
    Result<void> done;
    for (std::size_t i = 0; done && i < kIndexes; ++i) {
        const auto index = static_cast<Index>(i);
        done = prepare_into(list.ascending_.at(i), sql_of(index, JobOrder::kOldestFirst))
                   .and_then([&] {
                       return prepare_into(
                           list.descending_.at(i), sql_of(index, JobOrder::kNewestFirst));
                   });
    }
    done =
        done.and_then([&] {
                return prepare_into(
                    list.next_rank_,
                    "SELECT rank FROM jobs INDEXED BY jobs_by_queue "
                    "WHERE queue_class = ? AND rank > ? "
                    "ORDER BY rank LIMIT 1");
            })
            .and_then([&] {
                return prepare_into(
                    list.facts_,
                    "SELECT user, project, name_hash, state, rank, queue_class "
                    "FROM jobs WHERE id = ?");
            })
            .and_then([&] {
                return prepare_into(list.texts_, "SELECT name, labels FROM job_texts WHERE id = ?");
            });
    if (!done) {
        return tl::unexpected(std::move(done.error()));
    }
    return list;
}

Rank JobList::rank_of(JobOrder order, std::int64_t rank, JobId id) {
    const auto number = static_cast<std::int64_t>(id.value());
    switch (order) {
        case JobOrder::kNewestFirst: return {.id = -number};
        case JobOrder::kOldestFirst: return {.id = number};
        case JobOrder::kQueue:       break;
    }
    return {.rank = rank, .id = number};
}

JobId JobList::id_of(JobOrder order, const Rank& rank) {
    const std::int64_t number = order == JobOrder::kNewestFirst ? -rank.id : rank.id;
    return JobId(static_cast<std::uint64_t>(number));
}

Result<bool> JobList::has_texts(const Wanted& wanted, JobId id) {
    Run run(texts_);
    auto has_row = run.id(id).step();
    if (!has_row || !*has_row) {
        return has_row;
    }
    if (const std::string_view name = run.read_text(); wanted.name && *wanted.name != name) {
        return false;
    }
    const auto labels = unpack_labels(run.read_text());
    return std::ranges::all_of(wanted.labels, [&](const auto& wanted_label) {
        const auto found = labels.find(wanted_label.first);
        return found != labels.end() && found->second == wanted_label.second;
    });
}

Result<std::optional<Rank>> JobList::check(const Query& query, JobId id) {
    const Wanted& wanted = query.wanted;
    Rank rank;
    {
        Run run(facts_);
        auto has_row = run.id(id).step();
        if (!has_row) {
            return tl::unexpected(std::move(has_row.error()));
        }
        if (!*has_row) {
            return std::optional<Rank>();
        }
        const std::uint64_t user = run.read_unsigned();
        const std::uint64_t project = run.read_unsigned();
        const std::uint64_t name_hash = run.read_unsigned();
        const auto state = run.read_as<model::ElementState>();
        const std::int64_t place = run.read_integer();
        const bool waits = !run.read_is_null();
        const bool is_wanted = user == wanted.user.value_or(user) &&
                               project == wanted.project.value_or(project) &&
                               (!wanted.name || name_hash == hash_of(*wanted.name)) &&
                               (wanted.states.empty() || wanted.states.contains(state)) &&
                               (waits || query.order != JobOrder::kQueue);
        if (!is_wanted) {
            return std::optional<Rank>();
        }
        rank = rank_of(query.order, place, id);
    }
    if (wanted.name || !wanted.labels.empty()) {
        const auto has = has_texts(wanted, id);
        if (!has) {
            return tl::unexpected(has.error());
        }
        if (!*has) {
            return std::optional<Rank>();
        }
    }
    return std::optional(rank);
}

Result<void> JobList::read_ranks(
    const Query& query, Index index, Source& source, std::size_t count) {
    Run run(at(index, query.order));
    const bool is_in_queue = index == kQueueSame || index == kQueueAfter;
    run.integer(source.key)
        .integer(is_in_queue ? source.last.rank : source.second_key)
        .integer(source.last.id)
        .integer(static_cast<std::int64_t>(count));
    auto has_row = run.step();
    for (; has_row && *has_row; has_row = run.step()) {
        const std::int64_t rank = run.read_integer();
        source.buffer.push_back({.rank = rank, .id = run.read_integer()});
    }
    if (!has_row) {
        return tl::unexpected(std::move(has_row.error()));
    }
    return {};
}

Result<void> JobList::refill(const Query& query, Source& source) {
    source.buffer.clear();
    source.taken = 0;
    const std::size_t count =
        std::max(query.limit + 1, query.checks_each ? 8 * kChunkMin : kChunkMin);
    auto done = read_ranks(query, source.index, source, count);
    if (done && source.index == kQueueSame && source.buffer.size() < count) {
        done = read_ranks(query, kQueueAfter, source, count - source.buffer.size());
    }
    source.is_done = source.buffer.size() < count;
    if (!source.buffer.empty()) {
        source.last = source.buffer.back();
    }
    return done;
}

Result<std::optional<Rank>> JobList::take_next(const Query& query, std::vector<Source>& sources) {
    Source* lowest = nullptr;
    for (Source& source : sources) {
        if (source.taken == source.buffer.size() && !source.is_done) {
            if (auto done = refill(query, source); !done) {
                return tl::unexpected(std::move(done.error()));
            }
        }
        if (source.taken < source.buffer.size() &&
            (lowest == nullptr || source.buffer[source.taken] < lowest->buffer[lowest->taken])) {
            lowest = &source;
        }
    }
    return lowest == nullptr ? std::optional<Rank>()
                             : std::optional(lowest->buffer[lowest->taken++]);
}

Result<bool> JobList::is_wanted(const Query& query, const Rank& rank) {
    if (!query.checks_each) {
        return true;
    }
    return check(query, id_of(query.order, rank)).map([](const auto& found) {
        return found.has_value();
    });
}

Result<RankPage> JobList::merge(const Query& query, std::vector<Source> sources) {
    RankPage page;
    for (std::size_t looks = 0;; ++looks) {
        const auto rank = take_next(query, sources);
        if (!rank) {
            return tl::unexpected(rank.error());
        }
        if (!*rank) {
            return page;
        }
        if (query.checks_each && looks >= kLooksMax) {  // The next page begins with this one.
            page.next = **rank;
            --page.next->id;
            return page;
        }
        const auto wanted = is_wanted(query, **rank);
        if (!wanted) {
            return tl::unexpected(wanted.error());
        }
        if (!*wanted) {
            continue;
        }
        if (page.ranks.size() == query.limit) {
            page.next = page.ranks.back();
            return page;
        }
        page.ranks.push_back(**rank);
    }
}

Result<RankPage> JobList::cut(const Query& query, std::vector<Rank> ranks) {
    std::ranges::sort(ranks);
    const auto duplicates = std::ranges::unique(ranks);
    ranks.erase(duplicates.begin(), duplicates.end());
    RankPage page;
    for (auto rank = std::ranges::upper_bound(ranks, query.after); rank != ranks.end(); ++rank) {
        if (page.ranks.size() == query.limit) {
            page.next = page.ranks.back();
            break;
        }
        page.ranks.push_back(*rank);
    }
    return page;
}

Result<RankPage> JobList::page_of_ids(const Query& query) {
    std::vector<Rank> ranks;
    for (const JobId id : query.wanted.ids) {
        const auto rank = check(query, id);
        if (!rank) {
            return tl::unexpected(rank.error());
        }
        if (*rank) {
            ranks.push_back(**rank);
        }
    }
    return cut(query, std::move(ranks));
}

/// False if they have too many ranks for a run each.
Result<bool> JobList::add_pending(
    const Query& query, std::int64_t phase, std::vector<Source>& sources) {
    for (std::int64_t above = std::numeric_limits<std::int64_t>::min();;) {
        Run run(next_rank_);
        auto has_row = run.integer(phase).integer(above).step();
        if (!has_row) {
            return tl::unexpected(std::move(has_row.error()));
        }
        if (!*has_row) {
            return true;
        }
        if (sources.size() >= kRunsMax) {
            return false;
        }
        above = run.read_integer();
        sources.push_back(
            {.index = kByRank, .key = phase, .second_key = above, .last = query.after});
    }
}

/// False if there are too many of them.
Result<bool> JobList::add_phases(const Query& query, std::vector<Source>& sources) {
    for (const std::int64_t phase : phases_of(query.wanted)) {
        if (phase >= kLivePhase) {
            sources.push_back({.index = kByPhase, .key = phase, .last = query.after});
        } else if (auto done = add_pending(query, phase, sources); !done || !*done) {
            return done;
        }
    }
    return true;
}

/// The runs that hold the wanted jobs in the order of ids.
Result<std::vector<JobList::Source>> JobList::sources_of(Query& query) {
    const Wanted& wanted = query.wanted;
    std::vector<Source> sources;
    const auto add = [&](Index index, std::uint64_t key) {
        for (const std::int64_t phase : phases_of(wanted)) {
            sources.push_back(
                {.index = index,
                 .key = static_cast<std::int64_t>(key),
                 .second_key = phase,
                 .last = query.after});
        }
    };
    const int keys = (wanted.user ? 1 : 0) + (wanted.project ? 1 : 0);
    query.checks_each =
        keys > 1 || wanted.name || !wanted.labels.empty() || !are_whole_phases(wanted);
    if (wanted.name) {
        add(kByName, hash_of(*wanted.name));
    } else if (!wanted.labels.empty()) {
        const auto& [key, value] = *wanted.labels.begin();
        sources.push_back(
            {.index = kByLabel,
             .key = static_cast<std::int64_t>(hash_of_label(key, value)),
             .last = query.after});
    } else if (wanted.user) {
        add(kByUser, *wanted.user);
    } else if (wanted.project) {
        add(kByProject, *wanted.project);
    } else if (wanted.states.empty()) {
        sources.push_back({.index = kAll, .last = query.after});
    } else if (auto done = add_phases(query, sources); !done) {
        return tl::unexpected(std::move(done.error()));
    } else if (!*done) {
        query.checks_each = true;
        sources.assign(1, {.index = kAll, .last = query.after});
    }
    return sources;
}

/// A filtered queue that is short enough to be sorted; nothing if it is not.
Result<std::optional<RankPage>> JobList::sorted_page(const Query& query) {
    Wanted waiting = query.wanted;
    if (waiting.states.empty()) {  // An array that runs may have elements that wait.
        waiting.states = {
            model::ElementState::kQueued, model::ElementState::kHeld,
            model::ElementState::kScheduled, model::ElementState::kRunning,
            model::ElementState::kStopping};
    }
    Query by_id{
        .wanted = waiting,
        .order = JobOrder::kOldestFirst,
        .after = {.id = std::numeric_limits<std::int64_t>::min()},
        .limit = ledger::kPageMax};
    auto sources = sources_of(by_id);
    if (!sources) {
        return tl::unexpected(std::move(sources.error()));
    }
    std::vector<Rank> ranks;
    for (std::size_t looks = 0; looks < kSortedMax; ++looks) {
        const auto found = take_next(by_id, *sources);
        if (!found) {
            return tl::unexpected(found.error());
        }
        if (!*found) {
            auto page = cut(query, std::move(ranks));
            return page ? Result<std::optional<RankPage>>(std::move(*page))
                        : tl::unexpected(std::move(page.error()));
        }
        const auto rank = check(query, id_of(by_id.order, **found));
        if (!rank) {
            return tl::unexpected(rank.error());
        }
        if (*rank) {
            ranks.push_back(**rank);
        }
    }
    return std::optional<RankPage>();
}

Result<RankPage> JobList::page(
    const Wanted& wanted, JobOrder order, const std::optional<Rank>& after, std::size_t limit) {
    constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min() + 1;
    Query query{
        .wanted = wanted,
        .order = order,
        .after = after.value_or(Rank{.rank = kLowest, .id = kLowest}),
        .limit = limit};
    if (!wanted.ids.empty()) {
        return page_of_ids(query);
    }
    if (order != JobOrder::kQueue) {
        auto sources = sources_of(query);
        return sources ? merge(query, std::move(*sources))
                       : tl::unexpected(std::move(sources.error()));
    }
    const bool is_filtered = wanted.user || wanted.project || wanted.name ||
                             !wanted.labels.empty() || !wanted.states.empty();
    if (is_filtered) {
        auto sorted = sorted_page(query);
        if (!sorted) {
            return tl::unexpected(std::move(sorted.error()));
        }
        if (*sorted) {
            return std::move(**sorted);
        }
    }
    query.checks_each = is_filtered;
    return merge(
        query, {
                   {.index = kQueueSame, .key = 0, .last = query.after},
                   {.index = kQueueSame, .key = 1, .last = query.after}
    });
}

}  // namespace reeve::store_sqlite
