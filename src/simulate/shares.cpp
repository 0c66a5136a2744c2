#include "simulate/shares.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "simulate/summary.hpp"

namespace reeve::simulate {
namespace {

constexpr double kMsOfSecond = 1000;

/// GPU time of each of some holders, in each part of the time.
class Sums {
  public:
    Sums(std::size_t holders, std::size_t parts, double part_s)
        : parts_(parts), part_s_(part_s), sums_(holders * parts, 0), all_(holders, 0) {}

    /// `holder` has `milli` from `from_s` to `to_s`.
    void add(std::size_t holder, double milli, double from_s, double to_s) {
        all_[holder] += milli * (to_s - from_s);
        const auto first = static_cast<std::size_t>(std::max(from_s / part_s_, 0.0));
        for (std::size_t k = first; k < parts_ && static_cast<double>(k) * part_s_ < to_s; ++k) {
            const double begin = std::max(from_s, static_cast<double>(k) * part_s_);
            const double end = std::min(to_s, static_cast<double>(k + 1) * part_s_);
            sums_[holder * parts_ + k] += milli * std::max(end - begin, 0.0);
        }
    }

    [[nodiscard]] std::vector<HeldShare> held_by(
        const std::vector<std::string>& names, std::size_t most) const {
        std::vector<std::size_t> order(all_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::erase_if(order, [&](std::size_t holder) { return all_[holder] <= 0; });
        std::ranges::sort(
            order, {}, [&](std::size_t holder) { return std::pair(-all_[holder], holder); });
        const std::size_t named = order.size() > most ? most - 1 : order.size();
        std::vector<HeldShare> shares;
        for (std::size_t i = 0; i < named; ++i) {
            const std::string& name = names.at(order[i]);
            shares.push_back(share_of(name.empty() ? "-" : name, {order[i]}));
        }
        if (named < order.size()) {
            shares.push_back(share_of(
                "others (" + std::to_string(order.size() - named) + ")",
                {order.begin() + static_cast<std::ptrdiff_t>(named), order.end()}));
        }
        return shares;
    }

  private:
    [[nodiscard]] HeldShare share_of(
        std::string name, const std::vector<std::size_t>& holders) const {
        HeldShare share{.name = std::move(name)};
        double all = 0;
        std::vector<double> sums(parts_, 0);
        for (const std::size_t holder : holders) {
            all += all_[holder];
            for (std::size_t k = 0; k < parts_; ++k) {
                sums[k] += sums_[holder * parts_ + k];
            }
        }
        share.gpu_milli_seconds = std::llround(all);
        for (const double sum : sums) {
            share.gpu_milli.push_back(std::llround(sum / part_s_));
        }
        return share;
    }

    std::size_t parts_ = 0;
    double part_s_ = 1;
    std::vector<double> sums_;  // By holder, then part.
    std::vector<double> all_;   // By holder.
};

}  // namespace

SharesOverTime shares_over_time(
    const Report& report, const ReportRun& run, std::size_t parts, std::size_t most) {
    const Workload& workload = report.workload;
    const ReplayOutcome& outcome = run.outcome;
    const Instant horizon = horizon_of(outcome);
    const auto seconds_at = [&](Instant at) {
        return static_cast<double>(ms_between(outcome.first_at, at)) / kMsOfSecond;
    };
    SharesOverTime shares;
    shares.part_s = std::max(seconds_at(horizon) / static_cast<double>(parts), 1e-3);
    Sums projects(workload.projects.size(), parts, shares.part_s);
    Sums users(workload.users.size(), parts, shares.part_s);
    const auto add = [&](std::size_t place, NodeId node, Instant from, Instant to) {
        const TraceJob& job = workload.jobs[place];
        const auto milli = static_cast<double>(
            gpu_milli_of(report.machines, workload.requests[job.request], node) * job.nodes);
        if (milli > 0 && to > from) {
            projects.add(job.project, milli, seconds_at(from), seconds_at(to));
            users.add(job.user, milli, seconds_at(from), seconds_at(to));
        }
    };
    for (std::size_t place = 0; place < outcome.runs.size(); ++place) {
        const JobRun& each = outcome.runs[place];
        if (each.has_started && !each.is_stopped) {
            add(place, each.node, each.started_at, each.has_ended ? each.ended_at : horizon);
        }
    }
    for (const StoppedRun& each : outcome.stopped) {
        add(each.job, each.node, each.from, each.until);
    }
    shares.projects = projects.held_by(workload.projects, most);
    shares.users = users.held_by(workload.users, most);
    return shares;
}

std::string shares_csv(const Report& report) {
    constexpr std::size_t kParts = 200;
    constexpr std::size_t kMost = 1000;
    constexpr int kThousandths = 3;
    std::string text = "policy,backfill,kind,name,from_s,gpus\n";
    for (const ReportRun& run : report.runs) {
        const SharesOverTime shares = shares_over_time(report, run, kParts, kMost);
        const auto append = [&](std::string_view kind, const std::vector<HeldShare>& all) {
            for (const HeldShare& share : all) {
                std::string head(scheduler::name_of(run.policy));
                head.append(",").append(scheduler::name_of(run.backfill)).append(",");
                head.append(kind).append(",");
                append_csv_field(head, share.name);
                for (std::size_t k = 0; k < share.gpu_milli.size(); ++k) {
                    const auto from = std::llround(static_cast<double>(k) * shares.part_s);
                    text.append(head).append(",").append(std::to_string(from)).append(",");
                    text.append(fixed_text(share.gpu_milli[k], kThousandths)).append("\n");
                }
            }
        };
        append("project", shares.projects);
        append("user", shares.users);
    }
    return text;
}

}  // namespace reeve::simulate
