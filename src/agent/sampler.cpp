#include "agent/sampler.hpp"

#include <algorithm>
#include <utility>

#include "platform/clock.hpp"
#include "platform/identity.hpp"
#include "platform/process.hpp"

namespace reeve::agent {

MachineDescribed Sampler::describe() {
    if (const auto facts = platform::host_facts(); facts) {
        machine_.host = {
            .hostname = facts->hostname,
            .cpu_millicores = facts->cores * 1000,
            .memory_mib = facts->memory_mib,
        };
    }
    if (gpus_ != nullptr) {
        if (auto gpus = gpus_->describe(); gpus) {
            machine_.gpus = std::move(*gpus);
        }
    }
    return machine_;
}

Sampled Sampler::sample() {
    Sampled sampled;
    const auto cpu = platform::read_cpu_times();
    if (cpu && cpu_before_) {
        sampled.sample.cpu_permille = platform::busy_permille(*cpu_before_, *cpu);
    }
    if (cpu) {
        cpu_before_ = *cpu;
    }
    if (const auto memory = platform::read_meminfo(); memory) {
        sampled.sample.memory_permille = platform::used_permille(*memory);
    }
    if (gpus_ == nullptr) {
        return sampled;
    }
    if (auto gpus = gpus_->sample(); gpus) {
        sampled.sample.gpus = std::move(*gpus);
        name_processes(sampled.sample.gpus);
    } else {
        for (const model::GpuDescription& gpu : machine_.gpus) {
            model::GpuSample lost = {.uuid = gpu.uuid};
            lost.trouble = gpus.error().message;
            sampled.sample.gpus.push_back(std::move(lost));
        }
    }
    collect_xids();
    sampled.sample.xids.assign(xids_.begin(), xids_.end());
    return sampled;
}

/// A driver that cannot be asked has said so to gpus_->sample(), as trouble.
void Sampler::collect_xids() {
    const auto fresh = gpus_->poll_xids();
    if (!fresh) {
        return;
    }
    for (const model::GpuXid& xid : *fresh) {
        Instant at = platform::now_utc();
        if (!xids_.empty()) {  // The clock may stand, or be set back.
            at = std::max(at, xids_.back().at + std::chrono::microseconds(1));
        }
        xids_.push_back({.uuid = xid.uuid, .xid = xid.xid, .at = at});
        if (xids_.size() > model::kReportedXidsMax) {
            xids_.pop_front();
        }
    }
}

void Sampler::name_processes(std::vector<model::GpuSample>& gpus) {
    std::map<std::uint32_t, std::string> seen;
    for (model::GpuSample& gpu : gpus) {
        for (model::GpuProcess& process : gpu.processes) {
            const auto pid = static_cast<pid_t>(process.pid);
            const auto facts = platform::process_facts(pid);
            const auto uid = platform::user_of_process(pid);
            if (facts && uid) {
                process.command = facts->name;
                process.user = seen.try_emplace(*uid, user_name(*uid)).first->second;
            }
        }
    }
    user_names_ = std::move(seen);
}

/// Asked of the user database once, as long as the user has processes.
std::string Sampler::user_name(std::uint32_t uid) const {
    if (const auto known = user_names_.find(uid); known != user_names_.end()) {
        return known->second;
    }
    const auto user = platform::user_by_id(uid);
    return user ? user->name : std::to_string(uid);
}

}  // namespace reeve::agent
