// Changes of jobs: commands to the one writer, answered when they are durable.
#include <atomic>
#include <iterator>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "api/identity.hpp"
#include "api/job_json.hpp"
#include "api/json_body.hpp"
#include "api/request_fields.hpp"
#include "api/routes.hpp"

namespace reeve::api {
namespace {

/// Jobs that are tried together: why one waits is a look at every node.
constexpr std::size_t kTrialsMax = 100;
constexpr std::size_t kBatchMax = 1000;
constexpr std::uint64_t kBatchBodyMax = 32ULL << 20;

/// Tells a repeated request from another one under the same key.
std::uint64_t fingerprint_of(const HttpRequest& request) {
    const Sha256 hash = sha256_of(std::string(request.target) + "\n" + request.body);
    std::uint64_t fingerprint = 0;
    for (std::size_t i = 0; i < sizeof(fingerprint); ++i) {
        fingerprint = fingerprint << 8U | hash.at(i);
    }
    return fingerprint;
}

/// Errors: kInvalid for a key that is none.
Result<ledger::SubmitJobs> submission(const HttpRequest& request) {
    constexpr std::size_t kKeyMax = 128;
    ledger::SubmitJobs command{.actor = actor_of(request)};
    if (!request.fields.idempotency_key) {
        return command;
    }
    const std::string_view key = *request.fields.idempotency_key;
    const bool is_good = std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!is_good || key.empty() || key.size() > kKeyMax) {
        return fail(
            ErrorCode::kInvalid, "Idempotency-Key: expects 1 to 128 visible ASCII characters");
    }
    command.idempotency_key = std::string(key);
    command.fingerprint = fingerprint_of(request);
    return command;
}

void mark_replay(HttpResponse& response, const ledger::Submitted& submitted) {
    if (submitted.is_replay) {
        response.headers.emplace_back("Idempotent-Replay", "true");
    }
}

/// Where a job that is not submitted would be, behind all that wait with its priority; nothing if
/// it would not be queued.
Result<std::optional<std::uint64_t>> position_to_be(
    ledger::Reader& reader, const ledger::JobRow& job) {
    constexpr JobId kLast(kIdMax);
    if (job.record.counts[model::ElementState::kQueued] == 0) {
        return std::nullopt;
    }
    const auto found = reader.position(job.record.rank, kLast);
    return found ? Result<std::optional<std::uint64_t>>(*found)
                 : tl::unexpected<Error>(found.error());
}

void write_trial(
    JsonText& json,
    const ApiParts& parts,
    const controller::Waiter& waiter,
    const controller::Why& why,
    const controller::View& view) {
    json.begin_object();
    json.field("elements", waiter.job.record.range.count());
    json.field("reason", reason_word(why));
    write_reasons(json, waiter, why);
    write_as_of(json, view.incarnation, view.rev, parts.now());
    json.end_object();
}

/// What a dry run found: the job as it would be, and why it would wait.
HttpResponse foretell(ledger::Reader& reader, const ApiParts& parts, const ledger::JobRow& job) {
    const auto view = parts.commands.view();
    const auto position = position_to_be(reader, job);
    if (!position) {
        return refuse(position.error());
    }
    const controller::Waiter waiter{.job = job, .is_submitted = false};
    controller::Why why = controller::why_pending(waiter, *position, *view, {.user = job.user});
    controller::add_changes(why, waiter, *view, parts.now());
    JsonText json;
    write_trial(json, parts, waiter, why, *view);
    return {.body = json.take()};
}

/// The same of each job of a batch, but for the changes. Those before it in the batch are before
/// it in the queue; the room that they take is not counted.
HttpResponse foretell_all(
    ledger::Reader& reader, const ApiParts& parts, const std::vector<ledger::JobRow>& jobs) {
    const auto view = parts.commands.view();
    std::multiset<std::int64_t> ranks;  // Of those of the batch that are queued.
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_array();
    for (const ledger::JobRow& job : jobs) {
        auto position = position_to_be(reader, job);
        if (!position) {
            return refuse(std::move(position.error()));
        }
        if (*position) {
            **position += static_cast<std::uint64_t>(
                std::distance(ranks.begin(), ranks.upper_bound(job.record.rank)));
            ranks.insert(job.record.rank);
        }
        const controller::Waiter waiter{.job = job, .is_submitted = false};
        write_trial(
            json, parts, waiter,
            controller::why_pending(waiter, *position, *view, {.user = job.user}), *view);
    }
    json.end_array();
    write_as_of(json, view->incarnation, view->rev, parts.now());
    json.end_object();
    return {.body = json.take()};
}

/// What is known of the job before it is checked.
ledger::JobRow row_to_be(const ledger::Actor& actor, const model::JobTerms& terms) {
    ledger::JobRow job;
    job.user = actor.identity.user;
    job.project = terms.project;
    job.gpus = terms.gpus;
    job.on = terms.on;
    job.host = {.cpu_millicores = terms.cpu_millicores, .memory_mib = terms.memory_mib};
    return job;
}

/// Collects what became of the trials of a batch: of all jobs together, and of each.
class BatchTrial {
  public:
    BatchTrial(const ApiParts& parts, Responder responder, std::vector<ledger::JobRow> jobs)
        : parts_(parts),
          responder_(std::move(responder)),
          jobs_(std::move(jobs)),
          replies_(jobs_.size() + 1),
          missing_(replies_.size()) {}

