// Reads of jobs: from the store, on the read pool.
#include <algorithm>
#include <iterator>
#include <utility>

#include "api/element_lookup.hpp"
#include "api/item_fields.hpp"
#include "api/job_json.hpp"
#include "api/request_fields.hpp"
#include "api/routes.hpp"
#include "api/timeline.hpp"

namespace reeve::api {
namespace {

using controller::View;

constexpr std::size_t kReasonsPerPage = 200;  // A reason costs a look at every node.

controller::Why why_of(
    const ledger::JobRow& job,
    std::optional<std::uint64_t> position,
    const View& view,
    const Caller& caller) {
    return controller::why_pending(
        job, position, view, {.user = caller.user, .is_admin = caller.role == Role::kAdmin});
}

bool is_queued(const ledger::JobRow& job) {
    return job.record.counts[model::ElementState::kQueued] > 0;
}

/// Where in the queue the job is; nothing if it is not in it.
std::optional<std::uint64_t> position_of(ledger::Reader& reader, const ledger::JobRow& job) {
    if (!is_queued(job)) {
        return std::nullopt;
    }
    const auto position = reader.position(job.record.rank, job.record.id);
    return position ? std::optional(*position) : std::nullopt;
}

/// The positions of those jobs of a page that are queued, in the order of the page.
Result<std::vector<std::uint64_t>> positions_of(
    ledger::Reader& reader, const std::vector<ledger::JobRow>& rows) {
    std::vector<ledger::JobCursor> queued;
    for (const ledger::JobRow& job : rows) {
        if (is_queued(job)) {
            queued.push_back({.rank = job.record.rank, .id = job.record.id});
        }
    }
    return queued.empty() ? std::vector<std::uint64_t>() : reader.positions(queued);
}

/// A page of jobs with what can be said of each at little cost.
HttpResponse list_jobs(
    ledger::Reader& reader,
    const ApiParts& parts,
    const JobListQuery& query,
    const Caller& caller) {
    const auto page = reader.jobs(query.filter, query.order, query.after, query.limit);
    if (!page) {
        return refuse(page.error());
    }
    const auto view = parts.commands.view();
    const bool has_reasons = query.fields.has("reason");  // They tell the positions, too.
    const bool has_positions = has_reasons || query.fields.has("position");
    const auto positions =
        has_positions ? positions_of(reader, page->rows) : Result<std::vector<std::uint64_t>>();
    if (!positions) {
        return refuse(positions.error());
    }
    auto position = positions->begin();
    std::size_t reasons_left = has_reasons ? kReasonsPerPage : 0;
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_items(query.fields);
    for (const ledger::JobRow& job : page->rows) {
        JobExtras extras;
        if (job.element) {
            extras.allocation = live_allocation(*view, *job.element);
        }
        if (has_positions && is_queued(job)) {
            extras.position = *position++;
        }
        if (job.record.counts.pending() > 0 && reasons_left > 0) {
            --reasons_left;
            extras.reason = reason_word(why_of(job, extras.position, *view, caller));
        }
        write_job(json, job, *view, extras);
    }
    json.end_items();
    HttpResponse response;
    if (page->next) {
        std::string next = encode(*page->next);
        json.field("next", next);
        response.headers.emplace_back("X-Reeve-Next-Cursor", std::move(next));
    }
    write_as_of(json, view->incarnation, page->as_of, parts.now());
    json.end_object();
    response.body = json.take();
    return response;
}

enum class Include : std::uint8_t { kNothing, kSpec };

HttpResponse get_job(
    ledger::Reader& reader, const ApiParts& parts, const ledger::JobRow& job, Include include) {
    const auto view = parts.commands.view();
    JobExtras extras{.position = position_of(reader, job)};
    if (job.element && job.element->allocation != AllocationId(0)) {
        const auto allocation = reader.allocation(job.element->allocation);
        if (!allocation) {
            return refuse(allocation.error());
        }
        extras.allocation = *allocation;
    }
    if (job.record.counts.pending() > 0) {
        // Of whoever may see the job nothing is shown but a word.
        extras.reason = reason_word(why_of(job, extras.position, *view, Caller{}));
    }
    if (include == Include::kSpec) {
        auto spec = reader.spec(job.record.id);
        if (!spec) {
            return refuse(std::move(spec.error()));
        }
        extras.spec_json = std::move(*spec);
    }
    JsonText json;
    write_job(json, job, *view, extras);
    HttpResponse response{.body = json.take()};
    response.headers.emplace_back("ETag", etag_of(job.record.rev));
    return response;
}

struct ElementQuery {
    std::optional<ElementCursor> after = {};
    std::size_t limit = kPageDefault;
};

Result<ElementQuery> element_query(const HttpRequest& request) {
    const auto limit = limit_of(request);
    const auto after = element_cursor_of(request);
    if (!limit || !after) {
        return tl::unexpected<Error>(limit ? after.error() : limit.error());
    }
    return ElementQuery{.after = *after, .limit = *limit};
}

HttpResponse list_elements(
    ledger::Reader& reader, const ApiParts& parts, JobId id, const ElementQuery& query) {
    const auto page = reader.elements(id, query.after, query.limit);
    if (!page) {
        return refuse(page.error());
    }
    const auto view = parts.commands.view();
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_array();
    for (const model::ElementRecord& element : page->rows) {
        write_element(json, element, *view, live_allocation(*view, element));
    }
    json.end_array();
    if (page->next) {
        json.field("next", encode(*page->next));
    }
    write_as_of(json, view->incarnation, page->as_of, parts.now());
    json.end_object();
    return {.body = json.take()};
}

HttpResponse timeline(
    ledger::Reader& reader,
    const ApiParts& parts,
    const ledger::JobRow& job,
    const ElementQuery& query) {
    constexpr std::size_t kEntriesPerAttempt = 3;
    const std::size_t attempts = std::max<std::size_t>(1, query.limit / kEntriesPerAttempt);
    const auto page = reader.elements(job.record.id, query.after, attempts);
    if (!page) {
        return refuse(page.error());
    }
    const auto controls = reader.controls(job.record.id, ledger::kPageMax);
    if (!controls) {
        return refuse(controls.error());
    }
    const auto view = parts.commands.view();
    JsonText json;
    json.begin_object();
    json.key("items");
    json.begin_array();
    write_timeline(
        json, {.job = job,
               .view = *view,
               .attempts = page->rows,
               .controls = *controls,
               .is_first = !query.after,
               .is_last = !page->next});
    json.end_array();
    if (page->next) {
        json.field("next", encode(*page->next));
    }
    write_as_of(json, view->incarnation, page->as_of, parts.now());
    json.end_object();
    return {.body = json.take()};
}

/// The job as a whole, or the element of it that is asked for. Errors: kNotFound.
Result<controller::Waiter> waiter_of(
    ledger::Reader& reader, const ledger::JobRow& job, const std::optional<std::uint32_t>& index) {
    controller::Waiter waiter{.job = job};
    if (!index) {
        return waiter;
    }
    const model::JobRecord& record = job.record;
    if (!record.range.has(*index)) {
        return no_element(record.id, *index);
    }
    auto attempt = find_attempt(reader, {.job = record.id, .index = *index}, std::nullopt);
    if (!attempt) {
        return tl::unexpected<Error>(std::move(attempt.error()));
    }
    waiter.index = *index;
    waiter.attempt = std::move(*attempt);
    waiter.state = state_of_element(record, *index, waiter.attempt);
    return waiter;
}

/// What the jobs are doing that it waits for, as far as the caller may know.
Result<void> tell_dependencies(
    ledger::Reader& reader, const ledger::JobRow& job, const Caller& caller, controller::Why& why) {
    const ledger::Reach reach{.user = caller.user, .is_admin = caller.role == Role::kAdmin};
    for (const model::Dependency& dependency : job.record.after) {
        const auto other = reader.job(dependency.job);
        if (!other && other.error().code == ErrorCode::kNotFound) {
            continue;
        }
        if (!other) {
            return tl::unexpected<Error>(other.error());
        }
        for (controller::Blocker& blocker : why.blockers) {
            if (blocker.kind == controller::BlockerKind::kDependency &&
                blocker.what == to_string(dependency.job) && reach.covers(other->user) &&
                blocker.text.ends_with(" first")) {
                blocker.text += "; it is ";
                blocker.text += model::word_of(model::state_of(other->record.counts));
            }
        }
    }
    return {};
}

HttpResponse why(
    ledger::Reader& reader,
    const ApiParts& parts,
    const controller::Waiter& waiter,
    const Caller& caller) {
    const auto view = parts.commands.view();
    const bool has_position =
        waiter.state.value_or(model::ElementState::kQueued) == model::ElementState::kQueued;
    const auto position = has_position ? position_of(reader, waiter.job) : std::nullopt;
    controller::Why why = controller::why_pending(
        waiter, position, *view, {.user = caller.user, .is_admin = caller.role == Role::kAdmin});
    controller::add_changes(why, waiter, *view, parts.now());
    if (const auto told = tell_dependencies(reader, waiter.job, caller, why); !told) {
        return refuse(told.error());
    }
    JsonText json;
    json.begin_object();
    write_why(json, waiter, why);
    if (parts.reasons && !waiter.state) {
        write_history(json, parts.reasons(waiter.job.record.id));
    }
    write_as_of(json, view->incarnation, view->rev, parts.now());
    json.end_object();
    return {.body = json.take()};
}

/// By time limits alone, which takes a run of the scheduler, unless the job is too far behind.
Result<controller::When> when_by_limits(
    ledger::Reader& reader, const ApiParts& parts, const ledger::JobRow& job) {
    const auto position = reader.position(job.record.rank, job.record.id);
    if (!position) {
        return tl::unexpected<Error>(position.error());
    }
    if (*position > controller::kWhenJobsMax) {
        return controller::When{.kind = controller::WhenKind::kTooFar};
    }
    return controller::read_queue(reader).map([&](const auto& queue) {
        // After the queue: what starts between the two is then in both, and not in neither.
        return controller::when_starts(job, queue, *parts.commands.view());
    });
}

/// From the sheet at hand, if the job is in it.
HttpResponse when(ledger::Reader& reader, const ApiParts& parts, const ledger::JobRow& job) {
    const auto sheet = parts.forecasts ? parts.forecasts() : nullptr;
    std::optional<controller::When> answer = controller::when_alone(job);
    const controller::Outlook* outlook = nullptr;
    if (!answer && sheet != nullptr) {
        const auto known = sheet->jobs.find(job.record.id);
        outlook = known == sheet->jobs.end() ? nullptr : &known->second;
    }
    if (!answer && outlook == nullptr) {
        auto by_limits = when_by_limits(reader, parts, job);
        if (!by_limits) {
            return refuse(by_limits.error());
        }
        answer = *std::move(by_limits);
    }
    const auto view = parts.commands.view();
    JsonText json;
    json.begin_object();
    write_when(json, job, answer ? *answer : outlook->by_limits, *view);
    if (outlook != nullptr) {
        write_forecast(json, *outlook, *sheet, *view, parts.now());
    }
    write_as_of(json, view->incarnation, view->rev, parts.now());
    json.end_object();
    return {.body = json.take()};
}

using OfJob = std::function<HttpResponse(ledger::Reader&, const ledger::JobRow&)>;

/// Runs `read` on the read pool, with the job that the path names.
void answer_of_job(
    const ApiParts& parts, const HttpRequest& request, const Responder& responder, OfJob read) {
    const auto id = job_id_of(request);
    if (!id) {
        responder.fail(id.error());
        return;
    }
    parts.reads.answer(
        responder,
        [id = *id, caller = request.caller, responder, read = std::move(read)](auto& reader) {
            const auto job = visible_job(reader, id, caller, responder);
            return job ? read(reader, *job) : refuse(job.error());
        });
}

void get_list(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    const auto query = job_list_query(request);
    if (!query) {
        responder.fail(query.error());
        return;
    }
    if (query->filter.user != request.caller.user) {
        responder.note_read_of(query->filter.user ? *query->filter.user : "*");
    }
    parts.reads.answer(responder, [&parts, query = *query, caller = request.caller](auto& reader) {
        return list_jobs(reader, parts, query, caller);
    });
}

void get_one(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    const auto include = request.parameter("include");
    if (include && *include != "spec") {
        responder.fail({ErrorCode::kInvalid, "include: expects spec", {}});
        return;
    }
    const Include what = include ? Include::kSpec : Include::kNothing;
    answer_of_job(parts, request, responder, [&parts, what](auto& reader, auto& job) {
        return get_job(reader, parts, job, what);
    });
}

void get_elements(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    const auto query = element_query(request);
    if (!query) {
        responder.fail(query.error());
        return;
    }
    answer_of_job(parts, request, responder, [&parts, query = *query](auto& reader, auto& job) {
        return list_elements(reader, parts, job.record.id, query);
    });
}

void get_timeline(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    const auto query = element_query(request);
    if (!query) {
        responder.fail(query.error());
        return;
    }
    answer_of_job(parts, request, responder, [&parts, query = *query](auto& reader, auto& job) {
        return timeline(reader, parts, job, query);
    });
}

void get_why(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    const auto element = element_of(request);
    if (!element) {
        responder.fail(element.error());
        return;
    }
    answer_of_job(
        parts, request, responder,
        [&parts, element = *element, caller = request.caller](auto& reader, auto& job) {
            const auto waiter = waiter_of(reader, job, element);
            return waiter ? why(reader, parts, *waiter, caller) : refuse(waiter.error());
        });
}

void get_when(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    answer_of_job(parts, request, responder, [&parts](auto& reader, auto& job) {
        return when(reader, parts, job);
    });
}

}  // namespace

std::vector<Route> job_read_routes(const ApiParts& parts) {
    const auto route =
        [&parts](const char* pattern, const std::vector<std::string>& query, auto function) {
            return Route{
                .method = Method::kGet,
                .pattern = pattern,
                .permission = Permission::kJobsRead,
                .query = query,
                .handler = [&parts, function](HttpRequest& request, const Responder& responder) {
                    function(parts, request, responder);
                }};
        };
    std::vector<Route> routes = {
        route(
            "/api/v1/jobs",
            {"state", "user", "project", "name", "label", "id", "order", "limit", "cursor",
             "fields"},
            get_list),
        route("/api/v1/jobs/{id}", {"include"}, get_one),
        route("/api/v1/jobs/{id}/elements", {"limit", "cursor"}, get_elements),
        route("/api/v1/jobs/{id}/timeline", {"limit", "cursor"}, get_timeline),
        route("/api/v1/jobs/{id}/why", {"element"}, get_why),
        route("/api/v1/jobs/{id}/when", {}, get_when),
    };
    routes[0].item_fields = fields_of_jobs();
    return routes;
}

}  // namespace reeve::api
