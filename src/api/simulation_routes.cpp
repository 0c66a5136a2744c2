// POST simulations: what would follow from changes, worked out on the read pool.
#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <utility>

#include "api/job_json.hpp"
#include "api/json_body.hpp"
#include "api/request_fields.hpp"
#include "api/routes.hpp"
#include "controller/what_if.hpp"
#include "model/spec_rules.hpp"

namespace reeve::api {
namespace {

using controller::Comparison;
using controller::Forecast;
using controller::Scenario;

constexpr std::size_t kNameCharacters = 255;
constexpr std::int64_t kJobsShownDefault = 100;
constexpr std::int64_t kHorizonDefaultS = 7LL * 86'400;
constexpr std::int64_t kHorizonMaxS = 10LL * 366 * 86'400;
constexpr auto kTimeMax = std::chrono::seconds(10);  // Half of it for each of the two runs.

/// One runs at a time: the other threads of the read pool answer everything else.
constexpr int kConcurrentMax = 1;

struct Question {
    controller::WhatIf what_if = {};
    std::chrono::seconds horizon = {};
    std::size_t jobs_shown = 0;
    Caller caller = {};
};

tl::unexpected<Error> in_field(const std::string& where, Error error) {
    error.message = where + error.message;
    return tl::unexpected<Error>(std::move(error));
}

std::string place_in(const char* list, std::size_t at) {
    return std::string(list) + "[" + std::to_string(at) + "].";
}

Result<void> read_jobs(const JsonBody& body, controller::WhatIf& what_if) {
    const auto items = body.objects("jobs", {"spec", "count"}, controller::kHypotheticalJobsMax);
    if (!items) {
        return tl::unexpected<Error>(items.error());
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
        const auto count =
            (*items)[i].integer("count", {.least = 1, .most = controller::kHypotheticalJobsMax});
        if (!count) {
            return in_field(place_in("jobs", i), count.error());
        }
        const auto text = (*items)[i].json("spec");
        if (!text) {
            return in_field(
                place_in("jobs", i),
                {ErrorCode::kInvalid, "spec: is missing; it is what POST /api/v1/jobs takes", {}});
        }
        auto spec = model::parse_job_spec(*text);
        if (!spec) {
            return in_field(place_in("jobs", i) + "spec: ", spec.error());
        }
        what_if.jobs.push_back(
            {.terms = std::move(spec->terms),
             .count = static_cast<std::uint32_t>(count->value_or(1))});
    }
    return {};
}

Result<controller::AddedNodes> added_nodes(const JsonBody& item) {
    controller::AddedNodes added;
    const auto like = item.text("like", kNameCharacters);
    const auto model = item.text("gpu_model", model::kGpuModelBytesMax);
    if (!like || !model) {
        return tl::unexpected<Error>(like ? model.error() : like.error());
    }
    added.like = like->value_or("");
    added.gpu_model = model->value_or("");
    const std::vector<std::tuple<const char*, std::int64_t*, std::int64_t, std::int64_t>> amounts =
        {
            {"count",          &added.count,          1, controller::kAddedNodesMax},
            {"gpus",           &added.gpus,           1, model::kGpusMax           },
            {"gpu_memory_mib", &added.gpu_memory_mib, 1, model::kMemoryMibMax      },
            {"cpu_millicores", &added.cpu_millicores, 1, model::kCpuMillicoresMax  },
            {"memory_mib",     &added.memory_mib,     1, model::kMemoryMibMax      },
    };
    for (const auto& [name, amount, least, most] : amounts) {
        const auto given = item.integer(name, {.least = least, .most = most});
        if (!given) {
            return tl::unexpected<Error>(given.error());
        }
        *amount = given->value_or(*amount);
    }
    const bool has_own = added.gpus > 0 || !added.gpu_model.empty() || added.gpu_memory_mib > 0 ||
                         added.cpu_millicores > 0 || added.memory_mib > 0;
    if (added.like.empty() ? added.gpus == 0 || added.gpu_model.empty() : has_own) {
        return fail(
            ErrorCode::kInvalid,
            "like: expects the name of a node and nothing else but a count; "
            "or, without like, gpus and gpu_model are needed");
    }
    return added;
}

Result<void> read_nodes(const JsonBody& body, controller::WhatIf& what_if) {
    const std::vector<std::pair<const char*, std::vector<std::string>*>> lists = {
        {"drain",  &what_if.drained},
        {"resume", &what_if.resumed},
        {"remove", &what_if.removed},
    };
    for (const auto& [name, list] : lists) {
        auto names = body.texts(name, kNameCharacters, controller::kScenarioChangesMax);
        if (!names) {
            return tl::unexpected<Error>(std::move(names.error()));
        }
        *list = *std::move(names);
    }
    const auto items = body.objects(
        "add_nodes",
        {"count", "like", "gpus", "gpu_model", "gpu_memory_mib", "cpu_millicores", "memory_mib"},
        controller::kScenarioChangesMax);
    if (!items) {
        return tl::unexpected<Error>(items.error());
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
        auto added = added_nodes((*items)[i]);
        if (!added) {
            return in_field(place_in("add_nodes", i), std::move(added.error()));
        }
        what_if.added.push_back(*std::move(added));
    }
    return {};
}

Result<controller::ProjectLimits> project_limits(const JsonBody& item) {
    const auto name = item.text("name", kNameCharacters);
    const auto quota = quota_of(item);
    const auto guaranteed = guaranteed_of(item);
    if (!name || !quota || !guaranteed) {
        return tl::unexpected<Error>(
            !name    ? name.error()
            : !quota ? quota.error()
                     : guaranteed.error());
    }
    if (!*name || !*quota) {
        return fail(
            ErrorCode::kInvalid,
            std::string(*name ? "quota" : "name") + ": is missing; both name and quota are needed");
    }
    return controller::ProjectLimits{
        .name = **name, .quota = **quota, .guaranteed_gpu_milli = *guaranteed};
}

Result<void> read_projects(const JsonBody& body, controller::WhatIf& what_if) {
    const auto items = body.objects(
        "projects", {"name", "quota", "guaranteed_gpu_milli"}, controller::kScenarioChangesMax);
    if (!items) {
        return tl::unexpected<Error>(items.error());
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
        auto limits = project_limits((*items)[i]);
        if (!limits) {
            return in_field(place_in("projects", i), std::move(limits.error()));
        }
        what_if.quotas.push_back(*std::move(limits));
    }
    return {};
}

Result<std::optional<controller::JobWish>> wish_of(const std::string& word) {
    using controller::JobWish;
    if (word == "cancel") {
        return JobWish::kCancel;
    }
    if (word == "hold") {
        return JobWish::kHold;
    }
    if (word == "release") {
        return JobWish::kRelease;
    }
    return fail(ErrorCode::kInvalid, "do: expects cancel, hold or release");
}

/// A number, or the name of one, as in a job.
Result<void> read_priority(const JsonBody& item, controller::JobChange& change) {
    constexpr std::int64_t kPriorityMax = model::kPriorityMax;
    if (item.json("priority").value_or("").starts_with('"')) {
        const auto name = item.text("priority", kNameCharacters);
        if (!name) {
            return tl::unexpected<Error>(name.error());
        }
        if (const std::string fault = model::fault_of_priority_name(**name); !fault.empty()) {
            return fail(ErrorCode::kInvalid, "priority: " + fault);
        }
        change.priority_name = **name;
        return {};
    }
    const auto number = item.integer("priority", {.least = -kPriorityMax, .most = kPriorityMax});
    if (!number) {
        return tl::unexpected<Error>(number.error());
    }
    if (*number) {
        change.priority = static_cast<std::int32_t>(**number);
    }
    return {};
}

/// What of it is another number.
Result<controller::JobChange> numbers_of(const JsonBody& item) {
    const auto limit = item.integer("time_limit_s", {.least = 0, .most = model::kTimeLimitMaxS});
    if (!limit) {
        return tl::unexpected<Error>(limit.error());
    }
    controller::JobChange change{.time_limit_s = *limit};
    return read_priority(item, change).map([&] { return change; });
}

Result<controller::JobChange> job_change(const JsonBody& item) {
    const auto id = item.integer("id", {.least = 1, .most = kIdMax});
    const auto word = item.text("do", kNameCharacters);
    if (!id || !word) {
        return tl::unexpected<Error>(id ? word.error() : id.error());
    }
    if (!*id) {
        return fail(ErrorCode::kInvalid, "id: is missing; it is the number of a job");
    }
    const auto wish = *word ? wish_of(**word) : Result<std::optional<controller::JobWish>>();
    auto change = wish ? numbers_of(item) : tl::unexpected<Error>(wish.error());
    if (!change) {
        return change;
    }
    change->job = JobId(static_cast<std::uint64_t>(**id));
    change->wish = *wish;
    const bool has_priority = change->priority || !change->priority_name.empty();
    if (!change->wish && !has_priority && !change->time_limit_s) {
        return fail(
            ErrorCode::kInvalid,
            "do: is missing, and so are priority and time_limit_s; at least one of them is needed");
    }
    return change;
}

Result<void> read_changes(const JsonBody& body, controller::WhatIf& what_if) {
    const auto items = body.objects(
        "change_jobs", {"id", "priority", "time_limit_s", "do"}, controller::kScenarioChangesMax);
    if (!items) {
        return tl::unexpected<Error>(items.error());
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
        const auto change = job_change((*items)[i]);
        if (!change) {
            return in_field(place_in("change_jobs", i), change.error());
        }
        what_if.changes.push_back(*change);
    }
    return {};
}

Result<void> read_policies(const JsonBody& body, controller::WhatIf& what_if) {
    const auto backfill = body.text("backfill", kNameCharacters);
    const auto policy = body.text("policy", kNameCharacters);
    if (!backfill || !policy) {
        return tl::unexpected<Error>(backfill ? policy.error() : backfill.error());
    }
    if (*backfill) {
        const auto parsed = scheduler::parse_backfill(**backfill);
        if (!parsed) {
            return in_field("backfill: ", parsed.error());
        }
        what_if.backfill = *parsed;
    }
    if (*policy) {
        const auto parsed = scheduler::parse_policy(**policy);
        if (!parsed) {
            return in_field("policy: ", parsed.error());
        }
        what_if.policy = *parsed;
    }
    return {};
}

Result<Question> question_of(const HttpRequest& request) {
    const auto body = JsonBody::parse(
        request.body, {"jobs", "drain", "resume", "remove", "add_nodes", "projects", "backfill",
                       "policy", "change_jobs", "horizon_s", "limit"});
    if (!body) {
        return tl::unexpected<Error>(body.error());
    }
    Question question{
        .what_if = {.user = request.caller.user, .is_admin = request.caller.role == Role::kAdmin},
        .caller = request.caller
    };
    for (const auto& read : {read_jobs, read_nodes, read_projects, read_changes, read_policies}) {
        if (Result<void> done = read(*body, question.what_if); !done) {
            return tl::unexpected<Error>(std::move(done.error()));
        }
    }
    const auto horizon = body->integer("horizon_s", {.least = 1, .most = kHorizonMaxS});
    const auto limit = body->integer(
        "limit", {.least = 0, .most = static_cast<std::int64_t>(controller::kScenarioJobsMax)});
    if (!horizon || !limit) {
        return tl::unexpected<Error>(horizon ? limit.error() : horizon.error());
    }
    question.horizon = std::chrono::seconds(horizon->value_or(kHorizonDefaultS));
    question.jobs_shown = static_cast<std::size_t>(limit->value_or(kJobsShownDefault));
    return question;
}

// ---- The answer.

void write_foreseen(JsonText& json, const char* name, const controller::Foreseen& foreseen) {
    json.key(name);
    json.begin_object();
    json.field("kind", controller::word_of(foreseen.fate));
    if (foreseen.fate == controller::Fate::kExpected) {
        json.field("expected_at", foreseen.at);
        json.key("nodes");
        json.begin_array();
        for (const std::string& node : foreseen.nodes) {
            json.value(node);
        }
        json.end_array();
    }
    json.end_object();
}

void write_totals(JsonText& json, const char* name, const Forecast& forecast) {
    const controller::Totals& totals = forecast.totals;
    json.key(name);
    json.begin_object();
    json.field("jobs", totals.jobs);
    json.field("started", totals.started);
    json.field("started_in_horizon", totals.started_in_horizon);
    json.field("never", totals.never);
    json.field("held", totals.held);
    json.field("not_reached", totals.not_reached);
    json.field("wait_mean_s", totals.wait_mean.count());
    json.field("wait_max_s", totals.wait_max.count());
    if (totals.queue_empty_at) {
        json.field("queue_empty_at", *totals.queue_empty_at);
    }
    if (totals.gpu_permille) {
        json.field("gpu_permille", *totals.gpu_permille);
    }
    json.field("starts", forecast.starts);
    json.field("is_cut_short", forecast.is_cut_short);
    json.end_object();
}

/// Those that the caller may see, what changes most first.
void write_jobs(
    JsonText& json, const Comparison& compared, const Caller& caller, std::size_t shown) {
    json.key("jobs");
    json.begin_array();
    std::uint64_t visible = 0;
    for (const controller::Compared& each : compared.jobs) {
        if (!may_see(caller, each.job->user) || ++visible > shown) {
            continue;
        }
        json.begin_object();
        json.field("id", each.job->record.id.value());
        json.field("name", each.job->name);
        json.field("user", each.job->user);
        json.field("project", each.job->project);
        write_foreseen(json, "before", each.before);
        write_foreseen(json, "after", each.after);
        if (each.later_by) {
            json.field("later_by_s", each.later_by->count());
        }
        json.end_object();
    }
    json.end_array();
    json.field("jobs_total", visible);
}

void write_hypothetical(JsonText& json, const Scenario& then, const Forecast& after) {
    json.key("hypothetical");
    json.begin_array();
    for (const ledger::JobRow& job : then.queue) {
        if (job.record.id >= controller::kFirstHypothetical) {
            json.begin_object();
            json.field("name", job.name);
            json.field("project", job.project);
            write_foreseen(json, "after", after.jobs.at(job.record.id));
            json.end_object();
        }
    }
    json.end_array();
}

// ---- The work.

struct Queue {
    std::vector<ledger::JobRow> rows = {};
    bool has_more = false;
};

Result<Queue> queue_of(ledger::Reader& reader, const AnswerWatch& watch) {
    Queue queue;
    std::optional<ledger::JobCursor> after;
    do {
        auto page = reader.jobs({}, ledger::JobOrder::kQueue, after, ledger::kPageMax);
        if (!page) {
            return tl::unexpected<Error>(std::move(page.error()));
        }
        std::ranges::move(page->rows, std::back_inserter(queue.rows));
        after = page->next;
    } while (after && queue.rows.size() < controller::kScenarioJobsMax && !watch.is_in_vain());
    queue.has_more = after.has_value();
    return queue;
}

HttpResponse in_vain() {
    return refuse(
        ErrorCode::kUnavailable,
        "the simulation was stopped, as its client closed the connection or the server is "
        "stopping; ask again");
}

HttpResponse simulate(
    ledger::Reader& reader,
    const ApiParts& parts,
    const Question& question,
    const Responder& responder,
    const AnswerWatch& watch) {
    const Caller& caller = question.caller;
    auto queue = queue_of(reader, watch);
    if (!queue) {
        return refuse(std::move(queue.error()));
    }
    if (watch.is_in_vain()) {
        return in_vain();
    }
    const auto view = parts.commands.view();  // After the queue: see SituationBuilder::add().
    Scenario now{.view = *view, .queue = std::move(queue->rows)};
    now.view.at = std::max(view->at, parts.now());
    const auto then = controller::scenario_of(now, question.what_if, [&](JobId id) {
        return visible_job(reader, id, caller, responder);
    });
    if (!then) {
        return refuse(then.error());
    }
    const auto limits_until = [&](Instant end) {
        return controller::ForecastLimits{
            .horizon = question.horizon,
            .is_over = [&parts, &watch, end] { return watch.is_in_vain() || parts.now() >= end; }};
    };
    const Instant begin = parts.now();
    const Forecast before = controller::forecast(now, limits_until(begin + kTimeMax / 2));
    const Forecast after = controller::forecast(*then, limits_until(begin + kTimeMax));
    if (watch.is_in_vain()) {
        return in_vain();
    }
    const Comparison compared = controller::compare(now, before, after, then->cancelled);
    JsonText json;
    json.begin_object();
    write_totals(json, "before", before);
    write_totals(json, "after", after);
    json.field("sooner", compared.sooner);
    json.field("later", compared.later);
    json.field("unchanged", compared.unchanged);
    json.field("cancelled", compared.cancelled);
    json.field("unknown", compared.unknown);
    write_hypothetical(json, *then, after);
    write_jobs(json, compared, caller, question.jobs_shown);
    json.field("has_more_queued", queue->has_more);
    json.field("horizon_s", question.horizon.count());
    json.field("assumed_run_s", view->scheduling.assumed_run.count());
    write_as_of(json, view->incarnation, view->rev, now.view.at);
    json.end_object();
    return {.body = json.take()};
}

/// Counts a simulation from when it is accepted until nothing of it is left.
class Turn {
  public:
    explicit Turn(std::shared_ptr<std::atomic<int>> running)
        : running_(std::move(running)), is_mine_(running_->fetch_add(1) < kConcurrentMax) {}

