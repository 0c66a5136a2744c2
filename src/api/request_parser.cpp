#include "api/request_parser.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace reeve::api {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using Parser = http::request_parser<http::string_body>;
using Progress = RequestParser::Progress;

std::string_view view_of(beast::string_view text) {
    return {text.data(), text.size()};
}

std::optional<std::string_view> value_of(const http::fields& fields, beast::string_view name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::nullopt : std::optional(view_of(found->value()));
}

Method method_of(http::verb verb) {
    if (verb == http::verb::get) {
        return Method::kGet;
    }
    if (verb == http::verb::head) {
        return Method::kHead;
    }
    if (verb == http::verb::post) {
        return Method::kPost;
    }
    if (verb == http::verb::put) {
        return Method::kPut;
    }
    if (verb == http::verb::patch) {
        return Method::kPatch;
    }
    return verb == http::verb::delete_ ? Method::kDelete : Method::kOther;
}

/// Fields that decide something must not come twice: two readers could believe different ones.
bool is_ambiguous(const http::fields& fields) {
    constexpr auto kOnce = std::to_array<http::field>(
        {http::field::host, http::field::origin, http::field::authorization,
         http::field::content_type, http::field::transfer_encoding, http::field::expect});
    return std::ranges::any_of(kOnce, [&](http::field field) { return fields.count(field) > 1; }) ||
           fields.count("Idempotency-Key") > 1;
}

bool is_well_formed(const http::request<http::string_body>& message) {
    const bool has_host = message.count(http::field::host) == 1;
    const auto encoding = message.find(http::field::transfer_encoding);
    return (has_host || message.version() < 11) && !is_ambiguous(message) &&
           (encoding == message.end() || beast::iequals(encoding->value(), "chunked"));
}

Progress progress_of(const beast::error_code& error) {
    if (error == http::error::need_more) {
        return Progress::kNeedMore;
    }
    if (error == http::error::header_limit) {
        return Progress::kHeadTooLarge;
    }
    return error == http::error::body_limit ? Progress::kBodyTooLarge : Progress::kBad;
}

}  // namespace

struct RequestParser::State {
    std::optional<Parser> parser = {};
    std::size_t head_bytes = 0;  // Consumed so far: Beast limits each call, not their sum.
};

RequestParser::RequestParser() : state_(std::make_unique<State>()) {
    reset();
}

RequestParser::~RequestParser() = default;

void RequestParser::reset() {
    state_->parser.emplace();
    state_->parser->header_limit(kHeadBytesMax);
    state_->parser->body_limit(boost::none);  // The service says it, after the head.
    state_->head_bytes = 0;
}

RequestParser::Step RequestParser::put(std::string_view bytes) {
    Parser& parser = *state_->parser;
    const bool was_head = parser.is_header_done();
    if (was_head && parser.is_done()) {
        return {.consumed = 0, .progress = Progress::kComplete};
    }
    parser.eager(was_head);
    beast::error_code error;
    const std::size_t used = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    if (was_head) {
        return {
            .consumed = used,
            .progress = error              ? progress_of(error)
                        : parser.is_done() ? Progress::kComplete
                                           : Progress::kNeedMore};
    }
    state_->head_bytes += used;
    const std::size_t waiting = parser.is_header_done() ? 0 : bytes.size() - used;
    if (state_->head_bytes + waiting > kHeadBytesMax) {
        return {.consumed = used, .progress = Progress::kHeadTooLarge};
    }
    if (error) {
        return {.consumed = used, .progress = progress_of(error)};
    }
    return {
        .consumed = used,
        .progress = is_well_formed(parser.get()) ? Progress::kHead : Progress::kBad};
}

void RequestParser::fill(HttpRequest& request) const {
    const auto& message = state_->parser->get();
    request.method = method_of(message.method());
    request.target = view_of(message.target());
    request.fields = {
        .host = view_of(message[http::field::host]),
        .origin = view_of(message[http::field::origin]),
        .authorization = view_of(message[http::field::authorization]),
        .content_type = view_of(message[http::field::content_type]),
        .accept_encoding = view_of(message[http::field::accept_encoding]),
        .idempotency_key = value_of(message, "Idempotency-Key"),
        .if_match = value_of(message, "If-Match"),
        .last_event_id = value_of(message, "Last-Event-ID"),
        .acts_as = value_of(message, "X-Reeve-As"),
        .request_id = view_of(message["X-Request-Id"]),
    };
}

std::optional<std::uint64_t> RequestParser::content_length() const {
    if (state_->parser->chunked()) {
        return std::nullopt;
    }
    const auto length = state_->parser->content_length();
    return length ? *length : 0;  // A request without either has no body.
}

bool RequestParser::keeps_alive() const {
    return state_->parser->get().keep_alive();
}

bool RequestParser::expects_continue() const {
    const auto& message = state_->parser->get();
    return message.version() >= 11 && beast::iequals(message[http::field::expect], "100-continue");
}

void RequestParser::limit_body(std::uint64_t bytes_max) {
    state_->parser->body_limit(bytes_max);
}

std::string RequestParser::take_body() {
    return std::move(state_->parser->get().body());
}

}  // namespace reeve::api
