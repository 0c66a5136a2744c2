#include "scheduler/run_stats.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>
#include <variant>

namespace reeve::scheduler {
namespace {

constexpr std::uint64_t kOld = std::uint64_t{512} * RunHistogram::kOne;  // Then it weighs half.
constexpr std::int64_t kWholeShare = 4096;
constexpr std::int64_t kLeaningMax = 64;
constexpr std::int64_t kLongest = std::int64_t{1} << 30U;

/// True if `a` of `of_a` is more than `b` of `of_b`, each with one more for what was never seen.
bool is_likelier(std::uint64_t a, std::uint64_t of_a, std::uint64_t b, std::uint64_t of_b) {
    return (a + 1) * (of_b + 1) > (b + 1) * (of_a + 1);
}

std::size_t shard_of(const RunKey& key) {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
    constexpr unsigned kTop = 58;  // 64 - log2(kShards)
    std::uint64_t hash = 0;
    for (const std::uint64_t part :
         {key.project.value(), key.user.value(), std::uint64_t{key.name},
          std::uint64_t{key.size}}) {
        hash = (hash ^ part) * kOdd;
        hash ^= hash >> 32U;
    }
    return (hash * kOdd) >> kTop;
}

}  // namespace

std::uint32_t run_name(std::string_view name) noexcept {
    constexpr std::uint32_t kBasis = 2166136261U;
    constexpr std::uint32_t kPrime = 16777619U;
    std::uint32_t hash = kBasis;  // FNV-1a.
    bool was_digit = false;
    for (const char letter : name) {
        const bool is_digit = letter >= '0' && letter <= '9';
        if (!is_digit || !was_digit) {
            hash = (hash ^ static_cast<unsigned char>(is_digit ? '0' : letter)) * kPrime;
        }
        was_digit = is_digit;
    }
    return std::max<std::uint32_t>(hash, 1);
}

std::uint32_t run_size(const model::Request& request, std::int64_t nodes) noexcept {
    constexpr std::uint32_t kNone = 1;
    constexpr std::uint32_t kPart = 2;
    constexpr std::uint32_t kOneGpu = 3;
    const auto* whole = std::get_if<model::WholeGpus>(&request.gpus);
    if (whole == nullptr) {
        return kPart;
    }
    const auto gpus = static_cast<std::uint64_t>(whole->count * nodes);
    return gpus == 0 ? kNone : kOneGpu + static_cast<std::uint32_t>(std::bit_width(gpus - 1));
}

std::int64_t share_of(std::int64_t run_s, std::int64_t limit_s) noexcept {
    return std::min(run_s, limit_s) * kWholeShare / limit_s;
}

std::int64_t run_of_share(std::int64_t share, std::int64_t limit_s) noexcept {
    return (std::min(share, kWholeShare) * limit_s + kWholeShare - 1) / kWholeShare;
}

void RunStats::add(const ObservedRun& run) {
    const std::int64_t run_s = std::clamp<std::int64_t>(run.run_s, 0, kLongest);
    if (run.limit_s > 0) {
        const std::int64_t share = share_of(run_s, run.limit_s);
        if (run.end == RunEnd::kEnded && shares.weight() > 0) {
            const bool by_run = is_likelier(
                runs.weight_near(run_s), runs.weight(), shares.weight_near(share), shares.weight());
            leaning = std::clamp(leaning + (by_run ? 1 : -1), -kLeaningMax, kLeaningMax);
        }
        shares.add(share, share >= kWholeShare ? RunEnd::kEnded : run.end);
    }
    runs.add(run_s, run.end);
    add(RunStats());
}

void RunStats::add(const RunStats& other) {
    runs.merge(other.runs);
    shares.merge(other.shares);
    leaning = std::clamp(leaning + other.leaning, -kLeaningMax, kLeaningMax);
    while (runs.weight() > kOld) {
        runs.halve();
    }
    while (shares.weight() > kOld) {
        shares.halve();
    }
}

RunKey coarser(const RunKey& key, std::size_t level) noexcept {
    RunKey wider = key;
    wider.name = 0;
    if (level > 0) {
        wider.user = UserId(0);
    }
    if (level > 1) {
        wider.project = ProjectId(0);
    }
    if (level > 2) {
        wider.size = 0;
    }
    return wider;
}

RunLeaves::RunLeaves() {
    shards_.fill(std::make_shared<const Shard>());
}

RunLeaves::Leaf RunLeaves::leaf(const RunKey& key) const {
    const Shard& shard = *shards_[shard_of(key)];
    const auto known = shard.find(key);
    return known == shard.end() ? Leaf() : known->second;
}

RunKey RunLeaves::oldest() const {
    std::optional<std::pair<std::uint64_t, RunKey>> oldest;
    for (const auto& shard : shards_) {
        for (const auto& [key, leaf] : *shard) {
            const std::pair each(leaf.told, key);
            oldest = oldest ? std::min(*oldest, each) : each;
        }
    }
    return oldest->second;
}

std::vector<RunLeaves::Put> RunLeaves::learn(
    const RunKey& key, const ObservedRun& run, std::uint64_t told) const {
    const auto copy_of = [this](const RunKey& of) {
        const Leaf known = leaf(of);
        return std::make_shared<RunStats>(known.stats ? *known.stats : RunStats());
    };
    const auto stats = copy_of(key);
    stats->add(run);
    std::vector<Put> puts;
    if (leaf(key).stats == nullptr && size_ + 1 >= kMax) {  // One of all may be new as well.
        const RunKey old = oldest();
        puts.push_back({.key = old});
        for (std::size_t level = 0; level < kCoarserLevels; ++level) {
            const RunKey rest = coarser(old, level);
            if (rest == key) {
                stats->add(*leaf(old).stats);
                break;
            }
            const bool is_last = level + 1 == kCoarserLevels;
            if (rest != old && (is_last || leaf(rest).stats != nullptr)) {
                const auto merged = copy_of(rest);
                merged->add(*leaf(old).stats);
                puts.push_back({
                    .key = rest, .leaf = {.stats = merged, .told = told}
                });
                break;
            }
        }
    }
    puts.push_back({
        .key = key, .leaf = {.stats = stats, .told = told}
    });
    return puts;
}

void RunLeaves::put(const Put& put) {
    std::shared_ptr<const Shard>& shard = shards_[shard_of(put.key)];
    auto next = std::make_shared<Shard>(*shard);
    size_ -= next->erase(put.key);
    if (put.leaf.stats != nullptr) {
        next->emplace(put.key, put.leaf);
        ++size_;
    }
    shard = std::move(next);
}

bool RunLeaves::knows_the_same(const RunLeaves& other) const {
    return std::ranges::equal(shards_, other.shards_, [](const auto& a, const auto& b) {
        return std::ranges::equal(*a, *b, [](const auto& one, const auto& two) {
            return one.first == two.first && one.second.told == two.second.told &&
                   *one.second.stats == *two.second.stats;
        });
    });
}

}  // namespace reeve::scheduler
