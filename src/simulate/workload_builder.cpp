#include "simulate/workload_builder.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace reeve::simulate {

namespace {

/// By submission, and of equal ones as they were.
void sort_jobs(std::vector<TraceJob>& jobs) {
    std::vector<std::pair<Instant, std::size_t>> order;
    order.reserve(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        order.emplace_back(jobs[i].submitted_at, i);
    }
    std::ranges::sort(order);
    std::vector<TraceJob> sorted;
    sorted.reserve(jobs.size());
    for (const auto& [at, place] : order) {
        sorted.push_back(std::move(jobs[place]));
    }
    jobs = std::move(sorted);
}

}  // namespace

Gang split_gang(std::int64_t amount, std::int64_t each_max, std::int64_t nodes_min) {
    const std::int64_t nodes =
        std::max({(amount + each_max - 1) / each_max, nodes_min, std::int64_t{1}});
    const std::int64_t each = (amount + nodes - 1) / nodes;
    return {.nodes = nodes, .each = each, .added = nodes * each - amount};
}

std::size_t WorkloadBuilder::AskHash::operator()(const Ask& ask) const noexcept {
    constexpr std::uint64_t kPrime = 0x9E3779B97F4A7C15U;
    std::uint64_t hash = std::hash<std::string_view>()(ask.gpu_models) + (ask.is_share ? 1 : 0);
    for (const std::int64_t part :
         {ask.cpu_millicores, ask.memory_mib, ask.gpus, ask.gpu_milli.value_or(-1),
          ask.gpu_mem_mib.value_or(-1)}) {
        hash = (hash ^ static_cast<std::uint64_t>(part)) * kPrime;
        hash ^= hash >> 32U;
    }
    return hash;
}

Result<std::size_t> WorkloadBuilder::request(const Ask& ask) {
    if (const auto known = asks_.find(ask); known != asks_.end()) {
        return known->second;
    }
    auto made = maker_.make(ask);
    if (!made) {
        return tl::unexpected(std::move(made.error()));
    }
    const std::size_t place = workload_.requests.size();
    holders_.push_back(maker_.holders_of(*made));
    workload_.requests.push_back(std::move(*made));
    asks_.emplace(ask, place);
    return place;
}

Result<void> WorkloadBuilder::check_fits(std::size_t request, std::int32_t nodes) const {
    const std::int64_t holders = holders_[request];
    if (holders == 0) {
        return fail(
            ErrorCode::kInvalid,
            "it asks for more than any node has (of CPU, memory, GPUs or their memory)");
    }
    if (nodes > holders) {
        return fail(
            ErrorCode::kInvalid, "it asks for " + std::to_string(nodes) + " nodes; there are " +
                                     std::to_string(holders) + " that could hold a part of it");
    }
    return {};
}

std::size_t WorkloadBuilder::place_of(
    std::string_view name, Places& places, std::vector<std::string>& names) {
    const auto [at, is_new] = places.try_emplace(name, names.size());
    if (is_new) {
        names.emplace_back(name);
    }
    return at->second;
}

std::size_t WorkloadBuilder::user(std::string_view name) {
    return place_of(name, users_, workload_.users);
}

std::size_t WorkloadBuilder::project(std::string_view name) {
    return place_of(name, projects_, workload_.projects);
}

void WorkloadBuilder::count(std::string_view what) {
    const auto known = counts_.find(what);
    if (known == counts_.end()) {
        counts_.emplace(what, 1);
    } else {
        ++known->second;
    }
}

void WorkloadBuilder::add(TraceJob job) {
    if (job.nodes > holders_of(job.request)) {
        count("larger than the cluster: refused when they come");
    }
    workload_.jobs.push_back(std::move(job));
}

Result<Workload> WorkloadBuilder::finish(const std::string& file) {
    for (const auto& [what, jobs] : counts_) {
        note(jobs_text(jobs) + " " + what);
    }
    if (rounded_jobs_ > 0) {
        note(
            jobs_text(rounded_jobs_) + " rounded up to equal parts on their nodes: " +
            std::to_string(added_gpus_) + (added_gpus_ == 1 ? " GPU" : " GPUs") + " more in all");
    }
    std::vector<TraceJob>& jobs = workload_.jobs;
    if (jobs.empty()) {
        std::string notes;
        for (const std::string& each : workload_.notes) {
            notes += "; " + each;
        }
        return fail(ErrorCode::kInvalid, file + ":1: there is no job in it" + notes);
    }
    std::int64_t sum = 0;
    for (const TraceJob& job : jobs) {
        sum += job.run_s;
        if (sum > kRunSumMaxS) {
            return fail(
                ErrorCode::kInvalid, file + ":1: its jobs run for more than " +
                                         std::to_string(kRunSumMaxS) + " seconds together");
        }
    }
    if (!std::ranges::is_sorted(jobs, {}, &TraceJob::submitted_at)) {
        sort_jobs(jobs);

        note("the rows were not in the order of submission; they are now");
    }
    return std::move(workload_);
}

std::string jobs_text(std::int64_t count) {
    return std::to_string(count) + (count == 1 ? " job" : " jobs");
}

}  // namespace reeve::simulate
