#include "cli/client.hpp"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

namespace reeve::cli {
namespace {

constexpr int kTries = 5;         // 0.1 + 0.2 + 0.4 + 0.8 s of pauses, plus jitter.
constexpr int kReadTries = 3;     // Of what a person waits to see.
constexpr int kStreamTries = 12;  // A server that is started again takes a while: 20 s.
constexpr std::chrono::milliseconds kPauseFirst = std::chrono::milliseconds(100);
constexpr std::size_t kPageRows = 1000;
constexpr std::size_t kEventBytesMax = 16U << 20U;

constexpr auto kCodes = std::to_array<ErrorCode>(
    {ErrorCode::kInvalid, ErrorCode::kUnauthenticated, ErrorCode::kForbidden, ErrorCode::kNotFound,
     ErrorCode::kConflict, ErrorCode::kPrecondition, ErrorCode::kTooLarge,
     ErrorCode::kUnsatisfiable, ErrorCode::kQuota, ErrorCode::kPolicy, ErrorCode::kLimit,
     ErrorCode::kInternal, ErrorCode::kUnavailable, ErrorCode::kStorageFull});

ErrorCode code_of(std::string_view name, int status) {
    for (const ErrorCode code : kCodes) {
        if (row_of(code).name == name) {
            return code;
        }
    }
    for (const ErrorCode code : kCodes) {
        if (row_of(code).http == status) {
            return code;
        }
    }
    return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInternal;
}

/// The target, with how many rows a page has.
std::string limited(const std::string& target, std::size_t rows) {
    return target + (target.find('?') == std::string::npos ? "?" : "&") +
           "limit=" + std::to_string(rows);
}

std::string at_cursor(const std::string& target, const std::string& cursor) {
    return target + "&cursor=" + escaped(cursor);
}

/// Moves the rows of `page`, which has the memory of `all`, behind those of `all`, and its `next`
/// to the place of theirs. The first page becomes `all`.
void append_page(Json& all, Json& page) {
    if (all.IsNull()) {
        all.JsonValue::Swap(page);  // The values alone: the memory stays that of `all`.
        return;
    }
    auto& memory = all.GetAllocator();
    for (JsonValue& row : page["items"].GetArray()) {
        all["items"].PushBack(row.Move(), memory);
    }
    all.RemoveMember("next");
    if (const auto next = page.FindMember("next"); next != page.MemberEnd()) {
        all.AddMember("next", next->value.Move(), memory);
    }
}

}  // namespace

Go EventParser::feed(std::string_view bytes, const std::function<Go(const Event&)>& sink) {
    rest_ += bytes;
    std::size_t from = 0;
    Go go = Go::kOn;
    while (go == Go::kOn) {
        const std::size_t end = rest_.find('\n', from);
        if (end == std::string::npos) {
            break;
        }
        std::string_view line(rest_.data() + from, end - from);
        from = end + 1;
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (!line.empty()) {
            take_line(line);
        } else if (!event_.data.empty() || !event_.name.empty()) {
            if (event_.data.ends_with('\n')) {
                event_.data.pop_back();
            }
            go = sink(event_);
            event_.data.clear();  // The id stays, as the standard says.
            event_.name.clear();
        }
    }
    rest_.erase(0, from);
    return rest_.size() + event_.data.size() > kEventBytesMax ? Go::kStop : go;
}

void EventParser::take_line(std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    if (field == "data") {
        event_.data += value;
        event_.data += '\n';
    } else if (field == "event") {
        event_.name = value;
    } else if (field == "id") {
        event_.id = value;
    }
}

std::string escaped(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    constexpr std::string_view kPlain = "-._~@,:";
    std::string result;
    for (const char c : text) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || kPlain.find(c) != std::string_view::npos;
        if (is_plain) {
            result += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            result += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
        }
    }
    return result;
}

Error error_of(const HttpAnswer& answer) {
    const auto problem = parse_json(answer.body);
    const std::string name = problem ? text_at(*problem, "code") : "";
    std::string detail = problem ? text_at(*problem, "detail") : "";
    std::string request = problem ? text_at(*problem, "request_id") : "";
    const ErrorCode code = code_of(name, answer.status);
    if (detail.empty()) {
        detail = "the server answered " + std::to_string(answer.status);
    }
    if (code == ErrorCode::kInternal && !request.empty()) {
        detail += " (request " + request + ", for whoever runs the server)";
    }
    return Error{code, std::move(detail), std::move(request)};
}

void Client::back_off(int attempt) {
    const auto pause = kPauseFirst * (1 << std::min(attempt, 5));
    pause_(
        pause + std::chrono::milliseconds(
                    random_.below(static_cast<std::uint64_t>(pause.count()) / 2 + 1)));
}

void Client::sign(HttpRequest& request) const {
    if (!as_header_.empty()) {
        request.headers.push_back(as_header_);
    }
}

Result<HttpAnswer> Client::send(HttpRequest request, int tries) {
    sign(request);
    for (int attempt = 0;; ++attempt) {
        Result<HttpAnswer> answer = transport_.send(request);
        if (answer && answer->status >= 400) {
            answer = tl::unexpected(error_of(*answer));
        }
        const bool is_away = !answer && answer.error().code == ErrorCode::kUnavailable;
        if (!is_away || attempt + 1 >= tries) {
            return answer;
        }
        back_off(attempt);
    }
}

