#include "server.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "agent/process/log_reader.hpp"
#include "agent/process/task_directory.hpp"
#include "api/job_json.hpp"
#include "base/text.hpp"
#include "cli/job_file.hpp"
#include "controller/controller.hpp"
#include "gpu/nvml/nvml_source.hpp"
#include "platform/clock.hpp"
#include "platform/host.hpp"
#include "platform/identity.hpp"
#include "platform/process.hpp"
#include "platform/thread.hpp"
#include "server_files.hpp"
#include "store/sqlite/backup.hpp"
#include "version.hpp"

namespace reeve {
namespace {

constexpr int kHttpThreads = 1;
constexpr int kReadThreads = 2;
constexpr int kPortsTried = 50;
constexpr std::chrono::seconds kStopGrace(3);
constexpr const char* kNoSpawner =
    "no task can be started: reeve-keeper and reeve-spawner, which start them, were killed; start "
    "the server anew, what runs goes on";
constexpr mode_t kSocketMode = 0666;  // Whoever connects is known by SO_PEERCRED.

template <class T>
tl::unexpected<Error> pass_on(Result<T>& result) {
    return tl::unexpected<Error>(std::move(result.error()));
}

void log_error(const std::string& where, const Error& error) {
    std::fprintf(
        stderr, "reeve: %s: %s%s%s\n", where.c_str(), error.message.c_str(),
        error.context.empty() ? "" : ": ", error.context.c_str());
}

/// For whoever wants to find the server that runs.
Result<void> write_address(const std::string& path, const Endpoint& endpoint) {
    return platform::write_file(
        path, "http://" + endpoint.address + ":" + std::to_string(endpoint.port) + "\n");
}

/// Says who has `port`, and what to do.
std::string holder_of(std::uint16_t port) {
    const std::optional<platform::ProcessFacts> holder = platform::listener_on(port);
    const std::string who =
        holder && !holder->name.empty()
            ? " by " + holder->name + " (pid " + std::to_string(holder->id.pid) + ")"
        : holder ? " by a process of another user"
                 : "";
    return who +
           "; end that, or give another (--listen, --status-listen), or take the next free one "
           "(--next-free-port)";
}

/// Logs an error unless it is the one before. Of one thread at a time.
std::function<void(const Error&)> said_once(const std::string& what) {
    return [what, last = std::make_shared<std::string>()](const Error& error) {
        if (std::exchange(*last, error.message) != error.message) {
            log_error(what, error);
        }
    };
}

}  // namespace

Result<api::LogPiece> Server::Logs::read(const api::LogPlace& place, std::size_t bytes_max) const {
    using agent::process::LogStream;
    Result<agent::process::LogPiece> piece = agent::process::read_log(
        agent::process::find_task_directory(
            agent::process::tasks_directory(data_, place.node), cluster_id_, place.task),
        place.stream == api::LogStream::kErrors ? LogStream::kErrors : LogStream::kOutput,
        place.offset, bytes_max);
    if (!piece) {
        return pass_on(piece);
    }
    return api::LogPiece{
        .bytes = std::move(piece->bytes),
        .next_offset = piece->next_offset,
        .size = piece->size,
        .dropped_begin = piece->dropped.begin,
        .dropped_end = piece->dropped.end,
        .is_finished = piece->is_finished};
}

Server::Server(ServerConfig config, agent::process::Spawner spawner)
    : config_(std::move(config)),
      spawner_(std::move(spawner)),
      cgroups_(agent::process::CgroupTree::find({})),
      enforcement_(cgroups_.enforcement()) {
    spawner_.when_lost([this] {
        has_spawner_ = false;
        log_error("tasks", {ErrorCode::kUnavailable, kNoSpawner, {}});
    });
}

Result<std::unique_ptr<Server>> Server::start(
    ServerConfig config, agent::process::Spawner spawner) {
    std::unique_ptr<Server> server(new Server(std::move(config), std::move(spawner)));
    for (Result<void> (Server::*step)() :
         {&Server::open_data, &Server::open_ledger, &Server::open_nodes, &Server::start_api,
          &Server::start_node_status, &Server::start_agents}) {
        if (Result<void> done = (*server.*step)(); !done) {
            return pass_on(done);
        }
    }
    return server;
}

Server::~Server() {
    if (http_) {
        http_->stop(kStopGrace);
    }
    if (status_http_) {
        status_http_->stop(kStopGrace);
    }
    if (forecaster_) {
        forecaster_->stop();
    }
    if (writer_) {
        writer_->stop();
    }
    agents_.reset();
    if (writer_) {
        for (const char* file : {kAddressFile, kStatusAddressFile}) {
            const std::string address = config_.data + file;
            std::remove(address.c_str());
        }
    }
}

Result<void> Server::open_data() {
    if (Result<void> made = make_data_directory(config_.data); !made) {
        return made;
    }
    Result<platform::FileLock> lock = platform::FileLock::acquire(config_.data + kLockFile);
    if (!lock) {
        Error error = std::move(lock.error());
        if (error.code == ErrorCode::kConflict) {
            error.message = "another reeve server uses " + config_.data + ": " + error.message +
                            "; use that one, or end it first";
        }
        return tl::unexpected<Error>(std::move(error));
    }
    lock_ = *std::move(lock);
    if (const Result<std::uint64_t> raised = platform::raise_open_files_limit(); !raised) {
        remarks_.push_back("the limit of open files stays as it is: " + raised.error().message);
    }
    return {};
}

Result<void> Server::open_ledger() {
    auto store = store_sqlite::open_sqlite({.path = config_.data + kDatabaseFile});
    if (!store) {
        return tl::unexpected<Error>(about(config_.data + kDatabaseFile, store.error()));
    }
    store_ = *std::move(store);
    // Two samples may be lost before a node counts as silent.
    config_.ledger.silence_max = std::max<std::chrono::seconds>(
        config_.ledger.silence_max,
        std::chrono::duration_cast<std::chrono::seconds>(config_.sample_interval * 5 / 2));
    if (config_.retention_days > 0) {
        config_.ledger.ended_jobs_kept = std::chrono::hours(24 * config_.retention_days);
    }
    auto opened = controller::Controller::open(*store_, config_.ledger, platform::now_utc());
    if (!opened) {
        return pass_on(opened);
    }
    cluster_id_ = (*opened)->header().cluster_id;
    writer_ = std::make_unique<controller::Writer>(*std::move(opened), platform::now_utc);
    writer_->on_trouble([](const Error& error) { log_error("writer", error); });
    const auto note = [this, trouble = said_once("forecasts")](
                          std::vector<ledger::ForecastRecord> forecasts) {
        writer_->submit(ledger::NoteForecasts{std::move(forecasts)}, [trouble](const auto& noted) {
            if (!noted) {
                trouble(noted.error());
            }
        });
    };
    forecaster_ = std::make_unique<controller::Forecaster>(controller::ForecasterOptions{
        .clock = platform::now_utc,
        .worked = platform::processor_time,
        .view = [this] { return writer_->view(); },
        .queue = controller::queue_of(*store_),
        .note = note,
        .look =
            [this](const auto& queue, const auto& view, Instant at, const auto& goes_on) {
                const auto reason = [&](const ledger::JobRow& job, std::uint64_t position) {
                    return api::reason_word(
                        controller::why_pending(job, position, view, {.is_admin = true}));
                };
                reasons_.look(queue, at, reason, goes_on);
            },
        .begin = platform::yield_to_others,
        .trouble = said_once("forecasts")});
    return {};
}

/// The real ones. None is no error: the node then has no GPUs, and says why.
std::unique_ptr<model::GpuSource> Server::open_gpus() {
    gpu::nvml::NvmlOptions options;
    if (!config_.nvml_library.empty()) {
        options.library = config_.nvml_library;
    }
    auto source = gpu::nvml::open_nvml(options);
    if (!source) {
        remarks_.push_back("no GPUs here: " + source.error().message);
        return nullptr;
    }
    return *std::move(source);
}

Result<void> Server::add_node(
    std::string name,
    std::unique_ptr<model::GpuSource> gpus,
    agent::process::SimulatedDriver driver) {
    const Result<std::string> boot = platform::boot_id();
    if (!boot) {
        return tl::unexpected<Error>(boot.error());
    }
    const std::string tasks = agent::process::tasks_directory(config_.data, name);
    note_foreign_tasks(tasks, *boot);
    auto runtime = agent::process::ProcessRuntime::open(
        {.directory = tasks,
         .node_name = name,
         .cluster_id = cluster_id_,
         .boot_id = *boot,
         .log_bytes_max = config_.log_bytes_max,
         .pids_max = config_.pids_max,
         .simulated_driver = std::move(driver)},
        spawner_, cgroups_);
    if (!runtime) {
        return pass_on(runtime);
    }
    nodes_.push_back(
        {.name = std::move(name), .gpus = std::move(gpus), .runtime = *std::move(runtime)});
    return {};
}

/// That the database is another one than the tasks were started with, somebody may not know.
void Server::note_foreign_tasks(const std::string& tasks, const std::string& boot_id) {
    const agent::process::ForeignTasks foreign =
        agent::process::foreign_tasks(tasks, cluster_id_, boot_id);
    if (foreign.kept == 0) {
        return;
    }
    remarks_.push_back(
        "other clusters have tasks in " + tasks + ": " + std::to_string(foreign.kept) +
        ", of which " + std::to_string(foreign.running) +
        " run. They are not touched. If this database is new because the old one was lost, stop "
        "this server, move " +
        config_.data + kDatabaseFile + "* aside, and use `reeve server restore`");
}

void Server::hear(model::AgentReport report) {
    if (const auto* sample = std::get_if<model::NodeSample>(&report)) {
        samples_.put(*sample, platform::now_utc());
    } else if (const auto* hello = std::get_if<model::NodeHello>(&report)) {
        const std::scoped_lock lock(gpus_mutex_);
        gpus_.insert_or_assign(hello->node, hello->gpus);
    }
    writer_->report(std::move(report));
}

Result<void> Server::start_agents() {
    const Result<std::string> boot = platform::boot_id();
    if (!boot) {
        return tl::unexpected<Error>(boot.error());
    }
    writer_->start();
    forecaster_->start();
    std::vector<agent::AgentNode> nodes;
    nodes.reserve(nodes_.size());
    for (Node& node : nodes_) {
        nodes.push_back(
            {.name = node.name,
             .cluster_id = cluster_id_,
             .boot_id = *boot,
             .enforcement = enforcement_,
             .labels = config_.node_labels,
             .runtime = node.runtime.get(),
             .gpus = node.gpus.get()});
    }
    auto agents = agent::AgentLoop::start(
        {.sample_every = config_.sample_interval,
         .sink = [this](model::AgentReport report) { hear(std::move(report)); }},
        nodes);
    if (!agents) {
        return pass_on(agents);
    }
    agents_ = *std::move(agents);
    for (const Node& node : nodes_) {
        writer_->connect(node.name, [this, name = node.name](model::AgentOrder order) {
            if (const Result<void> sent = agents_->send(name, std::move(order)); !sent) {
                log_error("order for " + name, sent.error());
            }
        });
        // What was ordered before there was a link is ordered again after a hello.
        if (Result<void> sent = agents_->send(node.name, model::ReportAll{}); !sent) {
            return sent;
        }
    }
    return {};
}

void Server::wait_for_nodes() {
    constexpr std::chrono::seconds kPatience(1);
    std::unique_lock lock(gpus_mutex_);
    committed_.wait_for(lock, kPatience, [this] {
        const std::shared_ptr<const controller::View> now = view();
        return std::ranges::all_of(nodes_, [&](const Node& node) {
            return std::ranges::any_of(now->nodes, [&](const auto& status) {
                return status->record.name == node.name && status->record.boot_id != "" &&
                       status->view.availability != scheduler::Availability::kUnreachable;
            });
        });
    });
}

/// Listens, on the next free port if that is wanted.
Result<std::uint16_t> Server::listen(
    api::HttpServer& server, const Endpoint& endpoint, const char* what) {
    Result<std::uint16_t> port = server.listen_tcp(endpoint.address, endpoint.port);
    for (int i = 1; !port && port.error().code == ErrorCode::kConflict &&
                    config_.port_in_use == PortInUse::kTakeNext && i <= kPortsTried;
         ++i) {
        port = server.listen_tcp(endpoint.address, static_cast<std::uint16_t>(endpoint.port + i));
        if (port) {
            remarks_.push_back(
                "port " + std::to_string(endpoint.port) + " is in use, so " + what + " has " +
                std::to_string(*port));
        }
    }
    if (!port && port.error().code == ErrorCode::kConflict) {
        Error error = port.error();
        error.message += holder_of(endpoint.port);
        return tl::unexpected(std::move(error));
    }
    return port;
}

Result<void> Server::load_compat(api::CompatOptions& compat) {
    compat.account_of = [](const std::string& name) -> std::optional<model::Identity> {
        const Result<platform::UserEntry> entry = platform::user_by_name(name);
        return entry ? std::optional(model::Identity{entry->name, entry->uid, entry->gid})
                     : std::nullopt;
    };
    const Result<platform::UserEntry> anonymous = config_.compat_user.empty()
                                                      ? platform::user_by_id(getuid())
                                                      : platform::user_by_name(config_.compat_user);
    if (!anonymous && config_.compat_anonymous) {
        return fail(ErrorCode::kInvalid, "compat.user: " + anonymous.error().message);
    }
    if (anonymous) {
        compat.anonymous = {anonymous->name, anonymous->uid, anonymous->gid};
    }
    if (config_.compat_submit_template.empty()) {
        return {};
    }
    const Result<std::string> text =
        platform::read_file(config_.compat_submit_template, cli::kJobFileBytesMax);
    if (!text) {
        return tl::unexpected<Error>(text.error());
    }
    Result<std::vector<model::JobSpec>> jobs = cli::parse_job_file(*text);
    if (!jobs) {
        return fail(
            ErrorCode::kInvalid, "compat.submit_template " + config_.compat_submit_template + ": " +
                                     jobs.error().message);
    }
    if (jobs->size() != 1) {
        return fail(ErrorCode::kInvalid, "compat.submit_template has to hold one job");
    }
    compat.submit_template = std::move(jobs->front());
    return {};
}

Result<std::uint64_t> Server::back_up(const std::string& path) const {
    if (Result<void> done = store_sqlite::backup(config_.data + kDatabaseFile, path); !done) {
        return tl::unexpected<Error>(std::move(done.error()));
    }
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) {
        return fail(ErrorCode::kInternal, path + ": " + error.message());
    }
    return static_cast<std::uint64_t>(size);
}

