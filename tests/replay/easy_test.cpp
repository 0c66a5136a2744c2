// Goal: the core's EASY backfill is as good as EASY written down in the plainest way.
// Method: the same jobs on one machine of so many processors, played by a reference that looks at
// the whole queue at every event, and by the replay. They differ only in that the core rounds time
// limits up when it plans, so means are compared, not starts. A workload from a seed always runs;
// Lublin's (Lublin and Feitelson, JPDC 2003) where REEVE_TRACES names the public traces.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "public_traces.hpp"
#include "simulate/replay.hpp"
#include "simulate/swf_trace.hpp"

namespace reeve::simulate {
namespace {

constexpr std::int64_t kProcessors = 256;
constexpr std::int64_t kCpu = 1000;

struct Outcome {
    double mean_wait_s = 0;
    double utilisation = 0;
};

std::int64_t processors_of(const Workload& workload, const TraceJob& job) {
    return workload.requests[job.request].host.cpu_millicores / kCpu;
}

std::int64_t seconds_of(Instant at) {
    return std::chrono::duration_cast<std::chrono::seconds>(at.since_epoch()).count();
}

/// EASY as Lifka describes it: whoever comes first starts first; the first that does not fit gets
/// the time at which enough processors are free if all keep their limits; others start if they end
/// by then, or use only what is left over then.
class ReferenceEasy {
  public:
    explicit ReferenceEasy(const Workload& workload) : workload_(workload) {}

    Outcome run() {
        std::size_t next = 0;
        const std::vector<TraceJob>& jobs = workload_.jobs;
        while (next < jobs.size() || !queue_.empty() || !running_.empty()) {
            now_ = std::numeric_limits<std::int64_t>::max();
            if (next < jobs.size()) {
                now_ = seconds_of(jobs[next].submitted_at);
            }
            for (const Running& job : running_) {
                now_ = std::min(now_, job.end);
            }
            std::erase_if(running_, [this](const Running& job) {
                free_ += job.end <= now_ ? job.processors : 0;
                return job.end <= now_;
            });
            while (next < jobs.size() && seconds_of(jobs[next].submitted_at) <= now_) {
                queue_.push_back(next++);
            }
            start_what_may();
        }
        const auto count = static_cast<double>(jobs.size());
        const std::int64_t span = now_ - seconds_of(jobs.front().submitted_at);
        return {
            .mean_wait_s = static_cast<double>(wait_) / count,
            .utilisation = static_cast<double>(work_) / static_cast<double>(span * kProcessors)};
    }

  private:
    struct Running {
        std::int64_t end = 0;
        std::int64_t limit_end = 0;
        std::int64_t processors = 0;
    };

    void start(std::size_t place) {
        const TraceJob& job = workload_.jobs[place];
        const std::int64_t processors = processors_of(workload_, job);
        free_ -= processors;
        running_.push_back({now_ + job.run_s, now_ + job.limit_s, processors});
        wait_ += now_ - seconds_of(job.submitted_at);
        work_ += processors * job.run_s;
    }

