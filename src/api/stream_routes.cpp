// Events and logs: what can be followed.
#include <algorithm>
#include <utility>

#include "api/request_fields.hpp"
#include "api/routes.hpp"

namespace reeve::api {
namespace {

constexpr std::int64_t kOffsetMax = 1'099'511'627'776;
constexpr std::int64_t kLogBytesDefault = 1'048'576;
constexpr std::int64_t kLogBytesMax = 4'194'304;

void watch_events(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    const auto view = parts.commands.view();
    WatchOptions options{.since = view->rev};
    if (request.caller.role != Role::kAdmin) {
        options.user = request.caller.user;
    } else {
        responder.note_read_of("*");
    }
    const auto job = integer_parameter(request, "job", {.least = 1, .most = kIdMax});
    if (!job) {
        responder.fail(job.error());
        return;
    }
    if (*job) {
        options.job = JobId(static_cast<std::uint64_t>(**job));
    }
    if (const auto kinds = request.parameter("kinds")) {
        auto parsed = parse_kinds(*kinds);
        if (!parsed) {
            responder.fail(std::move(parsed.error()));
            return;
        }
        options.kinds = *std::move(parsed);
    }
    const auto& last = request.fields.last_event_id;
    const auto since = last ? last : request.parameter("since");
    if (since) {
        const auto cursor = parse_event_cursor(*since);
        if (!cursor) {
            responder.fail(cursor.error());
            return;
        }
        options.incarnation = cursor->incarnation;
        options.since = cursor->rev;
    }
    parts.events.watch(responder, std::move(options));
}

struct LogQuery {
    LogWish wish = {};
    std::int64_t offset = 0;
    std::size_t limit = kLogBytesDefault;
    bool follows = false;
};

Result<LogStream> stream_of(const HttpRequest& request) {
    const std::string_view stream = request.parameter("stream").value_or("output");
    if (stream != "output" && stream != "stderr") {
        return fail(ErrorCode::kInvalid, "stream: expects output or stderr");
    }
    return stream == "stderr" ? LogStream::kErrors : LogStream::kOutput;
}

/// The number that `Last-Event-ID` is, if it came.
Result<std::optional<std::int64_t>> last_offset_of(const HttpRequest& request) {
    if (!request.fields.last_event_id) {
        return std::nullopt;
    }
    const auto cursor = parse_event_cursor(*request.fields.last_event_id);
    if (!cursor || cursor->incarnation || cursor->rev > Revision(kOffsetMax)) {
        return fail(ErrorCode::kInvalid, "Last-Event-ID: expects an offset");
    }
    return static_cast<std::int64_t>(cursor->rev.value());
}

Result<LogQuery> log_query(const HttpRequest& request) {
    LogQuery query;
    const auto id = job_id_of(request);
    const auto element = element_of(request);
    const auto attempt = integer_parameter(request, "attempt", {.least = 1, .most = 4'294'967'295});
    const auto rank = integer_parameter(request, "rank", {.least = 0, .most = 65'535});
    const auto limit = integer_parameter(request, "limit", {.least = 1, .most = kLogBytesMax});
    const auto stream = stream_of(request);
    const auto follow = truth_parameter(request, "follow");
    const auto offset =
        integer_parameter(request, "offset", {.least = -kOffsetMax, .most = kOffsetMax});
    const auto last_offset = last_offset_of(request);
    const Error* first = nullptr;
    const auto note = [&first](const auto& result) {
        if (!result && first == nullptr) {
            first = &result.error();
        }
    };
    note(id);
    note(element);
    note(attempt);
    note(rank);
    note(limit);
    note(stream);
    note(follow);
    note(offset);
    note(last_offset);
    if (first != nullptr) {
        return tl::unexpected<Error>(*first);
    }
    query.wish = {.job = *id, .index = *element, .stream = *stream};
    if (*attempt) {
        query.wish.attempt = static_cast<std::uint32_t>(**attempt);
    }
    query.wish.rank = static_cast<std::uint32_t>(rank->value_or(0));
    query.limit = static_cast<std::size_t>(limit->value_or(kLogBytesDefault));
    query.follows = *follow;
    query.offset = *follow && *last_offset ? **last_offset : offset->value_or(0);
    return query;
}

HttpResponse bytes_of(LogPiece piece) {
    HttpResponse response{
        .body = std::move(piece.bytes), .content_type = "text/plain; charset=utf-8"};
    response.headers.emplace_back("X-Reeve-Next-Offset", std::to_string(piece.next_offset));
    if (piece.dropped_end > piece.dropped_begin) {
        std::string dropped = std::to_string(piece.dropped_begin);
        dropped += '-';
        dropped += std::to_string(piece.dropped_end);
        response.headers.emplace_back("X-Reeve-Log-Dropped", std::move(dropped));
    }
    return response;
}

HttpResponse read_log(ledger::Reader& reader, const ApiParts& parts, const LogQuery& query) {
    const auto found = find_log(reader, *parts.commands.view(), query.wish);
    if (!found) {
        return refuse(found.error());
    }
    if (!found->place) {
        return bytes_of({});  // It has not started.
    }
    LogPlace place = *found->place;
    place.offset = query.offset;
    if (query.offset < 0) {
        place.offset = 0;
        const auto whole = parts.task_logs.read(place, 0);
        if (whole) {
            place.offset = std::max<std::int64_t>(0, whole->size + query.offset);
        }
    }
    auto piece = parts.task_logs.read(place, query.limit);
    if (!piece && piece.error().code == ErrorCode::kNotFound && !found->is_over) {
        return bytes_of({.next_offset = place.offset});  // It is being started.
    }
    if (!piece && piece.error().code == ErrorCode::kNotFound) {
        return refuse(
            {ErrorCode::kNotFound,
             "the log is gone: " + place.node + " has no folder of task " + to_string(place.task) +
                 " any more (a backup of the server has no logs in it)",
             piece.error().message});
    }
    return piece ? bytes_of(std::move(*piece)) : refuse(std::move(piece.error()));
}

void logs(const ApiParts& parts, const HttpRequest& request, const Responder& responder) {
    const auto query = log_query(request);
    if (!query) {
        responder.fail(query.error());
        return;
    }
    parts.reads.run(
        responder, [&parts, responder, query = *query, caller = request.caller](auto& reader) {
            if (const auto job = visible_job(reader, query.wish.job, caller, responder); !job) {
                responder.fail(job.error());
                return;
            }
            if (!query.follows) {
                responder.send(read_log(reader, parts, query));
                return;
            }
            const auto found = find_log(reader, *parts.commands.view(), query.wish);
            if (found) {
                parts.logs.follow(responder, query.wish, query.offset);
            } else {
                responder.fail(found.error());
            }
        });
}

}  // namespace

std::vector<Route> stream_routes(const ApiParts& parts) {
    return {
        {.method = Method::kGet,
         .pattern = "/api/v1/events",
         .permission = Permission::kJobsRead,
         .query = {"since", "job", "kinds"},
         .handler = [&parts](
                        HttpRequest& request,
         const Responder& responder) { watch_events(parts, request, responder); }},
        {.method = Method::kGet,
         .pattern = "/api/v1/jobs/{id}/logs",
         .permission = Permission::kJobsRead,
         .query = {"element", "attempt", "rank", "stream", "offset", "limit", "follow"},
         .handler = [&parts](
                        HttpRequest& request,
         const Responder& responder) { logs(parts, request, responder); }        },
    };
}

}  // namespace reeve::api
