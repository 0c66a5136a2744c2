#include "scheduler/run_history.hpp"

#include <algorithm>
#include <optional>

#include "base/random.hpp"

namespace reeve::scheduler {
namespace {

constexpr unsigned kHalf = 32U;
constexpr std::uint64_t kFew =
    std::uint64_t{3} * RunHistogram::kOne;  // So much is believed half of the time.
constexpr std::int64_t kOverdue = 60;       // What is over its limit is taken to go on for so long.
constexpr std::int64_t kShortest = 60;      // Of what nothing is known.

/// Where nothing is known: any part of the limit; without one, longer than `x` times what it has
/// run (or half of what is assumed) in one of `x` cases.
std::int64_t guess(const RunHistory::Query& query, std::uint64_t chance) {
    if (query.limit_s > 0) {
        const auto left = static_cast<std::uint64_t>(query.limit_s - query.after_s);
        return query.after_s + 1 + static_cast<std::int64_t>((left * chance) >> kHalf);
    }
    constexpr std::uint64_t kRarest = RunHistogram::kCertain >> 10U;
    const std::int64_t least = std::max({query.after_s, query.assumed_s / 2, kShortest});
    const std::uint64_t goes_on = std::max(RunHistogram::kCertain - chance, kRarest);
    const std::uint64_t run = (static_cast<std::uint64_t>(least) << kHalf) / goes_on;
    return std::max(static_cast<std::int64_t>(run), query.after_s + 1);
}

/// By `stats`, as likely as there is much of it. Nothing: it is to be looked for elsewhere.
std::optional<std::int64_t> drawn_from(
    const RunStats* stats,
    const RunHistory::Query& query,
    std::uint64_t chance,
    std::uint64_t pick) {
    if (stats == nullptr) {
        return std::nullopt;
    }
    const bool by_share = query.limit_s > 0 && stats->leaning < 0;
    const RunHistogram& histogram = by_share ? stats->shares : stats->runs;
    const std::int64_t after = by_share ? share_of(query.after_s, query.limit_s) : query.after_s;
    const std::uint64_t weight = histogram.weight_after(after);
    if (weight == 0 || pick * (weight + kFew) >= (weight << kHalf)) {
        return std::nullopt;
    }
    const auto drawn = histogram.quantile(after, chance);
    return drawn && by_share ? std::optional(run_of_share(*drawn, query.limit_s)) : drawn;
}

}  // namespace

void RunHistory::update(const RunLeaves& leaves) {
    for (std::size_t i = 0; i < RunLeaves::kShards; ++i) {
        if (leaves_.shard(i) == leaves.shard(i)) {
            continue;
        }
        const RunLeaves::Shard& before = *leaves_.shard(i);
        const RunLeaves::Shard& after = *leaves.shard(i);
        for (const auto& [key, leaf] : before) {
            const auto same = after.find(key);
            if (same == after.end() || same->second.stats != leaf.stats) {
                add(key, *leaf.stats, -1);
            }
        }
        for (const auto& [key, leaf] : after) {
            const auto same = before.find(key);
            if (same == before.end() || same->second.stats != leaf.stats) {
                add(key, *leaf.stats, 1);
            }
        }
    }
    leaves_ = leaves;
}

void RunHistory::add(const RunKey& key, const RunStats& stats, int sign) {
    for (std::size_t level = 0; level < kCoarserLevels; ++level) {
        const auto at = sums_.at(level).try_emplace(coarser(key, level)).first;
        RunStats& all = at->second;
        if (sign > 0) {
            all.runs.merge(stats.runs);
            all.shares.merge(stats.shares);
            all.leaning += stats.leaning;
        } else {
            all.runs.subtract(stats.runs);
            all.shares.subtract(stats.shares);
            all.leaning -= stats.leaning;
        }
        if (all.runs.weight() == 0) {
            sums_.at(level).erase(at);
        }
    }
}

const RunStats* RunHistory::sum(const RunKey& key, std::size_t level) const {
    const auto known = sums_.at(level).find(coarser(key, level));
    return known == sums_.at(level).end() ? nullptr : &known->second;
}

std::int64_t RunHistory::draw(const Query& query, std::uint64_t random) const {
    if (query.limit_s > 0 && query.after_s >= query.limit_s) {
        return query.after_s + kOverdue;
    }
    SeededRandom more(random);
    const std::uint64_t chance = random >> kHalf;
    std::optional<std::int64_t> run =
        drawn_from(leaves_.leaf(query.key).stats.get(), query, chance, more.next() >> kHalf);
    for (std::size_t level = 0; level < kCoarserLevels && !run; ++level) {
        run = drawn_from(sum(query.key, level), query, chance, more.next() >> kHalf);
    }
    const std::int64_t drawn = std::max(run.value_or(guess(query, chance)), query.after_s + 1);
    return query.limit_s > 0 ? std::min(drawn, query.limit_s) : drawn;
}

}  // namespace reeve::scheduler
