#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/environment.hpp"
#include "gpu/simulated/simulation.hpp"

namespace reeve {

/// Lets the CLI, which sees no GPU module, control simulated GPUs.
class SimulationDoor final : public cli::GpuSimulation {
  public:
    [[nodiscard]] Result<std::vector<cli::SimulatedGpu>> list(const std::string& path) override {
        Result<std::vector<gpu::simulated::GpuStatus>> found = gpu::simulated::list_gpus(path);
        if (!found) {
            return tl::unexpected<Error>(std::move(found.error()));
        }
        std::vector<cli::SimulatedGpu> gpus;
        for (gpu::simulated::GpuStatus& status : *found) {
            gpus.push_back(convert(std::move(status)));
        }
        return gpus;
    }

    [[nodiscard]] Result<cli::SimulatedGpu> set_use(
        const std::string& path, std::string_view gpu, const Use& use) override {
        return pass(gpu::simulated::set_use(
            path, gpu,
            {.pid = use.pid,
             .memory_mib = use.memory_mib,
             .utilization_percent = use.utilization_percent}));
    }

    [[nodiscard]] Result<cli::SimulatedGpu> report_xid(
        const std::string& path, std::string_view gpu, std::int64_t xid) override {
        return pass(gpu::simulated::report_xid(path, gpu, xid));
    }

    [[nodiscard]] Result<cli::SimulatedGpu> lose(
        const std::string& path, std::string_view gpu) override {
        return pass(gpu::simulated::lose_gpu(path, gpu));
    }

    [[nodiscard]] Result<cli::SimulatedGpu> restore(
        const std::string& path, std::string_view gpu) override {
        return pass(gpu::simulated::restore_gpu(path, gpu));
    }

  private:
    static cli::SimulatedGpu convert(gpu::simulated::GpuStatus status) {
        return {
            .index = status.index,
            .description = std::move(status.description),
            .sample = std::move(status.sample)};
    }

    [[nodiscard]] static Result<cli::SimulatedGpu> pass(Result<gpu::simulated::GpuStatus> status) {
        if (!status) {
            return tl::unexpected<Error>(std::move(status.error()));
        }
        return convert(*std::move(status));
    }
};

}  // namespace reeve
