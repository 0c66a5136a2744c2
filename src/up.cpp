#include "up.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/usage.hpp"
#include "platform/environment.hpp"
#include "platform/files.hpp"
#include "platform/signals.hpp"
#include "server.hpp"
#include "server_config.hpp"

namespace reeve {
namespace {

constexpr std::size_t kConfigBytesMax = 1 << 20;

constexpr const char* kHelp =
    R"(Runs the server: queue, scheduler and API, and the agent of this machine.

Examples:
  reeve up                                 with this machine's GPUs, on 127.0.0.1:8081
  reeve up --gpus-simulated 4xRTX5090      without a GPU: simulated ones, real tasks
  reeve up --nodes-simulated 8x4xA30       eight nodes in one process
  reeve up --node-label zone=a             jobs may ask for it: reeve run --on zone==a
  reeve up --config /etc/reeve/config.yaml
)";

int report(const Error& error) {
    std::fprintf(stderr, "reeve up: %s\n", error.message.c_str());
    if (!error.context.empty()) {
        std::fprintf(stderr, "  (%s)\n", error.context.c_str());
    }
    return row_of(error.code).exit_code;
}

struct Flags {
    std::string config = {};
    std::string data = {};
    std::string listen = {};
    std::string status_listen = {};
    std::string node_name = {};
    std::vector<std::string> node_labels = {};
    std::string gpus_simulated = {};
    std::string nodes_simulated = {};
    std::string nvml_library = {};
    bool takes_next_port = false;
    bool allows_root_jobs = false;
};

void bind_flags(CLI::App& app, Flags& flags) {
    app.add_option("--config", flags.config, "configuration file (YAML)");
    app.add_option("--data", flags.data, "where state is kept");
    app.add_option("--listen", flags.listen, "address of the API (127.0.0.1:8081; port 0: any)");
    app.add_option(
        "--status-listen", flags.status_listen, "address of the node's status (127.0.0.1:8080)");
    app.add_option("--node-name", flags.node_name, "name of this node (the host's)");
    app.add_option(
           "--node-label", flags.node_labels,
           "key=value, which jobs may ask for by --on; may be repeated")
        ->type_size(1)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
    app.add_option(
        "--gpus-simulated", flags.gpus_simulated,
        "simulated GPUs, such as 4xRTX5090, or a file that describes them (.yaml)");
    app.add_option("--nodes-simulated", flags.nodes_simulated, "simulated nodes, such as 8x4xA30");
    app.add_option("--nvml", flags.nvml_library, "path of libnvidia-ml.so.1");
    app.add_flag("--next-free-port", flags.takes_next_port, "if a port is in use, take the next");
    app.add_flag("--allow-root-jobs", flags.allows_root_jobs, "let root submit jobs");
}

Result<ServerConfig> read_file_of(const Flags& flags) {
    if (flags.config.empty()) {
        return ServerConfig{};
    }
    return platform::read_file(flags.config, kConfigBytesMax).and_then([](const std::string& text) {
        return read_server_config(text, {});
    });
}

/// What a flag says, if it was given.
Result<void> set_endpoint(const std::string& text, Endpoint& endpoint) {
    if (text.empty()) {
        return {};
    }
    Result<Endpoint> parsed = parse_endpoint(text);
    if (!parsed) {
        return tl::unexpected<Error>(std::move(parsed.error()));
    }
    endpoint = *std::move(parsed);
    return {};
}

void set_text(const std::string& text, std::string& target) {
    if (!text.empty()) {
        target = text;
    }
}

/// The file, then the flags over it.
Result<ServerConfig> config_of(const Flags& flags) {
    Result<ServerConfig> config = read_file_of(flags);
    if (!config) {
        return config;
    }
    for (const Result<void>& set :
         {set_endpoint(flags.listen, config->listen),
          set_endpoint(flags.status_listen, config->node_status)}) {
        if (!set) {
            return tl::unexpected<Error>(set.error());
        }
    }
    for (const std::string& label : flags.node_labels) {
        if (Result<void> added = add_node_labels(label, config->node_labels); !added) {
            return fail(added.error().code, "--node-label: " + added.error().message);
        }
    }
    set_text(flags.data, config->data);
    set_text(flags.node_name, config->node_name);
    set_text(flags.gpus_simulated, config->gpus_simulated);
    set_text(flags.nodes_simulated, config->nodes_simulated);
    set_text(flags.nvml_library, config->nvml_library);
    set_text(
        config->data.empty() ? platform::default_data_directory() : std::string(), config->data);
    if (flags.takes_next_port) {
        config->port_in_use = PortInUse::kTakeNext;
    }
    config->ledger.allows_root_jobs = config->ledger.allows_root_jobs || flags.allows_root_jobs;
    return config;
}

/// The command that starts this server again.
std::string command_of(const ServerConfig& config) {
    const bool is_default = config.data == platform::default_data_directory();
    return "reeve up" + (is_default ? "" : " --data " + config.data);
}

/// What a server finds at its start.
struct Findings {
    std::string gpus = {};  // "4 x NVIDIA A30, 1 x NVIDIA GB10".
    std::size_t nodes = 0;
    std::ptrdiff_t strays = 0;  // Tasks in quarantine.
    std::size_t lost = 0;       // GPUs.
};

Findings findings_of(const controller::View& view) {
    std::map<std::string, int> gpus;
    Findings found;
    for (const auto& node : view.nodes) {
        ++found.nodes;
        found.strays +=
            std::ranges::count_if(node->holdings, [](const controller::Holding& holding) {
                return holding.allocation.owner == model::AllocationOwner::kUnknown;
            });
        for (const model::NodeGpu& gpu : node->record.gpus) {
            if (gpu.is_present) {
                ++gpus[view.gpu_models.at(gpu.model) + (gpu.is_simulated ? " (simulated)" : "")];
            } else {
                ++found.lost;
            }
        }
    }
    for (const auto& [model, count] : gpus) {
        found.gpus += (found.gpus.empty() ? "" : ", ") + std::to_string(count) + " x " + model;
    }
    return found;
}

void print_notes(const Server& server, const Findings& found) {
    if (server.enforcement() == "none") {
        std::printf("  limits  not enforced: no control group that this process may use\n");
    }
    if (found.lost > 0) {
        std::printf(
            "  note    lost: %zu that a node had before and no longer reports (reeve gpus)\n",
            found.lost);
    }
    for (const std::string& remark : server.remarks()) {
        std::printf("  note    %s\n", remark.c_str());
    }
    if (found.strays > 0) {
        std::printf(
            "  note    in quarantine: %td that this server does not know, with the GPUs they hold "
            "(reeve quarantine list)\n",
            found.strays);
    }
    if (server.config().ledger.allows_root_jobs) {
        std::printf("  note    root may submit jobs (allow_root_jobs)\n");
    }
}

void print_start(const Server& server) {
    const ServerConfig& config = server.config();
    const Findings found = findings_of(*server.view());
    std::printf("reeve is up\n");
    std::printf(
        "  API     http://%s:%u  and  %s%s\n", config.listen.address.c_str(), config.listen.port,
        config.data.c_str(), kSocketFile);
    std::printf("  node    %s", config.node_name.c_str());
    if (found.nodes > 1) {
        std::printf(" and %zu more", found.nodes - 1);
    }
    std::printf(": %s\n", found.gpus.empty() ? "no GPUs" : found.gpus.c_str());
    std::printf(
        "  status  http://%s:%u/status\n", config.node_status.address.c_str(),
        config.node_status.port);
    print_notes(server, found);
    std::printf(
        "  stop    Ctrl-C; tasks go on, and `%s` takes them over again\n",
        command_of(server.config()).c_str());
    std::fflush(stdout);
}

void print_stop(const Server& server) {
    std::string running;
    std::size_t count = 0;
    constexpr std::size_t kShownMax = 5;
    for (const auto& node : server.view()->nodes) {
        for (const controller::Holding& holding : node->holdings) {
            if (++count <= kShownMax) {
                running +=
                    " " + model::to_string(holding.allocation.task.element, holding.is_array);
            }
        }
    }
    if (count == 0) {
        std::printf("reeve stops; nothing runs\n");
    } else {
        std::printf(
            "reeve stops; %zu still run:%s%s\n  take them over again: %s    end them: that, then "
            "reeve stop ID\n",
            count, running.c_str(), count > kShownMax ? " …" : "",
            command_of(server.config()).c_str());
    }
    std::fflush(stdout);
}

}  // namespace

int run_up(const std::vector<std::string>& arguments) {
    CLI::App app(kHelp, "reeve up");
    Flags flags;
    bind_flags(app, flags);
    for (const std::string& word : arguments) {
        if (word == "--help" || word == "-h") {
            std::printf("%s", app.help().c_str());
            return 0;
        }
    }
    if (const Result<void> parsed = cli::parse_arguments(app, arguments); !parsed) {
        return report(parsed.error());
    }
    Result<ServerConfig> config = config_of(flags);
    if (!config) {
        return report(config.error());
    }
    // Forked while this process is small and has one thread; tasks inherit its limits and signals.
    Result<agent::process::Spawner> spawner = agent::process::Spawner::start();
    if (!spawner) {
        return report(spawner.error());
    }
    const Result<platform::SignalFd> signals = platform::SignalFd::open();
    if (!signals) {
        return report(signals.error());
    }
    Result<std::unique_ptr<Server>> server = Server::start(*std::move(config), *std::move(spawner));
    if (!server) {
        return report(server.error());
    }
    (*server)->wait_for_nodes();
    print_start(**server);
    (void)signals->wait();
    print_stop(**server);
    return 0;
}

}  // namespace reeve
