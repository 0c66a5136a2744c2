#include "api/http_connection.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "api/event_channel.hpp"
#include "api/gzip.hpp"
#include "api/problem.hpp"
#include "api/rate_limit.hpp"
#include "base/assert.hpp"

namespace reeve::api {
namespace {

constexpr std::size_t kOutKept = 16 << 10;  // A larger buffer is given back between requests.
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kHeartbeat = ":\n\n";
constexpr std::size_t kReadAheadMax = 16 << 10;  // Of the next requests, while one is handled.
constexpr std::size_t kRequestIdMax = 64;

std::string_view phrase_of(int status) {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 422: return "Unprocessable Content";
        case 429: return "Too Many Requests";
        case 500: return "Internal Server Error";
        case 503: return "Service Unavailable";
        default:  return "Status";  // The number says it.
    }
}

bool is_request_id(std::string_view text) {
    const auto is_good = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '.' || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= kRequestIdMax && std::ranges::all_of(text, is_good);
}

}  // namespace

HttpConnection::HttpConnection(std::unique_ptr<Stream> stream, Peer peer, ConnectionHost& host)
    : stream_(std::move(stream)), host_(&host) {
    request_.peer = peer;
}

void HttpConnection::start() {
    deadline_ = host_->deadline_in(host_->options().limits.idle);
    read_on();
}

void HttpConnection::read_on() {
    if (phase_ != Phase::kClosed && !is_read_pending_) {
        is_read_pending_ = true;
        stream_->wait_readable(shared_from_this());
    }
}

void HttpConnection::on_readable() {
    is_read_pending_ = false;
    if (phase_ == Phase::kClosed) {
        return;
    }
    const std::span<char> scratch = host_->scratch();
    const IoResult read = stream_->read_now(scratch);
    if (phase_ == Phase::kHandling || phase_ == Phase::kWriting) {
        read_ahead(read, {scratch.data(), read.bytes});
        return;
    }
    if (read.kind == IoResult::Kind::kClosed) {
        close();
        return;
    }
    if (is_reading() && read.kind == IoResult::Kind::kSome) {
        take_in({scratch.data(), read.bytes});
    }  // Else it is lingering or streaming: what the client still says is of no interest.
    if (is_reading() || phase_ == Phase::kStreaming || phase_ == Phase::kLingering) {
        read_on();
    }
}

/// The answer is not there yet; it is being watched whether the client still wants it. Who has
/// closed only its writing end gets an answer, too, if it does not take long.
void HttpConnection::read_ahead(const IoResult& read, std::string_view fresh) {
    if (read.kind == IoResult::Kind::kClosed) {
        give_up_answer();
        return;
    }
    if (read.kind == IoResult::Kind::kSome) {
        pending_ += fresh;
    }
    if (phase_ == Phase::kHandling && pending_.size() < kReadAheadMax) {
        read_on();
    }
}

void HttpConnection::watch_for(std::shared_ptr<AnswerWatch> watch) {
    watch_ = std::move(watch);
    if (phase_ == Phase::kClosed || is_winding_up_) {
        give_up_answer();
    } else {
        read_on();
    }
}

void HttpConnection::give_up_answer() {
    if (watch_) {
        watch_->give_up();
    }
}

void HttpConnection::take_in(std::string_view fresh) {
    if (pending_.empty()) {
        pending_ = fresh.substr(consume(fresh));
        return;
    }
    std::string input = std::exchange(pending_, {});
    input += fresh;
    const std::size_t used = consume(input);
    pending_ = input.substr(used);
}

std::size_t HttpConnection::consume(std::string_view input) {
    std::size_t used = 0;
    is_consuming_ = true;
    while (is_reading()) {
        if (phase_ == Phase::kIdle) {
            if (used == input.size()) {
                break;
            }
            begin_request();
        }
        const RequestParser::Step step = parser_->put(input.substr(used));
        used += step.consumed;
        if (step.progress == RequestParser::Progress::kNeedMore) {
            break;
        }
        switch (step.progress) {
            case RequestParser::Progress::kNeedMore: break;
            case RequestParser::Progress::kHead:     on_head(); break;
            case RequestParser::Progress::kComplete: on_complete(); break;
            case RequestParser::Progress::kBad:
                refuse_and_close(ErrorCode::kInvalid, "this is not a well-formed HTTP/1.1 request");
                break;
            case RequestParser::Progress::kHeadTooLarge:
                refuse_and_close(ErrorCode::kTooLarge, "a request head is 16 KiB at most");
                break;
            case RequestParser::Progress::kBodyTooLarge:
                refuse_and_close(ErrorCode::kTooLarge, "the body is larger than this route takes");
                break;
        }
    }
    is_consuming_ = false;
    return used;
}

void HttpConnection::begin_request() {
    if (!parser_) {
        parser_ = std::make_unique<RequestParser>();
    }
    phase_ = Phase::kHead;
    request_.request_id = host_->next_request_id();
    deadline_ = host_->deadline_in(host_->options().limits.head);
    host_->became_busy(*this);
}

