#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "simulate/request_maker.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

// What an adapter accepts. Larger amounts are mistakes, and would not fit sums of them.
inline constexpr std::int64_t kCpuMilliMax = 1'000'000'000;
inline constexpr std::int64_t kMemoryMibMax = std::int64_t{1} << 40U;
inline constexpr std::int64_t kTraceGpusMax = 1'000'000;        // Of one job.
inline constexpr std::int64_t kTraceNodesMax = 1'000'000;       // Likewise.
inline constexpr std::int64_t kTimeMaxS = 100'000'000'000;      // 3,170 years.
inline constexpr std::int64_t kRunMaxS = 1'000'000'000;         // 31 years.
inline constexpr std::int64_t kRunSumMaxS = 4'000'000'000'000;  // Of all jobs together.

[[nodiscard]] constexpr Instant instant_of(std::int64_t seconds) noexcept {
    return Instant(std::chrono::seconds(seconds));
}

/// A job that needs more GPUs (or CPUs) than one node has, in equal parts on several nodes.
struct Gang {
    std::int64_t nodes = 1;
    std::int64_t each = 0;   // On each node.
    std::int64_t added = 0;  // In all, because parts are whole and equal: nodes * each - amount.
};

/// At least `nodes_min` nodes, and as many as it takes if none has more than `each_max`, which is
/// above 0. 12 at 8 a node: 2 nodes of 6. 9 at 8 a node: 2 nodes of 5, 1 added.
[[nodiscard]] Gang split_gang(std::int64_t amount, std::int64_t each_max, std::int64_t nodes_min);

/// Collects the jobs of a trace. Texts that it is given have to outlive it.
class WorkloadBuilder {
  public:
    explicit WorkloadBuilder(const Cluster& cluster) : maker_(cluster) {}

    [[nodiscard]] const RequestMaker& maker() const noexcept { return maker_; }

    /// The place in Workload::requests of what is asked for. Errors: as RequestMaker::make().
    [[nodiscard]] Result<std::size_t> request(const Ask& ask);

    /// How many nodes could hold that request.
    [[nodiscard]] std::int64_t holders_of(std::size_t request) const { return holders_[request]; }

    /// Errors: kInvalid, without a place: no node, or not so many, could hold it.
    [[nodiscard]] Result<void> check_fits(std::size_t request, std::int32_t nodes) const;

    [[nodiscard]] std::size_t user(std::string_view name);
    [[nodiscard]] std::size_t project(std::string_view name);

    void add(TraceJob job);

    /// Counts a thing to be noted: "3 jobs " + `what`.
    void count(std::string_view what);

    /// Of a job whose parts had to be rounded up.
    void count_added_gpus(std::int64_t gpus) {
        added_gpus_ += gpus;
        rounded_jobs_ += gpus > 0 ? 1 : 0;
    }

    void note(std::string text) { workload_.notes.push_back(std::move(text)); }

    [[nodiscard]] bool is_empty() const noexcept { return workload_.jobs.empty(); }

    /// All that was added, sorted by submission. `file` is for messages.
    /// Errors: kInvalid "FILE:1: …": no job; they run for too long together.
    [[nodiscard]] Result<Workload> finish(const std::string& file);

  private:
    struct AskHash {
        [[nodiscard]] std::size_t operator()(const Ask& ask) const noexcept;
    };

    using Places = std::unordered_map<std::string_view, std::size_t>;

    [[nodiscard]] static std::size_t place_of(
        std::string_view name, Places& places, std::vector<std::string>& names);

    RequestMaker maker_;
    Workload workload_;
    std::unordered_map<Ask, std::size_t, AskHash> asks_;
    std::vector<std::int64_t> holders_;  // As Workload::requests.
    Places users_;
    Places projects_;
    std::map<std::string, std::int64_t, std::less<>> counts_;
    std::int64_t rounded_jobs_ = 0;
    std::int64_t added_gpus_ = 0;
};

/// "1 job", "12 jobs".
[[nodiscard]] std::string jobs_text(std::int64_t count);

}  // namespace reeve::simulate
