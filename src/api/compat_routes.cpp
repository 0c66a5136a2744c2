// The doors of requirement 003: POST /submit and GET /status, with exactly its fields.
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "api/job_json.hpp"
#include "api/json_body.hpp"
#include "api/request_fields.hpp"
#include "api/routes.hpp"
#include "model/spec_rules.hpp"

namespace reeve::api {
namespace {

/// Whom the job is for, if not its owner. Anybody may have said so: the owner is known.
constexpr std::string_view kUserLabel = "submitted-for";
constexpr std::array<std::string_view, 4> kFields = {"user", "data_url", "config_file", "work_dir"};
constexpr std::size_t kFieldCharacters = 4096;
constexpr std::size_t kUserCharacters = 63;
constexpr std::size_t kQueuedShown = 10;

using Fields = std::map<std::string, std::string, std::less<>>;

Result<Fields> fields_of(const HttpRequest& request) {
    const auto body =
        JsonBody::parse(request.body, {"user", "data_url", "config_file", "work_dir"});
    if (!body) {
        return tl::unexpected<Error>(body.error());
    }
    Fields fields;
    for (const std::string_view name : kFields) {
        auto value = body->text(name, name == "user" ? kUserCharacters : kFieldCharacters);
        if (!value) {
            return tl::unexpected<Error>(std::move(value.error()));
        }
        if (!*value || (*value)->empty()) {
            return fail(ErrorCode::kInvalid, std::string(name) + ": is missing");
        }
        fields.emplace(name, std::move(**value));
    }
    // It may become a label, and is shown to others.
    const std::string& user = fields.find("user")->second;
    if (!model::fault_of_label_value(user).empty()) {
        return fail(
            ErrorCode::kInvalid, "user: expects a name, without commas and control characters");
    }
    return fields;
}

/// "{user}" -> the field's value; anything else stays as it is, also text with braces in it.
void fill_in(std::string& text, const Fields& fields) {
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
        return;
    }
    const auto field = fields.find(std::string_view(text).substr(1, text.size() - 2));
    if (field != fields.end()) {
        text = field->second;
    }
}

/// Who the job runs as. Errors: kForbidden for somebody else's name.
Result<model::Identity> identity_of(
    const ApiParts& parts, const Caller& caller, const std::string& user) {
    if (caller.role == Role::kNone) {
        return parts.compat.anonymous;
    }
    if (caller.role != Role::kAdmin && user != caller.user) {
        return fail(
            ErrorCode::kForbidden,
            "user: you are " + caller.user + ", and only an admin submits for others");
    }
    if (user != caller.user && parts.compat.account_of) {
        if (const auto account = parts.compat.account_of(user)) {
            return *account;
        }
    }
    return model::Identity{.user = caller.user, .uid = caller.uid, .gid = caller.gid};
}

Result<ledger::SubmitJobs> submission(const ApiParts& parts, const HttpRequest& request) {
    if (!parts.compat.submit_template) {
        return fail(
            ErrorCode::kPolicy,
            "this server starts no jobs by /submit: its configuration has no "
            "compat.submit_template");
    }
    const auto fields = fields_of(request);
    if (!fields) {
        return tl::unexpected<Error>(fields.error());
    }
    const std::string& user = fields->find("user")->second;
    const auto identity = identity_of(parts, request.caller, user);
    if (!identity) {
        return tl::unexpected<Error>(identity.error());
    }
    model::JobSpec spec = *parts.compat.submit_template;
    for (std::string& argument : spec.execution.argv) {
        fill_in(argument, *fields);
    }
    for (auto& [name, value] : spec.execution.environment) {
        fill_in(value, *fields);
    }
    if (user != identity->user) {
        spec.terms.labels.insert_or_assign(std::string(kUserLabel), user);
    }
    if (spec.terms.name.empty()) {
        spec.terms.name = model::default_name(spec.execution);
    }
    const std::string text = model::to_json(spec);
    // What was filled in came from outside: it is held to the same rules as any job.
    const auto checked = model::parse_job_spec(text);
    if (!checked) {
        return tl::unexpected<Error>(checked.error());
    }
    return ledger::SubmitJobs{
        .actor =
            {.identity = *identity,
                    .is_admin = false,
                    .request_id = request.request_id,
                    .source = std::string(word_of(request.caller.source)),
                    .acted_by = request.caller.acted_by},
        .jobs = {{.terms = checked->terms, .spec_json = text}}
    };
}

/// Exact up to 10,000; a job that left the queue already is at its front.
std::uint64_t position_of(ledger::Reader& reader, JobId id) {
    const auto job = reader.job(id);
    if (!job || job->record.counts.pending() == 0) {
        return 1;
    }
    return reader.position(job->record.rank, id).value_or(1);
}

void submit(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    auto command = submission(parts, request);
    if (!command) {
        responder.fail(std::move(command.error()));
        return;
    }
    parts.commands.submit(
        *std::move(command), [&parts, responder](const Result<ledger::Reply>& reply) {
            if (!reply) {
                responder.fail(reply.error());
                return;
            }
            const JobId id = std::get<ledger::Submitted>(*reply).first_job;
            parts.reads.answer(responder, [id](ledger::Reader& reader) {
                JsonText json;
                json.begin_object();
                json.field("status", "queued");
                json.field("job_id", id.value());
                json.key("position");
                write_position(json, position_of(reader, id));
                json.end_object();
                return HttpResponse{.body = json.take()};
            });
        });
}

/// Whose the job is, and whom it is said to be for: "reeve for ada". Who may not know is told of
/// neither.
std::string shown_user(const ApiParts& parts, const ledger::JobRow& job, const Caller& caller) {
    const bool is_visible = caller.role == Role::kNone ? job.user == parts.compat.anonymous.user
                                                       : may_see(caller, job.user);
    if (!is_visible) {
        return "other";
    }
    const auto label = job.labels.find(std::string(kUserLabel));
    return label == job.labels.end() ? job.user : job.user + " for " + label->second;
}

HttpResponse status(ledger::Reader& reader, const ApiParts& parts, const Caller& caller) {
    using model::ElementState;
    const auto page = reader.jobs({}, ledger::JobOrder::kQueue, std::nullopt, kQueuedShown);
    if (!page) {
        return refuse(page.error());
    }
    const auto view = parts.commands.view();
    const auto count = [&](ElementState state) {
        return view->element_counts.at(static_cast<std::size_t>(state));
    };
    JsonText json;
    json.begin_object();
    json.field("queue_length", count(ElementState::kQueued) + count(ElementState::kHeld));
    json.field(
        "running_jobs", count(ElementState::kScheduled) + count(ElementState::kRunning) +
                            count(ElementState::kStopping));
    json.key("queued_jobs");
    json.begin_array();
    std::uint64_t position = 0;
    for (const ledger::JobRow& job : page->rows) {
        ++position;
        json.begin_object();
        json.field("user", shown_user(parts, job, caller));
        json.field("timestamp", job.record.submitted_at);
        json.field("job_id", job.record.id.value());
        json.field("position", position);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return {.body = json.take()};
}

}  // namespace

std::vector<Route> compat_routes(const ApiParts& parts) {
    return {
        {.method = Method::kPost,
         .pattern = "/submit",
         .permission = Permission::kCompat,
         .handler = [&parts](
                        HttpRequest& request,
         const Responder& responder) { submit(parts, request, responder); }},
        {.method = Method::kGet,
         .pattern = "/status",
         .permission = Permission::kCompat,
         .handler =
             [&parts](HttpRequest& request,   const Responder& responder) {
                 parts.reads.answer(
                     responder, [&parts, caller = request.caller](ledger::Reader& reader) {
                         return status(reader, parts, caller);
                     });
             }                  },
    };
}

}  // namespace reeve::api
