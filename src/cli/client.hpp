#pragma once

#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "cli/json.hpp"
#include "cli/transport.hpp"

namespace reeve::cli {

/// One server-sent event.
struct Event {
    std::string name = {};
    std::string id = {};
    std::string data = {};
};

/// Cuts a stream of bytes into server-sent events (WHATWG HTML, 9.2.6). Comments are dropped.
class EventParser {
  public:
    /// Tells `sink` each event that `bytes` completes, until it says stop.
    [[nodiscard]] Go feed(std::string_view bytes, const std::function<Go(const Event&)>& sink);

  private:
    void take_line(std::string_view line);

    std::string rest_;
    Event event_;
};

/// One name=value pair of a query, or one part of a path, percent-escaped.
[[nodiscard]] std::string escaped(std::string_view text);

/// The HTTP API, with answers as JSON and problems as errors (their `detail`, `code`). A request
/// that is safe to repeat (GET, or with an idempotency key) is tried again while the server is
/// unavailable, with growing pauses, `tries` times at most.
class Client {
  public:
    using Pause = std::function<void(std::chrono::milliseconds)>;

    Client(Transport& transport, Random& random, Pause pause)
        : transport_(transport), random_(random), pause_(std::move(pause)) {}

    /// From now on for `user`, as an administrator may. It is a user's name.
    void act_as(const std::string& user) { as_header_ = "X-Reeve-As: " + user; }

    [[nodiscard]] Result<Json> get(const std::string& target);
    [[nodiscard]] Result<HttpAnswer> get_bytes(const std::string& target);

    /// With a fresh idempotency key, so that it is safe to repeat.
    [[nodiscard]] Result<Json> submit(const std::string& target, const std::string& body);

    /// Not repeated. `body` may be "".
    [[nodiscard]] Result<Json> post(const std::string& target, const std::string& body);
    [[nodiscard]] Result<Json> remove(const std::string& target);
    [[nodiscard]] Result<Json> put(const std::string& target, const std::string& body);

    /// All pages of a list, `rows_max` rows at most, as one {items, as_of}. `target` has a query or
    /// none. While a page is read, the next one is on its way.
    [[nodiscard]] Result<Json> get_all(const std::string& target, std::size_t rows_max);

    /// Tells `look` each page of a list, however many there are, until it says stop.
    [[nodiscard]] Result<void> each_page(
        const std::string& target, const std::function<Go(const Json& page)>& look);

    /// Of a page of a list: how many rows came before, and with it.
    using RowsListener = std::function<void(std::size_t before, std::size_t rows)>;

    /// Is told of each page of each list.
    void tell_rows(RowsListener listener) { tell_rows_ = std::move(listener); }

    struct Follow {
        std::string target = {};
        std::string last_event_id = {};
        std::function<Go()> on_open = {};
        std::function<Go(const Event&)> on_event = {};
        std::function<Go()> on_tick = {};
    };

    /// Server-sent events until a callback stops it. Reconnects where it left off.
    /// Errors: a problem; kUnavailable if nobody answers for long.
    [[nodiscard]] Result<void> follow(const Follow& follow);

  private:
    struct Stream {
        const Follow& follow;
        std::string last_id = {};
        int failures = 0;  // In a row.
        bool is_stopped = false;
        bool was_open = false;
    };

    /// One connection of a stream, until it ends.
    [[nodiscard]] Result<HttpAnswer> connect(Stream& stream);
    [[nodiscard]] Result<HttpAnswer> send(HttpRequest request, int tries);
    void sign(HttpRequest& request) const;
    [[nodiscard]] Result<Json> send_json(const HttpRequest& request, int tries);
    void back_off(int attempt);

    [[nodiscard]] std::future<Result<HttpAnswer>> ask_ahead(std::string target);

    /// A page that has come, before which `rows` others came. Errors: kUnavailable: it is no list.
    [[nodiscard]] Result<Json> read_page(Result<Json> page, std::size_t rows);

    Transport& transport_;
    Random& random_;
    Pause pause_;
    RowsListener tell_rows_ = {};
    std::string as_header_ = {};  // "" if nobody is acted as.
};

/// The error that an answer of 400 or more is.
[[nodiscard]] Error error_of(const HttpAnswer& answer);

}  // namespace reeve::cli
