#include "api/request_fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/item_fields.hpp"
#include "base/text.hpp"
#include "model/spec_rules.hpp"

namespace reeve::api {
namespace {

using model::ElementState;

/// All of `text` as a number without sign.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_whole = error == std::errc() && end == text.data() + text.size();
    return is_whole ? std::optional(number) : std::nullopt;
}

tl::unexpected<Error> bad_cursor() {
    return fail(ErrorCode::kInvalid, "cursor: is not one of this list");
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '.' || c == '_' || c == '-';
    });
}

Result<std::map<std::string, std::string>> parse_labels(std::string_view text) {
    std::map<std::string, std::string> labels;
    for (const std::string& part : split(text, ',')) {
        const std::size_t equals = part.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(ErrorCode::kInvalid, "label: expects key=value, several joined by commas");
        }
        const std::string key = part.substr(0, equals);
        std::string value = part.substr(equals + 1);
        if (const std::string fault = model::fault_of_label_key(key); !fault.empty()) {
            return fail(ErrorCode::kInvalid, "label: " + fault);
        }
        if (const std::string fault = model::fault_of_label_value(value); !fault.empty()) {
            return fail(ErrorCode::kInvalid, "label: " + fault);
        }
        labels.insert_or_assign(key, std::move(value));
    }
    return labels;
}

/// "7,8,9".
Result<std::vector<JobId>> parse_ids(std::string_view text) {
    std::vector<JobId> ids;
    for (const std::string& word : split(text, ',')) {
        const auto id = number_of<std::int64_t>(word);
        if (!id || *id < 1 || *id > kIdMax || ids.size() == ledger::kPageMax) {
            return fail(
                ErrorCode::kInvalid, "id: expects ids of jobs, like 1842, joined by commas, " +
                                         std::to_string(ledger::kPageMax) + " at most");
        }
        ids.emplace_back(static_cast<std::uint64_t>(*id));
    }
    return ids;
}

Result<void> take_whose(const HttpRequest& request, ledger::JobFilter& filter) {
    const auto user = request.parameter("user");
    if (user) {
        filter.user = *user == "@me" ? request.caller.user : std::string(*user);
        if (*user != "@me" && !is_name(*user)) {
            return fail(ErrorCode::kInvalid, "user: expects a user's name, or @me");
        }
    }
    if (request.caller.role == Role::kAdmin) {
        return {};
    }
    if (filter.user && *filter.user != request.caller.user) {
        return fail(ErrorCode::kForbidden, "only an admin sees the jobs of other users");
    }
    filter.user = request.caller.user;
    return {};
}

Result<void> take_filter(const HttpRequest& request, ledger::JobFilter& filter) {
    if (const auto state = request.parameter("state")) {
        auto states = parse_states(*state);
        if (!states) {
            return tl::unexpected<Error>(std::move(states.error()));
        }
        filter.states = std::move(*states);
    }
    if (const auto project = request.parameter("project")) {
        if (const std::string fault = model::fault_of_project(*project); !fault.empty()) {
            return fail(ErrorCode::kInvalid, "project: " + fault);
        }
        filter.project = std::string(*project);
    }
    if (const auto name = request.parameter("name")) {
        if (const std::string fault = model::fault_of_name(*name); !fault.empty()) {
            return fail(ErrorCode::kInvalid, "name: " + fault);
        }
        filter.name = std::string(*name);
    }
    if (const auto ids = request.parameter("id")) {
        auto parsed = parse_ids(*ids);
        if (!parsed) {
            return tl::unexpected<Error>(std::move(parsed.error()));
        }
        filter.ids = *std::move(parsed);
    }
    if (const auto label = request.parameter("label")) {
        auto labels = parse_labels(*label);
        if (!labels) {
            return tl::unexpected<Error>(std::move(labels.error()));
        }
        filter.labels = std::move(*labels);
    }
    return take_whose(request, filter);
}

/// "<rank>.<id>", of either order: the one by id only looks at the id.
Result<std::optional<ledger::JobCursor>> parse_job_cursor(std::optional<std::string_view> text) {
    if (!text) {
        return std::nullopt;
    }
    const std::vector<std::string> parts = split(*text, '.');
    if (parts.size() != 2) {
        return bad_cursor();
    }
    const auto rank = number_of<std::int64_t>(parts[0]);
    const auto id = number_of<std::int64_t>(parts[1]);
    if (!rank || !id || *id < 0) {
        return bad_cursor();
    }
    return ledger::JobCursor{.rank = *rank, .id = JobId(static_cast<std::uint64_t>(*id))};
}

}  // namespace