void HttpConnection::on_head() {
    parser_->fill(request_);
    if (is_request_id(request_.fields.request_id)) {
        request_.request_id = request_.fields.request_id;
    }
    closes_ = closes_ || !parser_->keeps_alive();
    const std::optional<std::uint64_t> length = parser_->content_length();
    std::uint64_t body_limit = 0;
    if (auto refusal = host_->service().admit(request_, body_limit)) {
        refusal->closes = refusal->closes || length != 0U;
        answer(std::move(*refusal));
        return;
    }
    if (length.value_or(0) > body_limit) {
        refuse_and_close(
            ErrorCode::kTooLarge, body_limit == 0 ? "this request takes no body"
                                                  : "the body is larger than the " +
                                                        std::to_string(body_limit) +
                                                        " bytes that this route takes");
        return;
    }
    if (length == 0U) {
        phase_ = Phase::kBody;
        return;
    }
    if (!host_->take_body_bytes(length.value_or(body_limit))) {
        HttpResponse response = refuse_beyond(
            {.name = "bodies",
             .most = host_->options().limits.body_bytes_max,
             .unit = "content-bytes"},
            "too many large requests at once; try again in a second");
        response.closes = true;
        answer(std::move(response));
        return;
    }
    body_bytes_ = length.value_or(body_limit);
    parser_->limit_body(body_limit);
    phase_ = Phase::kBody;
    deadline_ = host_->deadline_in(host_->options().limits.body);
    if (parser_->expects_continue()) {
        out_ = kContinue;
        flush();
    }
}

void HttpConnection::on_complete() {
    request_.body = parser_->take_body();
    phase_ = Phase::kHandling;
    deadline_ = 0;  // The service has the time that it needs.
    auto sink = std::make_shared<ConnectionAnswer>(
        shared_from_this(), host_->mailbox(), accepts_gzip(request_.fields.accept_encoding));
    try {
        host_->service().handle(request_, Responder(sink));
    } catch (const std::exception& error) {  // Of a library, or no memory.
        sink->answer(refuse(Error{ErrorCode::kInternal, "the request failed", error.what()}));
    }
}

void HttpConnection::refuse_and_close(ErrorCode code, std::string message) {
    HttpResponse response = refuse(code, std::move(message));
    response.closes = true;
    answer(std::move(response));
}

void HttpConnection::turn_away() {
    begin_request();
    refuse_and_close(ErrorCode::kUnavailable, "this server has no room for another connection");
}

void HttpConnection::on_mail(Mail& mail) {
    if (auto* wish = std::get_if<WatchMail>(&mail.what)) {
        watch_for(std::move(wish->watch));
        return;
    }
    if (phase_ == Phase::kClosed) {
        if (auto* open = std::get_if<OpenStreamMail>(&mail.what)) {
            open->channel->close();
            if (open->callbacks.closed) {
                open->callbacks.closed();
            }
        }
        return;
    }
    if (auto* given = std::get_if<AnswerMail>(&mail.what)) {
        answer(std::move(given->response));
    } else if (auto* open = std::get_if<OpenStreamMail>(&mail.what)) {
        open_stream(*open);
    } else if (const auto* chunk = std::get_if<ChunkMail>(&mail.what)) {
        if (phase_ == Phase::kStreaming && !is_finishing_) {
            out_ += chunk->text;
            flush();
        }
    } else if (std::get<FinishMail>(mail.what).is_cut_off) {
        close();
    } else if (phase_ == Phase::kStreaming) {
        is_finishing_ = true;
        flush();
    }
}

void HttpConnection::answer(HttpResponse response) {
    if (response.problem && host_->options().report && !response.problem->context.empty()) {
        host_->options().report(request_.request_id, *response.problem);
    }
    render_problem(response, path(), request_.request_id);
    count(response);
    watch_.reset();
    lingers_ = response.closes;
    closes_ = closes_ || response.closes;
    write_head(response, BodyEnds::kAtLength);
    if (request_.method != Method::kHead) {
        out_ += response.body;
    }
    phase_ = Phase::kWriting;
    flush();
}

void HttpConnection::open_stream(OpenStreamMail& mail) {
    count(mail.head);
    closes_ = true;  // The end of the connection is the end of the stream.
    write_head(mail.head, BodyEnds::kAtClose);
    phase_ = Phase::kStreaming;
    channel_ = std::move(mail.channel);
    channel_->queued(out_.size());
    callbacks_ = std::move(mail.callbacks);
    is_finishing_ = request_.method == Method::kHead;
    host_->counters().streams.fetch_add(1);
    pending_.clear();
    flush();
    read_on();  // To see the client go.
}

