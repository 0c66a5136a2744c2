#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent_loop.hpp"
#include "agent/process/cgroups.hpp"
#include "agent/process/process_runtime.hpp"
#include "agent/process/spawner.hpp"
#include "api/audit_log.hpp"
#include "api/commands.hpp"
#include "api/event_hub.hpp"
#include "api/http_server.hpp"
#include "api/log_hub.hpp"
#include "api/node_status.hpp"
#include "api/read_pool.hpp"
#include "api/router.hpp"
#include "api/routes.hpp"
#include "api/sample_board.hpp"
#include "api/task_logs.hpp"
#include "base/result.hpp"
#include "controller/forecaster.hpp"
#include "controller/reason_log.hpp"
#include "controller/writer.hpp"
#include "model/gpu_source.hpp"
#include "platform/files.hpp"
#include "server_config.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "token_file.hpp"

namespace reeve {

/// Files of a data directory.
inline constexpr const char* kDatabaseFile = "/reeve.db";
inline constexpr const char* kLockFile = "/lock";
inline constexpr const char* kSocketFile = "/reeve.sock";
inline constexpr const char* kTokensFile = "/tokens";
inline constexpr const char* kAuditFile = "/audit.log";
inline constexpr const char* kSimulationFile = "/gpus.sim";
inline constexpr const char* kSimulationsFile = "/simulations";  // Which nodes have which.
inline constexpr const char* kAddressFile = "/address";  // Where the running server listens.
inline constexpr const char* kStatusAddressFile = "/status-address";  // The same, node status.

/// One process that is everything: the one writer, its store, the API, and the agents of this
/// machine (or of simulated ones). Made in an order in which nothing is used before it works, and
/// taken apart in the opposite one; tasks are not touched by either.
class Server {
  public:
    /// `spawner` was started before any thread. Errors: kConflict: another server has the data
    /// directory, or a port; those of the store.
    [[nodiscard]] static Result<std::unique_ptr<Server>> start(
        ServerConfig config, agent::process::Spawner spawner);

    Server(const Server&) = delete;
    Server(Server&&) = delete;
    Server& operator=(const Server&) = delete;
    Server& operator=(Server&&) = delete;

    /// Answers what is being asked, then ends. Tasks go on.
    ~Server();

    [[nodiscard]] const ServerConfig& config() const { return config_; }  // With the real ports.

    [[nodiscard]] std::shared_ptr<const controller::View> view() const { return writer_->view(); }

    /// Returns once every node of this process has said what it has; a second at most.
    void wait_for_nodes();

    [[nodiscard]] const std::string& enforcement() const { return enforcement_; }

    /// What somebody should know who started it: no driver, a port taken, …
    [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }

  private:
    /// The logs of this machine's tasks.
    class Logs final : public api::TaskLogs {
      public:
        Logs(std::string data, std::string cluster_id)
            : data_(std::move(data)), cluster_id_(std::move(cluster_id)) {}

        [[nodiscard]] Result<api::LogPiece> read(
            const api::LogPlace& place, std::size_t bytes_max) const override;

      private:
        std::string data_;
        std::string cluster_id_;
    };

    struct Node {
        std::string name = {};
        std::unique_ptr<model::GpuSource> gpus = {};
        std::unique_ptr<agent::process::ProcessRuntime> runtime = {};
    };

    Server(ServerConfig config, agent::process::Spawner spawner);

    [[nodiscard]] Result<void> open_data();
    [[nodiscard]] Result<void> open_ledger();
    [[nodiscard]] Result<void> open_nodes();
    [[nodiscard]] Result<void> open_simulated_nodes();
    [[nodiscard]] Result<void> make_simulation(const std::string& state);
    [[nodiscard]] Result<void> open_simulated_gpus();
    [[nodiscard]] std::string find_simulated_driver();
    [[nodiscard]] Result<void> note_simulations(const std::vector<std::string>& files) const;
    [[nodiscard]] Result<void> add_node(
        std::string name,
        std::unique_ptr<model::GpuSource> gpus,
        agent::process::SimulatedDriver driver = {});
    [[nodiscard]] std::unique_ptr<model::GpuSource> open_gpus();
    [[nodiscard]] Result<void> start_agents();
    [[nodiscard]] Result<void> start_api();
    [[nodiscard]] Result<void> start_node_status();
    [[nodiscard]] Result<void> load_compat(api::CompatOptions& compat);
    [[nodiscard]] Result<std::uint16_t> listen(
        api::HttpServer& server, const Endpoint& endpoint, const char* what);
    [[nodiscard]] Result<std::uint64_t> back_up(const std::string& path) const;
    void note_foreign_tasks(const std::string& tasks, const std::string& boot_id);
    void hear(model::AgentReport report);

    ServerConfig config_;
    agent::process::Spawner spawner_;
    agent::process::CgroupTree cgroups_;
    std::string enforcement_;
    std::atomic<bool> has_spawner_ = true;
    std::vector<std::string> remarks_;

    std::optional<platform::FileLock> lock_;
    std::unique_ptr<store_sqlite::SqliteStore> store_;
    std::unique_ptr<controller::Writer> writer_;
    controller::ReasonLog reasons_;
    std::unique_ptr<controller::Forecaster> forecaster_;
    std::string cluster_id_;

    api::SampleBoard samples_;
    std::mutex gpus_mutex_;
    std::map<std::string, std::vector<model::GpuDescription>> gpus_;  // By node. Guarded.
    std::condition_variable committed_;  // With gpus_mutex_: the writer has committed something.
    std::vector<Node> nodes_;
    std::unique_ptr<agent::AgentLoop> agents_;

    std::unique_ptr<api::AuditLog> audit_;  // Outlives whatever may still answer.
    std::unique_ptr<api::WriterCommands> commands_;
    std::unique_ptr<Logs> logs_;
    std::unique_ptr<api::ReadPool> reads_;
    std::unique_ptr<api::EventHub> events_;
    std::unique_ptr<api::LogHub> log_hub_;
    std::unique_ptr<TokenFileIdentities> identities_;
    std::unique_ptr<api::ApiParts> api_parts_;
    std::unique_ptr<api::Router> router_;
    std::unique_ptr<api::HttpServer> http_;
    std::unique_ptr<api::NodeStatusParts> status_parts_;
    std::unique_ptr<api::Router> status_router_;
    std::unique_ptr<api::HttpServer> status_http_;
};

}  // namespace reeve
