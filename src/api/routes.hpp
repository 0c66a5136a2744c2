#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/audit_log.hpp"
#include "api/commands.hpp"
#include "api/event_hub.hpp"
#include "api/http_server.hpp"
#include "api/log_hub.hpp"
#include "api/read_pool.hpp"
#include "api/router.hpp"
#include "api/sample_board.hpp"
#include "api/task_logs.hpp"
#include "controller/forecast_sheet.hpp"
#include "controller/reason_log.hpp"
#include "controller/writer.hpp"
#include "model/job_spec.hpp"

namespace reeve::api {

/// The doors of requirement 003.
struct CompatOptions {
    /// compat.submit_template: argv and environment may have elements that are exactly {user},
    /// {data_url}, {config_file} or {work_dir}. Absent: /submit is refused, and says so.
    std::optional<model::JobSpec> submit_template = {};

    /// Who an anonymous caller's job runs as. Used only where the router lets anonymous callers in.
    model::Identity anonymous = {};

    /// The account of a name; asked for admins alone, who may submit for others.
    std::function<std::optional<model::Identity>(const std::string&)> account_of = {};
};

/// What the handlers work with. All references outlive the server, and the hubs and the pool its
/// last connection.
struct ApiParts {
    Commands& commands;
    ReadPool& reads;
    EventHub& events;
    LogHub& logs;
    const TaskLogs& task_logs;
    const SampleBoard& samples;
    std::function<Instant()> now;
    std::string version;

    /// Writes a consistent copy of the database to a new file, and returns its size.
    std::function<Result<std::uint64_t>(const std::string& path)> backup;
    CompatOptions compat = {};

    /// Why nothing that is submitted would be started; "" if it would. Empty: nothing is known.
    std::function<std::string()> trouble = {};

    /// What samples say of the queue; null while there are none. Empty: nobody makes any.
    std::function<std::shared_ptr<const controller::ForecastSheet>()> forecasts = {};

    /// What a job waited for until now. Empty: nobody keeps it.
    std::function<std::vector<controller::ReasonSpan>(JobId)> reasons = {};

    // For /metrics. The counters' owners come later than the routes; each may be null.
    std::function<const HttpCounters*()> http_counters = {};
    const controller::WriterCounters* writer_counters = nullptr;
    const AuditCounters* audit_counters = nullptr;  // Null: there is no audit log.
};

/// Every route of api/openapi.yaml. `parts` outlives them.
[[nodiscard]] std::vector<Route> routes_of(const ApiParts& parts);

// By subject; routes_of() joins them.
[[nodiscard]] std::vector<Route> job_read_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> job_change_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> cluster_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> project_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> reservation_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> simulation_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> stream_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> server_routes(const ApiParts& parts);
[[nodiscard]] std::vector<Route> compat_routes(const ApiParts& parts);

}  // namespace reeve::api
