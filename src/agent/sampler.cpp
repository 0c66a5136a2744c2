#include "agent/sampler.hpp"

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
    } else {
        for (const model::GpuDescription& gpu : machine_.gpus) {
            model::GpuSample lost = {.uuid = gpu.uuid};
            lost.trouble = gpus.error().message;
            sampled.sample.gpus.push_back(std::move(lost));
        }
    }
    return sampled;
}

}  // namespace reeve::agent