    ~Turn() { running_->fetch_sub(1); }

    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn(Turn&&) = delete;
    Turn& operator=(Turn&&) = delete;

    [[nodiscard]] bool is_mine() const { return is_mine_; }

  private:
    std::shared_ptr<std::atomic<int>> running_;
    bool is_mine_;
};

}  // namespace

std::vector<Route> simulation_routes(const ApiParts& parts) {
    const auto running = std::make_shared<std::atomic<int>>(0);
    return {
        {.method = Method::kPost,
         .pattern = "/api/v1/simulations",
         .permission = Permission::kJobsRead,
         .handler = [&parts, running](HttpRequest& request, const Responder& responder) {
             auto question = question_of(request);
             if (!question) {
                 responder.fail(std::move(question.error()));
                 return;
             }
             const auto turn = std::make_shared<const Turn>(running);
             if (!turn->is_mine()) {
                 responder.fail(
                     {ErrorCode::kLimit,
                      "another simulation runs, and the server does one at a time; try again in a "
                      "few seconds",
                      {}});
                 return;
             }
             if (request.caller.role == Role::kAdmin) {
                 responder.note_read_of("*");
             }
             parts.reads.answer(
                 responder, [&parts, turn, responder, watch = responder.watch(),
                             question = *std::move(question)](ledger::Reader& reader) {
                     return simulate(reader, parts, question, responder, *watch);
                 });
         }}
    };
}

}  // namespace reeve::api
