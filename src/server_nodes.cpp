// The nodes of a server: this machine, or simulated ones.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cli/yaml_json.hpp"
#include "gpu/nvml/nvml_source.hpp"
#include "gpu/simulated/simulation.hpp"
#include "platform/files.hpp"
#include "platform/host.hpp"
#include "server.hpp"

namespace reeve {
namespace {

constexpr mode_t kSimulationsMode = 0644;  // As the files that it names.

std::string executable_folder() {
    std::error_code ignored;  // An empty path is looked for nowhere, and find_library() says so.
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

/// "gpus.sim" of "/gpus.sim".
std::string file_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

Result<void> Server::open_nodes() {
    if (!config_.nodes_simulated.empty()) {
        return open_simulated_nodes();
    }
    if (config_.node_name.empty()) {
        const Result<platform::HostFacts> host = platform::host_facts();
        config_.node_name = host ? host->hostname : "localhost";
    }
    if (!config_.gpus_simulated.empty()) {
        return open_simulated_gpus();
    }
    if (Result<void> noted = note_simulations({}); !noted) {
        return noted;
    }
    return add_node(config_.node_name, open_gpus());
}

Result<void> Server::open_simulated_gpus() {
    const std::string state = config_.data + kSimulationFile;
    const Result<void> made = make_simulation(state);
    if (!made) {
        return tl::unexpected<Error>(made.error());
    }
    if (Result<void> noted = note_simulations({config_.node_name + " " + file_of(kSimulationFile)});
        !noted) {
        return noted;
    }
    // Through the same loader as real ones.
    const Result<std::string> library = gpu::simulated::find_library(executable_folder());
    if (!library) {
        return tl::unexpected<Error>(library.error());
    }
    auto source = gpu::nvml::open_nvml({.library = *library, .simulation_state = state});
    if (!source) {
        return tl::unexpected<Error>(std::move(source.error()));
    }
    return add_node(
        config_.node_name, *std::move(source), {.folder = find_simulated_driver(), .state = state});
}

/// The folder for tasks' LD_LIBRARY_PATH; "" if it is not there: they then see no GPUs.
std::string Server::find_simulated_driver() {
    const Result<std::string> library = gpu::simulated::find_library(executable_folder());
    std::error_code unresolved;
    std::string folder =
        library ? std::filesystem::weakly_canonical(*library, unresolved).parent_path().string() +
                      "/nvml-sim"
                : std::string();
    if (!library || unresolved || !platform::path_exists(folder + "/libnvidia-ml.so.1")) {
        remarks_.push_back(
            "jobs do not see the simulated GPUs by NVML: " +
            (library ? "there is no " + folder + "/libnvidia-ml.so.1" : library.error().message));
        return "";
    }
    return folder;
}

/// Which state file is of which node, for `reeve gpu sim`: those of earlier starts stay there.
Result<void> Server::note_simulations(const std::vector<std::string>& files) const {
    const std::string path = config_.data + kSimulationsFile;
    if (files.empty()) {
        std::remove(path.c_str());  // Mostly there is none.
        return {};
    }
    std::string text;
    for (const std::string& line : files) {
        text += line + "\n";
    }
    return platform::write_file_atomic(path, text, kSimulationsMode);
}

/// Of a preset, or of a file that describes the GPUs.
Result<void> Server::make_simulation(const std::string& state) {
    const std::string& wanted = config_.gpus_simulated;
    if (!wanted.ends_with(".yaml") && !wanted.ends_with(".yml") && !wanted.ends_with(".json")) {
        return gpu::simulated::ensure_simulation(state, wanted, config_.node_name);
    }
    constexpr std::size_t kTopologyBytesMax = 1 << 20;
    const auto documents =
        platform::read_file(wanted, kTopologyBytesMax).and_then([](const std::string& yaml) {
            return cli::json_of_yaml(yaml, {});
        });
    if (!documents || documents->size() != 1) {
        return documents ? fail(ErrorCode::kInvalid, wanted + ": expects one document")
                         : tl::unexpected<Error>(documents.error());
    }
    return gpu::simulated::ensure_topology(state, documents->front(), wanted)
        .map_error([&](Error error) {
            error.message = wanted + ": " + error.message;
            return error;
        });
}

/// "8x4xA30": eight nodes, sim1 to sim8, with four A30 each.
Result<void> Server::open_simulated_nodes() {
    const std::string& text = config_.nodes_simulated;
    const std::size_t split_at = text.find('x');
    const Result<std::int64_t> count =
        parse_integer(split_at == std::string::npos ? "" : text.substr(0, split_at));
    constexpr std::int64_t kNodesMax = 1000;
    if (!count || *count < 1 || *count > kNodesMax) {
        return fail(
            ErrorCode::kInvalid, "--nodes-simulated: '" + text +
                                     "' is not NODESxGPUSxMODEL, such as 8x4xA30, with 1 to " +
                                     std::to_string(kNodesMax) + " nodes");
    }
    const std::string driver = find_simulated_driver();
    std::vector<std::string> files;
    for (std::int64_t i = 1; i <= *count; ++i) {
        const std::string name = "sim" + std::to_string(i);
        files.push_back(name);
        files.back().append(" ").append(name).append(".sim");
        const std::string state = config_.data + "/" + name + ".sim";
        const Result<void> made =
            gpu::simulated::ensure_simulation(state, text.substr(split_at + 1), name);
        if (!made) {
            return tl::unexpected<Error>(made.error());
        }
        auto source = gpu::simulated::open_simulated(state);
        if (!source) {
            return tl::unexpected<Error>(std::move(source.error()));
        }
        Result<void> added = add_node(name, *std::move(source), {.folder = driver, .state = state});
        if (!added) {
            return added;
        }
    }
    config_.node_name = "sim1";
    return note_simulations(files);
}

}  // namespace reeve