    /// `at` 0: of all together; else of job `at` - 1.
    void put(std::size_t at, Result<ledger::Reply> reply) {
        replies_[at] = std::move(reply);
        if (missing_.fetch_sub(1) == 1) {
            send();
        }
    }

  private:
    void send() {
        for (const auto& reply : replies_) {
            if (!reply) {
                responder_.fail(reply.error());
                return;
            }
        }
        for (std::size_t i = 0; i < jobs_.size(); ++i) {
            jobs_[i].record = std::get<ledger::Checked>(*replies_[i + 1]).job;
        }
        parts_.reads.answer(
            responder_, [&parts = parts_, jobs = std::move(jobs_)](ledger::Reader& reader) {
                return foretell_all(reader, parts, jobs);
            });
    }

    const ApiParts& parts_;
    Responder responder_;
    std::vector<ledger::JobRow> jobs_;
    std::vector<Result<ledger::Reply>> replies_;  // Each slot is written once, by one callback.
    std::atomic<std::size_t> missing_;
};

void try_batch(
    const ApiParts& parts,
    ledger::SubmitJobs command,
    const std::vector<model::JobSpec>& specs,
    const Responder& responder) {
    command.is_dry_run = true;
    std::vector<ledger::JobRow> jobs;
    std::vector<ledger::SubmitJobs> each;
    for (const model::JobSpec& spec : specs) {
        jobs.push_back(row_to_be(command.actor, spec.terms));
        each.push_back(command);
        each.back().jobs.push_back({.terms = spec.terms});
    }
    for (const model::JobSpec& spec : specs) {
        command.jobs.push_back({.terms = spec.terms});
    }
    const auto trial = std::make_shared<BatchTrial>(parts, responder, std::move(jobs));
    parts.commands.submit(std::move(command), [trial](Result<ledger::Reply> reply) {
        trial->put(0, std::move(reply));
    });
    for (std::size_t i = 0; i < each.size(); ++i) {
        parts.commands.submit(std::move(each[i]), [trial, i](Result<ledger::Reply> reply) {
            trial->put(i + 1, std::move(reply));
        });
    }
}

void try_job(
    const ApiParts& parts,
    ledger::SubmitJobs command,
    const model::JobSpec& spec,
    const Responder& responder) {
    ledger::JobRow job = row_to_be(command.actor, spec.terms);
    command.is_dry_run = true;
    command.jobs.push_back({.terms = spec.terms});
    parts.commands.submit(
        std::move(command),
        [&parts, responder, job = std::move(job)](const Result<ledger::Reply>& reply) mutable {
            if (!reply) {
                responder.fail(reply.error());
                return;
            }
            job.record = std::get<ledger::Checked>(*reply).job;
            parts.reads.answer(responder, [&parts, job = std::move(job)](auto& reader) {
                return foretell(reader, parts, job);
            });
        });
}

void post_job(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    auto command = submission(request);
    auto spec = model::parse_job_spec(request.body);
    const auto is_dry_run = truth_parameter(request, "dry_run");
    if (!command || !spec || !is_dry_run) {
        responder.fail(!spec ? spec.error() : !command ? command.error() : is_dry_run.error());
        return;
    }
    if (*is_dry_run) {
        try_job(parts, *std::move(command), *spec, responder);
        return;
    }
    const std::uint32_t elements = spec->terms.array ? spec->terms.array->count() : 1;
    std::string text = model::to_json(*spec);
    command->jobs.push_back({.terms = std::move(spec->terms), .spec_json = std::move(text)});
    parts.commands.submit(
        *std::move(command), [responder, elements](const Result<ledger::Reply>& reply) {
            if (!reply) {
                responder.fail(reply.error());
                return;
            }
            const auto& submitted = std::get<ledger::Submitted>(*reply);
            const std::string id = to_string(submitted.first_job);
            HttpResponse response{
                .status = 201,
                .body = "{\"id\":" + id + ",\"elements\":" + std::to_string(elements) + "}"};
            response.headers.emplace_back("Location", "/api/v1/jobs/" + id);
            mark_replay(response, submitted);
            responder.send(std::move(response));
        });
}

void post_batch(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    auto command = submission(request);
    const auto is_dry_run = truth_parameter(request, "dry_run");
    auto specs =
        model::parse_job_batch(request.body, is_dry_run.value_or(false) ? kTrialsMax : kBatchMax);
    if (!command || !specs || !is_dry_run) {
        responder.fail(!specs ? specs.error() : !command ? command.error() : is_dry_run.error());
        return;
    }
    if (*is_dry_run) {
        try_batch(parts, *std::move(command), *specs, responder);
        return;
    }
    command->jobs.reserve(specs->size());
    for (model::JobSpec& spec : *specs) {
        std::string text = model::to_json(spec);
        command->jobs.push_back({.terms = std::move(spec.terms), .spec_json = std::move(text)});
    }
    parts.commands.submit(*std::move(command), [responder](const Result<ledger::Reply>& reply) {
        if (!reply) {
            responder.fail(reply.error());
            return;
        }
        const auto& submitted = std::get<ledger::Submitted>(*reply);
        JsonText json;
        json.begin_object();
        json.key("ids");
        json.begin_array();
        for (std::uint32_t i = 0; i < submitted.job_count; ++i) {
            json.value(submitted.first_job.value() + i);
        }
        json.end_array();
        json.end_object();
        HttpResponse response{.status = 201, .body = json.take()};
        mark_replay(response, submitted);
        responder.send(std::move(response));
    });
}

/// What POST jobs/{id}:stop and its like ask for.
Result<ledger::ControlJobs> control_of(const HttpRequest& request, ledger::Control control) {
    const bool is_stop = control == ledger::Control::kStop;
    const auto id = job_id_of(request);
    if (!id) {
        return tl::unexpected<Error>(id.error());
    }
    const auto body = is_stop ? JsonBody::parse(request.body, {"element", "force"})
                              : JsonBody::parse(request.body, {"element"});
    if (!body) {
        return tl::unexpected<Error>(body.error());
    }
    const auto element = body->integer("element", {.least = 0, .most = kIndexMax});
    const auto force = body->truth("force");
    if (!element || !force) {
        return tl::unexpected<Error>(element ? force.error() : element.error());
    }
    auto if_rev = if_match_of(request);
    if (!if_rev) {
        return tl::unexpected<Error>(std::move(if_rev.error()));
    }
    ledger::Target target{.job = *id};
    if (*element) {
        target.index = static_cast<std::uint32_t>(**element);
    }
    return ledger::ControlJobs{
        .actor = actor_of(request),
        .control = force->value_or(false) ? ledger::Control::kStopForced : control,
        .targets = {target},
        .if_rev = *std::move(if_rev)};
}

Handler control_handler(const ApiParts& parts, ledger::Control control) {
    return [&parts, control](HttpRequest& request, const Responder& responder) {
        auto command = control_of(request, control);
        if (!command) {
            responder.fail(std::move(command.error()));
            return;
        }
        const JobId id = command->targets.front().job;
        parts.commands.submit(
            *std::move(command), [responder, id](const Result<ledger::Reply>& reply) {
                if (!reply) {
                    responder.fail(reply.error());
                    return;
                }
                const auto& controlled = std::get<ledger::Controlled>(*reply);
                HttpResponse response{
                    .body = "{\"id\":" + to_string(id) +
                            ",\"changed\":" + std::to_string(controlled.element_count) + "}"};
                if (controlled.rev != Revision(0)) {
                    response.headers.emplace_back("ETag", etag_of(controlled.rev));
                }
                responder.send(std::move(response));
            });
    };
}

/// Collects the answers to a bulk request, and sends them with the last one.
class BulkAnswer {
  public:
    BulkAnswer(Responder responder, std::vector<JobId> ids)
        : responder_(std::move(responder)),
          ids_(std::move(ids)),
          replies_(ids_.size()),
          missing_(ids_.size()) {}