Result<Json> Client::send_json(const HttpRequest& request, int tries) {
    auto answer = send(request, tries);
    if (!answer) {
        return tl::unexpected(std::move(answer.error()));
    }
    return answer->body.empty() ? Result<Json>(Json(rapidjson::kObjectType))
                                : parse_json(answer->body);
}

Result<Json> Client::get(const std::string& target) {
    return send_json({.target = target}, kReadTries);
}

Result<HttpAnswer> Client::get_bytes(const std::string& target) {
    return send({.target = target}, kReadTries);
}

Result<Json> Client::submit(const std::string& target, const std::string& body) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string key;
    for (int i = 0; i < 32; ++i) {
        key += kHex[random_.below(16)];
    }
    return send_json(
        {.method = "POST", .target = target, .body = body, .headers = {"Idempotency-Key: " + key}},
        kTries);
}

Result<Json> Client::post(const std::string& target, const std::string& body) {
    return send_json({.method = "POST", .target = target, .body = body}, 1);
}

Result<Json> Client::remove(const std::string& target) {
    return send_json({.method = "DELETE", .target = target}, 1);
}

Result<Json> Client::put(const std::string& target, const std::string& body) {
    return send_json({.method = "PUT", .target = target, .body = body}, kTries);
}

Result<Json> Client::read_page(Result<Json> page, std::size_t rows) {
    if (!page) {
        return page;
    }
    const JsonValue* items = find(*page, "items");
    if (items == nullptr || !items->IsArray()) {
        return fail(ErrorCode::kUnavailable, "the server's answer is no list");
    }
    if (tell_rows_) {
        tell_rows_(rows, rows + items->Size());
    }
    return page;
}

/// Of a thread of its own; not valid where there is none to be had.
std::future<Result<HttpAnswer>> Client::ask_ahead(std::string target) {
    try {
        return std::async(
            std::launch::async, [this, target = std::move(target)] { return get_bytes(target); });
    } catch (const std::system_error&) {
        return {};  // The user has as many processes as they may: it is asked for later.
    }
}

Result<Json> Client::get_all(const std::string& target, std::size_t rows_max) {
    const std::size_t page_rows = std::min(rows_max, kPageRows);
    const std::string base = limited(target, page_rows);
    Json all;
    std::string next;
    std::size_t rows = 0;
    std::future<Result<HttpAnswer>> coming;
    do {
        const auto answer =
            coming.valid() ? coming.get() : get_bytes(next.empty() ? base : at_cursor(base, next));
        if (!answer) {
            return tl::unexpected(answer.error());
        }
        // One request is under way at a time, and none while this thread asks itself.
        if (!answer->next_cursor.empty() && rows + page_rows < rows_max) {
            coming = ask_ahead(at_cursor(base, answer->next_cursor));
        }
        auto page = read_page(parse_json(answer->body, all.GetAllocator()), rows);
        if (!page) {
            return page;
        }
        rows += (*page)["items"].Size();
        next = text_at(*page, "next");
        append_page(all, *page);
    } while (!next.empty() && rows < rows_max);
    return all;
}

Result<void> Client::each_page(
    const std::string& target, const std::function<Go(const Json& page)>& look) {
    const std::string base = limited(target, kPageRows);
    std::string cursor;
    std::size_t rows = 0;
    do {
        const auto page = read_page(get(cursor.empty() ? base : base + "&cursor=" + cursor), rows);
        if (!page) {
            return tl::unexpected(page.error());
        }
        rows += (*page)["items"].Size();
        cursor = look(*page) == Go::kOn ? escaped(text_at(*page, "next")) : "";
    } while (!cursor.empty());
    return {};
}

Result<void> Client::follow(const Follow& follow) {
    Stream stream{.follow = follow, .last_id = follow.last_event_id};
    while (true) {
        auto answer = connect(stream);
        if (stream.is_stopped) {
            return {};
        }
        const bool is_away = answer || answer.error().code == ErrorCode::kUnavailable;
        const int tries = stream.was_open ? kStreamTries : kReadTries;
        if (!is_away || ++stream.failures >= tries) {
            return answer
                       ? Result<void>(fail(
                             ErrorCode::kUnavailable, "the server ends the stream again and again"))
                       : tl::unexpected(std::move(answer.error()));
        }
        back_off(stream.failures - 1);
        if (follow.on_tick && follow.on_tick() == Go::kStop) {
            return {};
        }
    }
}

Result<HttpAnswer> Client::connect(Stream& stream) {
    const Follow& follow = stream.follow;
    EventParser parser;
    const auto noted = [&](Go go) {
        stream.is_stopped = stream.is_stopped || go == Go::kStop;
        return go;
    };
    StreamListener listener;
    listener.on_open = [&] {
        stream.was_open = true;
        return noted(follow.on_open ? follow.on_open() : Go::kOn);
    };
    listener.on_tick = [&] { return noted(follow.on_tick ? follow.on_tick() : Go::kOn); };
    listener.on_bytes = [&](std::string_view bytes) {
        stream.failures = 0;
        return noted(parser.feed(bytes, [&](const Event& event) {
            stream.last_id = event.id.empty() ? stream.last_id : event.id;
            return follow.on_event(event);
        }));
    };
    HttpRequest request{.target = follow.target, .headers = {"Accept: text/event-stream"}};
    if (!stream.last_id.empty()) {
        request.headers.push_back("Last-Event-ID: " + stream.last_id);
    }
    sign(request);
    auto answer = transport_.stream(request, listener);
    if (answer && answer->status >= 400) {
        answer = tl::unexpected(error_of(*answer));
    }
    return answer;
}

}  // namespace reeve::cli
