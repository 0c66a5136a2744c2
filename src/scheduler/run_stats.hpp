#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/strong_id.hpp"
#include "model/resources.hpp"
#include "scheduler/run_histogram.hpp"

namespace reeve::scheduler {

/// What runs for about as long as each other. 0 stands for all.
struct RunKey {
    ProjectId project = ProjectId(0);
    UserId user = UserId(0);
    std::uint32_t name = 0;  // As run_name() gives it.
    std::uint32_t size = 0;  // As run_size() gives it.

    friend auto operator<=>(const RunKey&, const RunKey&) = default;
};

/// The same for names that differ only in their numbers ("train-17", "train-8"); never 0.
[[nodiscard]] std::uint32_t run_name(std::string_view name) noexcept;

/// By the GPUs on all of so many nodes: none, a part of one, 1, 2, up to 4, up to 8, …; never 0.
[[nodiscard]] std::uint32_t run_size(const model::Request& request, std::int64_t nodes) noexcept;

/// One run that is over.
struct ObservedRun {
    std::int64_t run_s = 0;
    std::int64_t limit_s = 0;  // 0: it had none.
    RunEnd end = RunEnd::kEnded;
};

/// What is known of the runs of one key.
struct RunStats {
    RunHistogram runs = {};    // In seconds.
    RunHistogram shares = {};  // In 4096ths of the time limit, of those that had one.

    /// Above 0: `runs` tells better how long what has a limit takes; below 0: `shares` does.
    std::int64_t leaning = 0;

    friend bool operator==(const RunStats&, const RunStats&) = default;

    /// One more. From 512 on, what is older weighs half.
    void add(const ObservedRun& run);

    /// All of `other` as well; then as above.
    void add(const RunStats& other);
};

/// Of a run, in what `shares` counts.
[[nodiscard]] std::int64_t share_of(std::int64_t run_s, std::int64_t limit_s) noexcept;

/// The reverse, rounded up.
[[nodiscard]] std::int64_t run_of_share(std::int64_t share, std::int64_t limit_s) noexcept;

/// The stats of all keys that are remembered: of kMax at most. Copies share what does not change.
class RunLeaves {
  public:
    static constexpr std::size_t kMax = 4096;

    struct Leaf {
        std::shared_ptr<const RunStats> stats = {};
        std::uint64_t told = 0;  // When: grows with each run that is learnt.

        friend bool operator==(const Leaf&, const Leaf&) = default;
    };

    /// What became of a key; without stats: it is forgotten.
    struct Put {
        RunKey key = {};
        Leaf leaf = {};
    };

    using Shard = std::map<RunKey, Leaf>;
    static constexpr std::size_t kShards = 64;

    RunLeaves();

    /// What to put() so that `run` is known too. With kMax keys, the one that was told of longest
    /// ago gives way: what it knows goes to the rest of its user (without a name), that of its
    /// project, or that of all.
    [[nodiscard]] std::vector<Put> learn(
        const RunKey& key, const ObservedRun& run, std::uint64_t told) const;

    void put(const Put& put);

    /// Nothing (no stats) if it is not remembered.
    [[nodiscard]] Leaf leaf(const RunKey& key) const;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] const std::shared_ptr<const Shard>& shard(std::size_t number) const {
        return shards_.at(number);
    }

    /// True if both remember the same.
    [[nodiscard]] bool knows_the_same(const RunLeaves& other) const;

  private:
    [[nodiscard]] RunKey oldest() const;

    std::array<std::shared_ptr<const Shard>, kShards> shards_;
    std::size_t size_ = 0;
};

/// The key with less in it: without name; user; project; size.
inline constexpr std::size_t kCoarserLevels = 4;
[[nodiscard]] RunKey coarser(const RunKey& key, std::size_t level) noexcept;

}  // namespace reeve::scheduler