Result<JobId> job_id_of(const HttpRequest& request) {
    const auto id = number_of<std::int64_t>(request.capture("id"));
    if (!id || *id < 1 || *id > kIdMax) {
        return fail(ErrorCode::kInvalid, "a job's id is a whole number, like 1842");
    }
    return JobId(static_cast<std::uint64_t>(*id));
}

Result<std::optional<std::int64_t>> integer_parameter(
    const HttpRequest& request, std::string_view name, Bounds bounds) {
    const auto text = request.parameter(name);
    if (!text) {
        return std::nullopt;
    }
    const auto number = number_of<std::int64_t>(*text);
    if (!number || *number < bounds.least || *number > bounds.most) {
        return fail(
            ErrorCode::kInvalid, std::string(name) + ": expects a whole number from " +
                                     std::to_string(bounds.least) + " to " +
                                     std::to_string(bounds.most));
    }
    return *number;
}

Result<std::size_t> limit_of(const HttpRequest& request) {
    const auto limit = integer_parameter(
        request, "limit", {.least = 1, .most = static_cast<std::int64_t>(ledger::kPageMax)});
    if (!limit) {
        return tl::unexpected<Error>(limit.error());
    }
    return static_cast<std::size_t>(limit->value_or(kPageDefault));
}

Result<std::optional<std::uint32_t>> element_of(const HttpRequest& request) {
    const auto element = integer_parameter(request, "element", {.least = 0, .most = kIndexMax});
    if (!element) {
        return tl::unexpected<Error>(element.error());
    }
    return *element ? std::optional(static_cast<std::uint32_t>(**element)) : std::nullopt;
}

Result<std::vector<ElementState>> parse_states(std::string_view text) {
    std::vector<ElementState> states;
    for (const std::string& word : split(text, ',')) {
        if (word == "pending") {
            states.insert(states.end(), {ElementState::kQueued, ElementState::kHeld});
        } else if (word == "done") {
            states.insert(
                states.end(), {ElementState::kSucceeded, ElementState::kFailed,
                               ElementState::kCancelled, ElementState::kTimedOut});
        } else if (
            const auto state =
                model::parse_element_state(word == "completed" ? "succeeded" : word)) {
            states.push_back(*state);
        } else {
            return fail(
                ErrorCode::kInvalid,
                "state: expects held, queued, scheduled, running, stopping, succeeded, failed, "
                "cancelled, timed_out, pending, done or completed, several joined by commas");
        }
    }
    std::ranges::sort(states);
    const auto repeated = std::ranges::unique(states);
    states.erase(repeated.begin(), repeated.end());
    return states;
}

Result<JobListQuery> job_list_query(const HttpRequest& request) {
    JobListQuery query;
    const std::string_view order = request.parameter("order").value_or("id");
    if (order != "id" && order != "queue") {
        return fail(ErrorCode::kInvalid, "order: expects id or queue; lists have no other order");
    }
    query.order = order == "queue" ? ledger::JobOrder::kQueue : ledger::JobOrder::kNewestFirst;
    if (auto taken = take_filter(request, query.filter); !taken) {
        return tl::unexpected<Error>(std::move(taken.error()));
    }
    const auto limit = limit_of(request);
    auto after = parse_job_cursor(request.parameter("cursor"));
    if (!limit || !after) {
        return tl::unexpected<Error>(limit ? after.error() : limit.error());
    }
    auto fields = item_fields_of(request);
    if (!fields) {
        return tl::unexpected<Error>(std::move(fields.error()));
    }
    query.limit = *limit;
    query.after = *after;
    query.fields = *std::move(fields);
    return query;
}

std::string encode(const ledger::JobCursor& cursor) {
    return std::to_string(cursor.rank) + "." + std::to_string(cursor.id.value());
}

std::string encode(const ElementCursor& cursor) {
    return std::to_string(cursor.first) + "." + std::to_string(cursor.second);
}

Result<std::optional<ElementCursor>> element_cursor_of(const HttpRequest& request) {
    const auto text = request.parameter("cursor");
    if (!text) {
        return std::nullopt;
    }
    const std::vector<std::string> parts = split(*text, '.');
    if (parts.size() != 2) {
        return bad_cursor();
    }
    const auto index = number_of<std::uint32_t>(parts[0]);
    const auto attempt = number_of<std::uint32_t>(parts[1]);
    if (!index || !attempt) {
        return bad_cursor();
    }
    return ElementCursor(*index, *attempt);
}