Result<void> Server::start_api() {
    commands_ = std::make_unique<api::WriterCommands>(*writer_);
    logs_ = std::make_unique<Logs>(config_.data, cluster_id_);
    reads_ = std::make_unique<api::ReadPool>(*store_, kReadThreads);
    events_ = std::make_unique<api::EventHub>(*store_);
    log_hub_ = std::make_unique<api::LogHub>(*store_, *commands_, *logs_);
    identities_ = std::make_unique<TokenFileIdentities>(
        config_.data + kTokensFile,
        std::set<std::string>(config_.admins.begin(), config_.admins.end()));
    writer_->on_commit([this](Revision) {
        events_->on_commit();
        const std::scoped_lock lock(gpus_mutex_);
        committed_.notify_all();
    });

    if (config_.audit_files > 0) {
        audit_ = std::make_unique<api::AuditLog>(api::AuditLogOptions{
            .path = config_.data + kAuditFile,
            .file_bytes_max = config_.audit_file_bytes,
            .files_max = static_cast<int>(config_.audit_files),
            .now = platform::now_utc,
            .report = [](const Error& error) { log_error("audit", error); }});
        audit_->start();
    }
    api_parts_ = std::make_unique<api::ApiParts>(api::ApiParts{
        .commands = *commands_,
        .reads = *reads_,
        .events = *events_,
        .logs = *log_hub_,
        .task_logs = *logs_,
        .samples = samples_,
        .now = platform::now_utc,
        .version = kVersion,
        .backup = [this](const std::string& path) { return back_up(path); },
        .trouble = [this] { return std::string(has_spawner_ ? "" : kNoSpawner); },
        .forecasts = [this] { return forecaster_->sheet(); },
        .reasons = [this](JobId job) { return reasons_.of(job); },
        .http_counters = [this] { return http_ ? &http_->counters() : nullptr; },
        .writer_counters = &writer_->counters(),
        .audit_counters = audit_ ? &audit_->counters() : nullptr});
    if (Result<void> loaded = load_compat(api_parts_->compat); !loaded) {
        return loaded;
    }
    router_ = std::make_unique<api::Router>(
        api::routes_of(*api_parts_), *identities_,
        api::RouterOptions{
            .hosts = config_.hosts,
            .allows_anonymous_compat = config_.compat_anonymous,
            .audit = audit_.get()});
    http_ = std::make_unique<api::HttpServer>(
        *router_, api::HttpServerOptions{
                      .threads = kHttpThreads,
                      .report = [](const std::string& request_id, const Error& error) {
                          log_error("request " + request_id, error);
                      }});
    Result<std::uint16_t> port = listen(*http_, config_.listen, "the API");
    if (!port) {
        return pass_on(port);
    }
    config_.listen.port = *port;
    if (Result<void> done = http_->listen_unix(config_.data + kSocketFile, kSocketMode); !done) {
        return done;
    }
    if (Result<void> written = write_address(config_.data + kAddressFile, config_.listen);
        !written) {
        return written;
    }
    http_->start();
    return {};
}