void HttpConnection::write_head(const HttpResponse& response, BodyEnds ends) {
    out_ += "HTTP/1.1 ";
    out_ += std::to_string(response.status);
    out_ += ' ';
    out_ += phrase_of(response.status);
    if (response.status != 204) {
        out_ += "\r\nContent-Type: ";
        out_ += response.content_type;
        if (ends == BodyEnds::kAtLength) {
            out_ += "\r\nContent-Length: ";
            out_ += std::to_string(response.body.size());
        }
    }
    out_ += "\r\nDate: ";
    out_ += host_->date();
    out_ += "\r\nX-Request-Id: ";
    out_ += request_.request_id;
    for (const auto& [name, value] : response.headers) {
        out_ += "\r\n";
        out_ += name;
        out_ += ": ";
        out_ += value;
    }
    if (closes_) {
        out_ += "\r\nConnection: close";
    }
    out_ += "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n";
}

void HttpConnection::on_writable() {
    is_write_pending_ = false;
    if (phase_ != Phase::kClosed) {
        flush();
    }
}

void HttpConnection::flush() {
    if (is_write_pending_) {
        return;  // There was no room, and nobody has said yet that there is some.
    }
    while (sent_ < out_.size()) {
        const IoResult wrote = stream_->write_now(std::string_view(out_).substr(sent_));
        if (wrote.kind == IoResult::Kind::kClosed) {
            close();
            return;
        }
        if (wrote.kind == IoResult::Kind::kWouldBlock) {
            out_.erase(0, std::exchange(sent_, 0));
            is_write_pending_ = true;
            deadline_ = host_->deadline_in(host_->options().limits.write);
            stream_->wait_writable(shared_from_this());
            return;
        }
        sent_ += wrote.bytes;
        if (channel_) {
            channel_->sent(wrote.bytes);
        }
    }
    out_.clear();
    sent_ = 0;
    after_write();
}

void HttpConnection::after_write() {
    if (phase_ == Phase::kStreaming) {
        deadline_ = host_->deadline_in(host_->options().limits.heartbeat);
        if (is_finishing_) {
            close();
        } else if (callbacks_.drained) {
            callbacks_.drained();
        }
        return;
    }
    if (phase_ != Phase::kWriting) {
        return;  // "100 Continue" was sent.
    }
    host_->give_back_body_bytes(std::exchange(body_bytes_, 0));
    if (closes_) {
        if (!lingers_) {
            close();
            return;
        }
        phase_ = Phase::kLingering;
        stream_->shut_down_writing();
        deadline_ = host_->deadline_in(host_->options().limits.linger);
        read_on();
        return;
    }
    if (out_.capacity() > kOutKept) {
        std::string().swap(out_);
    }
    parser_->reset();
    request_ = HttpRequest{.peer = request_.peer};
    phase_ = Phase::kIdle;
    deadline_ = host_->deadline_in(host_->options().limits.idle);
    host_->became_idle(*this);
    if (!is_consuming_) {
        take_in({});
        if (is_reading()) {
            read_on();
        }
    }
}

void HttpConnection::on_deadline() {
    const bool is_stuck = is_write_pending_;
    if (phase_ == Phase::kStreaming && !is_stuck) {
        out_ += kHeartbeat;
        channel_->queued(kHeartbeat.size());
        flush();
    } else if ((phase_ == Phase::kHead || phase_ == Phase::kBody) && !is_stuck) {
        HttpResponse response = refuse(ErrorCode::kInvalid, "the request did not come in time");
        response.status = 408;
        response.closes = true;
        answer(std::move(response));
    } else {
        close();
    }
}

void HttpConnection::wind_up() {
    closes_ = true;
    is_winding_up_ = true;
    give_up_answer();
    if (phase_ != Phase::kHandling && phase_ != Phase::kWriting && phase_ != Phase::kLingering) {
        close();
    }
}

void HttpConnection::close() {
    if (phase_ == Phase::kClosed) {
        return;
    }
    phase_ = Phase::kClosed;
    deadline_ = 0;
    give_up_answer();
    stream_->close();
    stream_.reset();  // With the loop's socket in it: what is left of us may outlive the loop.
    host_->give_back_body_bytes(std::exchange(body_bytes_, 0));
    if (channel_) {
        host_->counters().streams.fetch_sub(1);
        channel_->close();
        channel_.reset();
        const StreamCallbacks callbacks = std::exchange(callbacks_, {});
        if (callbacks.closed) {
            callbacks.closed();
        }
    }
    host_->closed(*this);
}

void HttpConnection::count(const HttpResponse& response) {
    HttpCounters& counters = host_->counters();
    counters.requests.fetch_add(1, std::memory_order_relaxed);
    if (response.status >= 500) {
        counters.failed_5xx.fetch_add(1, std::memory_order_relaxed);
    } else if (response.status >= 400) {
        counters.refused_4xx.fetch_add(1, std::memory_order_relaxed);
    }
}

std::string_view HttpConnection::path() const {
    return request_.target.substr(0, request_.target.find('?'));
}

}  // namespace reeve::api