Result<EventCursor> parse_event_cursor(std::string_view text) {
    const std::size_t colon = text.find(':');
    const auto rev = number_of<std::uint64_t>(colon == text.npos ? text : text.substr(colon + 1));
    const auto incarnation =
        colon == text.npos ? std::nullopt : number_of<std::uint64_t>(text.substr(0, colon));
    if (!rev || (colon != text.npos && !incarnation)) {
        return fail(ErrorCode::kInvalid, "since: expects a cursor, like 1:918233");
    }
    return EventCursor{.incarnation = incarnation, .rev = Revision(*rev)};
}

std::string etag_of(Revision rev) {
    return "\"" + std::to_string(rev.value()) + "\"";
}

Result<std::optional<std::vector<Revision>>> if_match_of(const HttpRequest& request) {
    if (!request.fields.if_match || *request.fields.if_match == "*") {
        return std::nullopt;
    }
    std::vector<Revision> revs;
    for (const std::string& part : split(*request.fields.if_match, ',')) {
        const std::size_t from = part.find_first_not_of(" \t");
        const std::size_t to = part.find_last_not_of(" \t");
        const std::string_view tag =
            from == part.npos ? "" : std::string_view(part).substr(from, to - from + 1);
        const std::string_view opaque = tag.starts_with("W/") ? tag.substr(2) : tag;
        if (opaque.size() < 2 || !opaque.starts_with('"') || !opaque.ends_with('"')) {
            return fail(ErrorCode::kInvalid, "If-Match: expects a job's ETag, like \"918\", or *");
        }
        const auto rev = number_of<std::uint64_t>(tag.substr(1, tag.size() - 2));
        if (tag == opaque && rev) {
            revs.emplace_back(*rev);
        }
    }
    return std::optional(std::move(revs));
}

Result<bool> truth_parameter(const HttpRequest& request, std::string_view name) {
    const std::string_view text = request.parameter(name).value_or("0");
    if (text != "0" && text != "1" && text != "false" && text != "true") {
        return fail(ErrorCode::kInvalid, std::string(name) + ": expects 0, 1, false or true");
    }
    return text == "1" || text == "true";
}

Result<std::optional<model::Quota>> quota_of(const JsonBody& body, std::string_view member) {
    constexpr std::int64_t kMost = 1'000'000'000'000;
    constexpr std::int64_t kMibMost = 1'099'511'627'776;
    const auto given = body.object(
        member,
        {"gpu_milli", "cpu_millicores", "memory_mib", "running_elements", "pending_elements"});
    if (!given) {
        return tl::unexpected<Error>(given.error());
    }
    if (!*given) {
        return std::nullopt;
    }
    model::Quota quota;
    const std::vector<std::pair<std::string_view, std::optional<std::int64_t>*>> fields = {
        {"gpu_milli",        &quota.gpu_milli       },
        {"cpu_millicores",   &quota.cpu_millicores  },
        {"memory_mib",       &quota.memory_mib      },
        {"running_elements", &quota.running_elements},
        {"pending_elements", &quota.pending_elements},
    };
    for (const auto& [name, field] : fields) {
        const auto amount =
            (*given)->integer(name, {.least = 0, .most = name == "memory_mib" ? kMibMost : kMost});
        if (!amount) {
            return tl::unexpected<Error>(amount.error());
        }
        *field = *amount;
    }
    return quota;
}

Result<std::optional<std::int64_t>> guaranteed_of(const JsonBody& body) {
    constexpr std::int64_t kMost = 1'000'000'000'000;
    return body.integer("guaranteed_gpu_milli", {.least = 0, .most = kMost});
}

ledger::Actor actor_of(const HttpRequest& request) {
    const Caller& caller = request.caller;
    return {
        .identity = {.user = caller.user, .uid = caller.uid, .gid = caller.gid},
        .is_admin = caller.role == Role::kAdmin,
        .request_id = request.request_id,
        .source = std::string(word_of(caller.source)),
        .acted_by = caller.acted_by
    };
}

bool may_see(const Caller& caller, const std::string& user) {
    return ledger::Reach{.user = caller.user, .is_admin = caller.role == Role::kAdmin}.covers(user);
}

Result<ledger::JobRow> visible_job(
    ledger::Reader& reader, JobId id, const Caller& caller, const Responder& responder) {
    auto job = reader.job(id);
    if (!job) {
        return job.error().code == ErrorCode::kNotFound ? tl::unexpected<Error>(ledger::no_job(id))
                                                        : job;
    }
    if (!may_see(caller, job->user)) {
        return tl::unexpected<Error>(ledger::no_job(id, job->user));
    }
    if (job->user != caller.user) {
        responder.note_read_of(job->user);
    }
    return job;
}

}  // namespace reeve::api