    void put(std::size_t at, Result<ledger::Reply> reply) {
        replies_[at] = std::move(reply);
        if (missing_.fetch_sub(1) == 1) {
            send();
        }
    }

  private:
    /// Ids of others look as if they were not there; the audit log knows.
    void note_denials() const {
        std::string owner;
        std::string ids;
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            const auto& reply = replies_[i];
            if (!reply && reply.error().context.starts_with(ledger::kHiddenOf)) {
                const std::string one = reply.error().context.substr(ledger::kHiddenOf.size());
                owner = owner.empty() || owner == one ? one : "*";
                ids += (ids.empty() ? "jobs " : ", ") + to_string(ids_[i]);
            }
        }
        if (!owner.empty()) {
            responder_.note_denial(owner, ids);
        }
    }

    void send() const {
        note_denials();
        JsonText json;
        json.begin_object();
        json.key("items");
        json.begin_array();
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            json.begin_object();
            json.field("id", ids_[i].value());
            if (const auto& reply = replies_[i]) {
                json.field("changed", std::get<ledger::Controlled>(*reply).element_count);
            } else {
                json.key("error");
                json.begin_object();
                json.field("code", row_of(reply.error().code).name);
                json.field("detail", reply.error().message);
                json.end_object();
            }
            json.end_object();
        }
        json.end_array();
        json.end_object();
        responder_.send({.body = json.take()});
    }

    Responder responder_;
    std::vector<JobId> ids_;
    std::vector<Result<ledger::Reply>> replies_;  // Each slot is written once, by one callback.
    std::atomic<std::size_t> missing_;
};

