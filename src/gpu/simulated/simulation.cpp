#include "gpu/simulated/simulation.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/text.hpp"
#include "gpu/simulated/behaviour.hpp"
#include "gpu/simulated/models.hpp"
#include "gpu/simulated/state_file.hpp"
#include "gpu/simulated/state_text.hpp"
#include "platform/files.hpp"

namespace reeve::gpu::simulated {

namespace {

constexpr std::int64_t kXidMax = 999;
constexpr std::int64_t kXidFellOffTheBus = 79;  // NVIDIA's catalogue of XID errors.
constexpr const char* kLibraryFile = "libreeve-nvml-sim.so";

Result<std::size_t> find_gpu(const Topology& topology, std::string_view name) {
    const Result<std::int64_t> index = parse_integer(name);
    // Two digits may also begin a UUID; an index is what people mean by a short number.
    if (index && *index >= 0 && *index < static_cast<std::int64_t>(topology.gpus.size())) {
        return static_cast<std::size_t>(*index);
    }
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < topology.gpus.size(); ++i) {
        const std::string_view uuid = topology.gpus[i].uuid;
        if (uuid.starts_with(name) || uuid.substr(4).starts_with(name)) {
            found.push_back(i);
        }
    }
    if (name.empty() || found.empty()) {
        return fail(
            ErrorCode::kNotFound, "no simulated GPU '" + std::string(name) + "' (there are " +
                                      std::to_string(topology.gpus.size()) +
                                      ": an index from 0, a UUID, or its beginning)");
    }
    if (found.size() > 1) {
        return fail(
            ErrorCode::kInvalid,
            "'" + std::string(name) + "' begins the UUIDs of " + std::to_string(found.size()) +
                " GPUs: " + topology.gpus[found[0]].uuid + ", " + topology.gpus[found[1]].uuid);
    }
    return found[0];
}

GpuStatus status_of(const Topology& topology, std::size_t index) {
    const Gpu& gpu = topology.gpus[index];
    return {
        .index = index,
        .description = description_of(topology, gpu),
        .sample = sample_of(topology, gpu, alive(gpu.processes)),
    };
}

/// Finds the GPU, lets `change` alter it in its topology, and says how it is then.
Result<GpuStatus> change_gpu(
    const std::string& path,
    std::string_view name,
    const std::function<Result<void>(Topology&, Gpu&)>& change) {
    GpuStatus status;
    const Result<void> updated = update_state(path, [&](Topology& topology) -> Result<void> {
        const Result<std::size_t> index = find_gpu(topology, name);
        if (!index) {
            return tl::unexpected(index.error());
        }
        const Result<void> changed = change(topology, topology.gpus[*index]);
        if (changed) {
            status = status_of(topology, *index);
        }
        return changed;
    });
    if (!updated) {
        return tl::unexpected(updated.error());
    }
    return status;
}

void add_xid(Topology& topology, const Gpu& gpu, std::int64_t xid) {
    topology.xids.push_back({.sequence = topology.next_xid++, .uuid = gpu.uuid, .xid = xid});
    if (topology.xids.size() > kXidsKept) {
        topology.xids.erase(topology.xids.begin());
    }
}

Result<void> check_room(const Topology& topology, const Gpu& gpu, const Use& use) {
    const GpuModel& model = topology.models.at(gpu.model);
    const std::int64_t free =
        model.memory_mib - model.reserved_mib - memory_used_mib(gpu.processes);
    if (use.memory_mib > free) {
        return fail(
            ErrorCode::kLimit, "out of memory: " + format_mib(use.memory_mib) + " wanted, " +
                                   format_mib(std::max<std::int64_t>(free, 0)) + " free on " +
                                   gpu.uuid);
    }
    if (gpu.processes.size() >= kProcessesMax) {
        return fail(ErrorCode::kLimit, "too many processes on " + gpu.uuid);
    }
    return {};
}

Result<void> apply_use(Topology& topology, Gpu& gpu, const Use& use) {
    if (gpu.is_lost) {
        return fail(ErrorCode::kConflict, gpu.uuid + " is lost; restore it first");
    }
    std::erase_if(gpu.processes, [&](const ProcessUse& process) { return process.pid == use.pid; });
    if (use.memory_mib == 0 && use.utilization_percent == 0) {
        return {};
    }
    const std::optional<std::uint64_t> start = start_ticks_of(use.pid);
    if (!start) {
        return fail(ErrorCode::kNotFound, "no process " + std::to_string(use.pid));
    }
    const Result<void> room = check_room(topology, gpu, use);
    if (room) {
        gpu.processes.push_back(
            {.pid = use.pid,
             .memory_mib = use.memory_mib,
             .utilization_percent = use.utilization_percent,
             .start_ticks = *start});
    }
    return room;
}

/// Over the state file itself.
class SimulatedSource final : public model::GpuSource {
  public:
    SimulatedSource(StateFile file, const Topology& now)
        : file_(std::move(file)),
          driver_version_(now.driver_version),
          next_xid_(now.next_xid),
          uuids_(sorted_uuids(now)) {}

    Result<std::vector<model::GpuDescription>> describe() override {
        const Result<const Topology*> topology = file_.current();
        if (!topology) {
            return tl::unexpected(unavailable(topology.error()));
        }
        uuids_ = sorted_uuids(**topology);
        std::vector<model::GpuDescription> out;
        out.reserve((*topology)->gpus.size());
        for (const Gpu& gpu : (*topology)->gpus) {
            out.push_back(description_of(**topology, gpu));
        }
        std::ranges::sort(out, {}, &model::GpuDescription::uuid);
        return out;
    }