    void start_what_may() {
        while (!queue_.empty() &&
               processors_of(workload_, workload_.jobs[queue_.front()]) <= free_) {
            start(queue_.front());
            queue_.erase(queue_.begin());
        }
        if (queue_.empty()) {
            return;
        }
        std::vector<Running> by_limit = running_;
        std::ranges::sort(by_limit, {}, &Running::limit_end);
        const std::int64_t wanted = processors_of(workload_, workload_.jobs[queue_.front()]);
        std::int64_t free_then = free_;
        std::int64_t shadow = now_;
        for (const Running& job : by_limit) {
            if (free_then >= wanted && job.limit_end > shadow) {
                break;
            }
            free_then += job.processors;
            shadow = job.limit_end;
        }
        std::int64_t left_over = free_then - wanted;
        for (std::size_t i = 1; i < queue_.size();) {
            const TraceJob& job = workload_.jobs[queue_[i]];
            const std::int64_t processors = processors_of(workload_, job);
            const bool ends_before = now_ + job.limit_s <= shadow;
            if (processors > free_ || (!ends_before && processors > left_over)) {
                ++i;
                continue;
            }
            left_over -= ends_before ? 0 : processors;
            start(queue_[i]);
            queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    const Workload& workload_;
    std::vector<std::size_t> queue_;
    std::vector<Running> running_;
    std::int64_t now_ = 0;
    std::int64_t free_ = kProcessors;
    std::int64_t wait_ = 0;
    std::int64_t work_ = 0;
};

Cluster machine() {
    return parse_cluster_spec("1x" + std::to_string(kProcessors) + "cpu").value();
}

Outcome replayed(const Workload& workload) {
    const ReplayOutcome outcome = run_replay(
        machine(), workload,
        {.policy = scheduler::Policy::kBestFit, .backfill = scheduler::Backfill::kEasy});
    double wait = 0;
    double work = 0;
    for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
        const TraceJob& job = workload.jobs[i];
        wait += static_cast<double>(
            seconds_of(outcome.runs[i].started_at) - seconds_of(job.submitted_at));
        work += static_cast<double>(processors_of(workload, job) * job.run_s);
    }
    const std::int64_t span = seconds_of(outcome.last_end_at) - seconds_of(outcome.first_at);
    return {
        .mean_wait_s = wait / static_cast<double>(workload.jobs.size()),
        .utilisation = work / static_cast<double>(span * kProcessors)};
}

void expect_no_worse(const Workload& workload) {
    const Outcome expected = ReferenceEasy(workload).run();
    const Outcome seen = replayed(workload);
    EXPECT_LE(seen.mean_wait_s, 1.05 * expected.mean_wait_s);
    EXPECT_GE(seen.utilisation, expected.utilisation - 0.005);
    testing::Test::RecordProperty(
        "mean_wait_s",
        std::to_string(seen.mean_wait_s) + ", reference " + std::to_string(expected.mean_wait_s));
    std::printf(
        "mean wait %.0f s, reference %.0f s; utilisation %.4f, reference %.4f\n", seen.mean_wait_s,
        expected.mean_wait_s, seen.utilisation, expected.utilisation);
}

TEST(EasyBackfill, IsNoWorseThanAPlainReference) {
    SeededRandom random(11);
    Workload workload{.users = {"u"}, .projects = {"p"}};
    for (std::int64_t processors = 1; processors <= kProcessors; ++processors) {
        workload.requests.push_back({.host = {.cpu_millicores = processors * kCpu}});
    }
    std::int64_t now = 0;
    for (int i = 0; i < 3000; ++i) {
        now += static_cast<std::int64_t>(random.below(210));
        const std::uint64_t size = std::uint64_t{1} << random.below(8);
        const auto run = static_cast<std::int64_t>(
            10 + random.below(std::uint64_t{1} << (4 + random.below(10))));
        workload.jobs.push_back(
            {.submitted_at = Instant(std::chrono::seconds(now)),
             .run_s = run,
             .limit_s =
                 run + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(run))),
             .request = static_cast<std::size_t>(size) - 1});
    }
    expect_no_worse(workload);
}

TEST(EasyBackfill, IsNoWorseThanAPlainReferenceOnLublin256) {
    const auto text = read_public_trace("swf/lublin_256.swf");
    if (!text) {
        GTEST_SKIP() << why_skipped("swf/lublin_256.swf");
    }
    auto workload = parse_swf("lublin_256.swf", *text, machine());
    ASSERT_TRUE(workload) << workload.error().message;
    for (TraceJob& job : workload->jobs) {
        job.limit_s = std::max<std::int64_t>(job.run_s, 1);  // It has none: users who know.
    }
    expect_no_worse(*workload);
}

}  // namespace
}  // namespace reeve::simulate