/// What POST jobs:stop and its like ask for.
void control_jobs(
    const ApiParts& parts,
    const HttpRequest& request,
    const Responder& responder,
    ledger::Control wanted) {
    const auto body = wanted == ledger::Control::kStop
                          ? JsonBody::parse(request.body, {"ids", "force"})
                          : JsonBody::parse(request.body, {"ids"});
    if (!body) {
        responder.fail(body.error());
        return;
    }
    const auto numbers = body->integers("ids", {.least = 1, .most = kIdMax}, kBatchMax);
    const auto force = body->truth("force");
    if (!numbers || !force) {
        responder.fail(numbers ? force.error() : numbers.error());
        return;
    }
    std::vector<JobId> ids;
    for (const std::int64_t number : *numbers) {
        ids.emplace_back(static_cast<std::uint64_t>(number));
    }
    const auto answer = std::make_shared<BulkAnswer>(responder, ids);
    const ledger::Control control = force->value_or(false) ? ledger::Control::kStopForced : wanted;
    for (std::size_t i = 0; i < ids.size(); ++i) {  // One command each: one refusal stops no other.
        parts.commands.submit(
            ledger::ControlJobs{
                .actor = actor_of(request), .control = control, .targets = {{.job = ids[i]}}},
            [answer, i](Result<ledger::Reply> reply) { answer->put(i, std::move(reply)); });
    }
}

}  // namespace

std::vector<Route> job_change_routes(const ApiParts& parts) {
    const auto route = [](std::string pattern, Permission permission, Handler handler) {
        return Route{
            .method = Method::kPost,
            .pattern = std::move(pattern),
            .permission = permission,
            .handler = std::move(handler)};
    };
    const auto with_parts = [&parts](auto function) {
        return [&parts, function](HttpRequest& request, const Responder& responder) {
            function(parts, request, responder);
        };
    };
    std::vector<Route> routes = {
        route("/api/v1/jobs", Permission::kJobsSubmit, with_parts(post_job)),
        route("/api/v1/jobs:batch", Permission::kJobsSubmit, with_parts(post_batch)),
    };
    routes[0].query = {"dry_run"};
    routes[1].query = {"dry_run"};
    routes[1].body_max = kBatchBodyMax;
    const std::vector<std::pair<std::string, ledger::Control>> controls = {
        {"stop",    ledger::Control::kStop   },
        {"hold",    ledger::Control::kHold   },
        {"release", ledger::Control::kRelease},
        {"requeue", ledger::Control::kRequeue},
    };
    for (const auto& [word, control] : controls) {
        routes.push_back(route(
            "/api/v1/jobs/{id}:" + word, Permission::kJobsControl,
            control_handler(parts, control)));
        routes.back().takes_if_match = true;
        routes.push_back(route(
            "/api/v1/jobs:" + word, Permission::kJobsControl,
            [&parts, control](HttpRequest& request, const Responder& responder) {
                control_jobs(parts, request, responder, control);
            }));
    }
    return routes;
}

}  // namespace reeve::api