    Result<std::vector<model::GpuSample>> sample() override {
        const Result<const Topology*> topology = file_.current();
        if (!topology) {
            return tl::unexpected(unavailable(topology.error()));
        }
        std::vector<model::GpuSample> out;
        for (const std::string& uuid : uuids_) {
            const auto gpu = std::ranges::find((*topology)->gpus, uuid, &Gpu::uuid);
            if (gpu != (*topology)->gpus.end()) {
                out.push_back(sample_of(**topology, *gpu, alive(gpu->processes)));
            } else {
                out.push_back({.uuid = uuid, .trouble = "the GPU is gone"});
            }
        }
        return out;
    }

    Result<std::vector<model::GpuXid>> poll_xids() override {
        const Result<const Topology*> topology = file_.current();
        if (!topology) {
            return tl::unexpected(unavailable(topology.error()));
        }
        std::vector<model::GpuXid> out;
        for (const Xid& xid : (*topology)->xids) {
            if (xid.sequence >= next_xid_) {
                out.push_back({.uuid = xid.uuid, .xid = xid.xid});
            }
        }
        next_xid_ = (*topology)->next_xid;
        return out;
    }

    [[nodiscard]] std::string driver_version() const override { return driver_version_; }

  private:
    static std::vector<std::string> sorted_uuids(const Topology& topology) {
        std::vector<std::string> out;
        out.reserve(topology.gpus.size());
        for (const Gpu& gpu : topology.gpus) {
            out.push_back(gpu.uuid);
        }
        std::ranges::sort(out);
        return out;
    }

    /// The contract of GpuSource knows this one code.
    static Error unavailable(Error error) {
        error.code = ErrorCode::kUnavailable;
        return error;
    }

    StateFile file_;
    std::string driver_version_;
    std::uint64_t next_xid_;
    std::vector<std::string> uuids_;
};

}  // namespace

Result<void> ensure_simulation(
    const std::string& path, std::string_view preset, std::string_view seed) {
    const Result<Topology> topology = topology_of(preset, seed);
    if (!topology) {
        return tl::unexpected(topology.error());
    }
    return ensure_state(path, *topology);
}

Result<void> ensure_topology(
    const std::string& path, std::string_view topology_json, std::string_view name) {
    Result<Topology> topology = parse_topology(topology_json);
    if (!topology) {
        return tl::unexpected(topology.error());
    }
    topology->preset = name;
    topology->seed = std::to_string(std::hash<std::string_view>()(topology_json));
    return ensure_state(path, *topology);
}

Result<std::vector<GpuStatus>> list_gpus(const std::string& path) {
    StateFile file(path);
    const Result<const Topology*> topology = file.current();
    if (!topology) {
        return tl::unexpected(topology.error());
    }
    std::vector<GpuStatus> out;
    out.reserve((*topology)->gpus.size());
    for (std::size_t i = 0; i < (*topology)->gpus.size(); ++i) {
        out.push_back(status_of(**topology, i));
    }
    return out;
}

Result<GpuStatus> set_use(const std::string& path, std::string_view gpu, const Use& use) {
    if (use.utilization_percent < 0 || use.utilization_percent > 100) {
        return fail(ErrorCode::kInvalid, "a utilisation is 0 to 100 percent");
    }
    if (use.memory_mib < 0 || use.pid == 0) {
        return fail(ErrorCode::kInvalid, "memory is 0 or more, and a process id is above 0");
    }
    return change_gpu(
        path, gpu, [&](Topology& topology, Gpu& found) { return apply_use(topology, found, use); });
}

Result<GpuStatus> report_xid(const std::string& path, std::string_view gpu, std::int64_t xid) {
    if (xid < 1 || xid > kXidMax) {
        return fail(ErrorCode::kInvalid, "an XID is 1 to " + std::to_string(kXidMax));
    }
    return change_gpu(path, gpu, [&](Topology& topology, Gpu& found) -> Result<void> {
        add_xid(topology, found, xid);
        return {};
    });
}

Result<GpuStatus> lose_gpu(const std::string& path, std::string_view gpu) {
    return change_gpu(path, gpu, [](Topology& topology, Gpu& found) -> Result<void> {
        if (found.is_lost) {
            return fail(ErrorCode::kConflict, found.uuid + " is lost already");
        }
        found.is_lost = true;
        found.processes.clear();
        add_xid(topology, found, kXidFellOffTheBus);
        return {};
    });
}

Result<GpuStatus> restore_gpu(const std::string& path, std::string_view gpu) {
    return change_gpu(path, gpu, [](Topology&, Gpu& found) -> Result<void> {
        if (!found.is_lost) {
            return fail(ErrorCode::kConflict, found.uuid + " is not lost");
        }
        found.is_lost = false;
        return {};
    });
}

Result<std::unique_ptr<model::GpuSource>> open_simulated(const std::string& path) {
    StateFile file(path);
    const Result<const Topology*> topology = file.current();
    if (!topology) {
        return fail(ErrorCode::kUnavailable, topology.error().message);
    }
    const Topology now = **topology;
    return std::make_unique<SimulatedSource>(std::move(file), now);
}

Result<std::string> find_library(const std::string& executable_folder) {
    std::string tried;
    for (const char* folder :
         {"", "/lib", "/../lib/reeve", "/../lib", "/../../lib", "/../../../lib"}) {
        std::string path = executable_folder;
        path.append(folder).append("/").append(kLibraryFile);
        if (platform::path_exists(path)) {
            return path;
        }
        tried += (tried.empty() ? "" : ", ") + path;
    }
    return fail(
        ErrorCode::kNotFound, std::string("no ") + kLibraryFile +
                                  "; it belongs beside reeve (looked for: " + tried + ")");
}

}  // namespace reeve::gpu::simulated
