#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ledger/ledger.hpp"

namespace reeve {

/// An address to listen on.
struct Endpoint {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any free one.
};

/// What to do if a port is in use.
enum class PortInUse : std::uint8_t { kFail, kTakeNext };

/// How `reeve up` runs: defaults, then the file, then the flags. docs/reference/configuration.md
/// lists every key of the file.
struct ServerConfig {
    std::string data = {};  // "": platform::default_data_directory().
    Endpoint listen = {.port = 8081};
    Endpoint node_status = {.port = 8080};
    PortInUse port_in_use = PortInUse::kFail;
    std::vector<std::string> hosts = {};   // Names the server is reached by, beside localhost.
    std::vector<std::string> admins = {};  // User names.

    ledger::LedgerOptions ledger = {};   // limits, gate, allow_root_jobs, scheduling.
    ledger::Priorities priorities = {};  // In `ledger`, too, once all is read.
    std::optional<scheduler::PreemptionMode> preemption = {};  // Said, and not the default.

    std::string node_name = {};  // "": the host's.
    std::map<std::string, std::string> node_labels = {};
    std::string nvml_library = {};     // "": libnvidia-ml.so.1.
    std::string gpus_simulated = {};   // "4xRTX5090"; "": the real ones.
    std::string nodes_simulated = {};  // "8x4xA30": eight nodes of four GPUs each.
    std::chrono::milliseconds sample_interval = std::chrono::seconds(5);
    std::int64_t log_bytes_max = std::int64_t{1} << 30;  // Of one log; then its middle goes.
    std::int64_t pids_max = 4096;                        // Of one task.

    std::int64_t retention_days = 0;  // Ended jobs are deleted after so many; 0 keeps them.

    std::int64_t audit_files = 8;                            // 0: there is no audit log.
    std::int64_t audit_file_bytes = std::int64_t{16} << 20;  // Of one of them.

    bool compat_anonymous = false;  // Requirement 003's doors without a name, on loopback.
    std::string compat_submit_template = {};  // Path of a job file.
    std::string compat_user = {};             // Anonymous submissions run as this user.
};

/// Reads the YAML of a configuration file over `config`.
/// Errors: kInvalid, naming the key, what it accepts and what is near if it is unknown.
[[nodiscard]] Result<ServerConfig> read_server_config(const std::string& yaml, ServerConfig config);

/// "127.0.0.1:8081", ":8081", "8081", "[::1]:8081". Errors: kInvalid.
[[nodiscard]] Result<Endpoint> parse_endpoint(const std::string& text);

/// "zone=a,rack=r1" into `labels`, over those of the same key. Errors: kInvalid, also for too many.
[[nodiscard]] Result<void> add_node_labels(
    const std::string& text, std::map<std::string, std::string>& labels);

}  // namespace reeve