Result<void> Server::start_node_status() {
    const std::optional<ledger::Gate>& gate = config_.ledger.gate;
    status_parts_ = std::make_unique<api::NodeStatusParts>(api::NodeStatusParts{
        .samples = samples_, .node = config_.node_name, .now = platform::now_utc, .gpus = [this] {
            const std::scoped_lock lock(gpus_mutex_);
            return gpus_[config_.node_name];
        }});
    if (gate) {
        status_parts_->rule = {
            .gpu_memory_free_mib_above = gate->gpu_memory_free_mib_above,
            .gpu_utilization_below = gate->gpu_utilization_below,
            .cpu_permille_below = gate->cpu_permille_below,
            .memory_permille_below = gate->memory_permille_below};
    }
    status_router_ = std::make_unique<api::Router>(
        api::node_status_routes(*status_parts_), *identities_,
        api::RouterOptions{.hosts = config_.hosts, .is_anonymous_only = true});
    status_http_ = std::make_unique<api::HttpServer>(*status_router_, api::HttpServerOptions{});
    Result<std::uint16_t> port = listen(*status_http_, config_.node_status, "the node's status");
    if (!port) {
        return pass_on(port);
    }
    config_.node_status.port = *port;
    if (Result<void> written =
            write_address(config_.data + kStatusAddressFile, config_.node_status);
        !written) {
        return written;
    }
    status_http_->start();
    return {};
}

}  // namespace reeve
