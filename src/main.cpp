#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/environment.hpp"
#include "gpu/nvml/nvml_source.hpp"
#include "platform/environment.hpp"
#include "platform/files.hpp"
#include "server.hpp"
#include "server_files.hpp"
#include "simulation_door.hpp"
#include "up.hpp"
#include "version.hpp"

namespace {

std::size_t terminal_width() {
    constexpr std::size_t kUnknown = 80;
    winsize size = {};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUnknown;
}

/// "/reeve.db", as the files of a data directory are called, without the slash.
std::string file_name(const std::string& path) {
    return path.substr(1);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    reeve::SimulationDoor simulation;
    reeve::DataDirectory files;
    const reeve::cli::CliEnvironment environment{
        .version = reeve::kVersion,
        .out = std::cout,
        .err = std::cerr,
        .is_out_terminal = isatty(STDOUT_FILENO) == 1,
        .is_in_terminal = isatty(STDIN_FILENO) == 1,
        .width = terminal_width(),
        .verbs =
            {{.name = "up",
              .summary = "run the server and this machine's agent",
              .run = reeve::run_up}},
        .open_gpus = [] { return reeve::gpu::nvml::open_nvml({}); },
        .simulation = &simulation,
        .simulation_file = file_name(reeve::kSimulationFile),
        .simulations_file = file_name(reeve::kSimulationsFile),
        .database_file = file_name(reeve::kDatabaseFile),
        .address_file = file_name(reeve::kAddressFile),
        .status_address_file = file_name(reeve::kStatusAddressFile),
        .server_files = &files};
    return reeve::cli::run_cli(arguments, environment);
}
