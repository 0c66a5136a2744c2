#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/gpu_source.hpp"

namespace reeve::cli {

/// A verb that another module does, such as `up`. It parses its own arguments.
struct OuterVerb {
    std::string name = {};
    std::string summary = {};  // For `reeve --help`; "" hides it.
    std::function<int(const std::vector<std::string>& arguments)> run = {};
};

/// A simulated GPU and what it shows now.
struct SimulatedGpu {
    std::size_t index = 0;
    model::GpuDescription description = {};
    model::GpuSample sample = {};
};

/// Control of simulated GPUs through their state file. `gpu` is an index, a UUID or the beginning
/// of one. Errors of all: kNotFound, kInvalid, kConflict, kLimit, kUnavailable, in words.
class GpuSimulation {
  public:
    virtual ~GpuSimulation() = default;

    [[nodiscard]] virtual Result<std::vector<SimulatedGpu>> list(const std::string& path) = 0;

    struct Use {
        std::uint32_t pid = 0;
        std::int64_t memory_mib = 0;
        std::int64_t utilization_percent = 0;
    };

    [[nodiscard]] virtual Result<SimulatedGpu> set_use(
        const std::string& path, std::string_view gpu, const Use& use) = 0;
    [[nodiscard]] virtual Result<SimulatedGpu> report_xid(
        const std::string& path, std::string_view gpu, std::int64_t xid) = 0;
    [[nodiscard]] virtual Result<SimulatedGpu> lose(
        const std::string& path, std::string_view gpu) = 0;
    [[nodiscard]] virtual Result<SimulatedGpu> restore(
        const std::string& path, std::string_view gpu) = 0;
};

/// What a whole database holds, and what does not fit together in it.
struct DatabaseCheck {
    std::int64_t jobs = 0;
    std::int64_t elements = 0;
    std::int64_t changes = 0;
    std::vector<std::string> problems = {};
};

/// What is done to the files of a server that does not run. Errors: kConflict: it runs;
/// kInternal: the database is corrupt; else as platform/files says.
class ServerFiles {
  public:
    virtual ~ServerFiles() = default;

    /// Puts the backup `from` in the place of the database in `data_directory`, which becomes a new
    /// incarnation. The words are for the user.
    [[nodiscard]] virtual Result<std::string> restore(
        const std::string& data_directory, const std::string& from) = 0;

    /// Reads the whole database (or backup).
    [[nodiscard]] virtual Result<DatabaseCheck> verify(const std::string& file) = 0;

    /// Makes a token of `user` for TCP; the answer is the token, which is shown once.
    [[nodiscard]] virtual Result<std::string> make_token(
        const std::string& data_directory, const std::string& user) = 0;
};

/// What main.cpp lends the CLI: the world, and modules that it may not see. References outlive the
/// call.
struct CliEnvironment {
    std::string version = {};  // "0.1.0".
    std::ostream& out;
    std::ostream& err;
    bool is_out_terminal = false;
    bool is_in_terminal = false;
    std::size_t width = 80;  // Of the terminal, in characters.

    std::vector<OuterVerb> verbs = {};

    /// The GPUs of this machine, for `doctor`. Empty: this build has no NVML.
    std::function<Result<std::unique_ptr<model::GpuSource>>()> open_gpus = {};
    GpuSimulation* simulation = nullptr;
    std::string simulation_file = {};      // Its name in the data directory of a server.
    std::string simulations_file = {};     // The same, of the list of them: "sim1 sim1.sim".
    std::string database_file = {};        // The same, of the database.
    std::string address_file = {};         // The same, of where the API listens while it runs.
    std::string status_address_file = {};  // The same, of the node's status.
    ServerFiles* server_files = nullptr;
};

/// Does what the command line says. `arguments` without the program's name.
/// The exit code is that of product 5.2: 0, 1 failed, 2 usage, 3 to 9 as base/error_code.hpp; `run`
/// and `wait` pass through the job's own.
[[nodiscard]] int run_cli(
    const std::vector<std::string>& arguments, const CliEnvironment& environment);

}  // namespace reeve::cli
