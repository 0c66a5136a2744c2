#include "api/http_loop.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <vector>

#include <boost/asio/post.hpp>
#include <sys/socket.h>

#include "api/event_channel.hpp"
#include "base/assert.hpp"
#include "platform/clock.hpp"

namespace reeve::api {

namespace asio = boost::asio;
using boost::system::error_code;

std::string http_date(Instant at) {
    constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::chrono::sys_time<std::chrono::microseconds> time(at.since_epoch());
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
    std::array<char, 64> text = {};
    std::snprintf(
        text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
        kDays.at(std::chrono::weekday(day).c_encoding()), static_cast<unsigned>(date.day()),
        kMonths.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()));
    return text.data();
}

Peer peer_of(Socket& socket) {
    ucred credentials = {};
    socklen_t size = sizeof(credentials);
    sockaddr_storage address = {};
    socklen_t address_size = sizeof(address);
    const int fd = socket.native_handle();
    const bool is_unix =
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &address_size) == 0 &&
        address.ss_family == AF_UNIX &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0;
    return is_unix ? Peer{.is_unix = true, .uid = credentials.uid, .gid = credentials.gid} : Peer{};
}

HttpLoop::HttpLoop(
    HttpService& service, const HttpServerOptions& options, HttpCounters& counters, int number)
    : service_(service),
      options_(options),
      counters_(counters),
      id_prefix_(options.id_prefix + "-" + std::to_string(number) + "-"),
      work_(asio::make_work_guard(context_)),
      timer_(context_),
      mailbox_(
          std::make_shared<Mailbox>([this] { asio::post(context_, [this] { read_mail(); }); })) {}

void HttpLoop::run() {
    set_own_mailbox(mailbox_.get());
    context_.run();
    close_all();
    mailbox_->close();
    set_own_mailbox(nullptr);
}

void HttpLoop::stop(std::chrono::milliseconds grace) {
    asio::post(context_, [this, grace] { begin_stop(deadline_in(grace)); });
}

void HttpLoop::adopt(Socket socket) {
    asio::post(
        context_, [this, socket = std::move(socket)]() mutable { begin(std::move(socket)); });
}

void HttpLoop::make_room() {
    asio::post(context_, [this] { close_longest_idle(nullptr); });
}

void HttpLoop::begin(Socket socket) {
    if (stop_tick_ != 0) {
        return;
    }
    const Peer peer = peer_of(socket);
    auto connection =
        std::make_shared<HttpConnection>(make_socket_stream(std::move(socket)), peer, *this);
    idle_.push_back(connection);
    connection->place = std::prev(idle_.end());
    connection->is_idle_listed = true;
    arm_timer();
    if (counters_.connections.fetch_add(1) >= options_.limits.connections_max &&
        !close_longest_idle(connection.get())) {
        connection->turn_away();
        return;
    }
    connection->start();
}

bool HttpLoop::close_longest_idle(const HttpConnection* except) {
    if (idle_.empty() || idle_.front().get() == except) {
        return false;
    }
    const std::shared_ptr<HttpConnection> longest = idle_.front();
    longest->close();
    return true;
}

void HttpLoop::read_mail() {
    for (Mail& mail : mailbox_->take()) {
        mail.to->on_mail(mail);
    }
}

std::string HttpLoop::next_request_id() {
    return id_prefix_ + std::to_string(++last_id_);
}

const std::string& HttpLoop::date() {
    if (date_tick_ != tick_) {  // A tick is shorter than the second that this counts in.
        date_tick_ = tick_;
        date_ = http_date(platform::now_utc());
    }
    return date_;
}

std::uint64_t HttpLoop::deadline_in(std::chrono::milliseconds wait) const {
    const auto ticks =
        (wait + options_.limits.tick - std::chrono::milliseconds(1)) / options_.limits.tick;
    return tick_ + static_cast<std::uint64_t>(ticks) + 1;  // The current tick has partly gone.
}

bool HttpLoop::take_body_bytes(std::uint64_t bytes) {
    if (bytes > options_.limits.body_bytes_max -
                    std::min<std::uint64_t>(body_bytes_, options_.limits.body_bytes_max)) {
        return false;
    }
    body_bytes_ += bytes;
    return true;
}

void HttpLoop::became_idle(HttpConnection& connection) {
    ConnectionList& from = connection.is_idle_listed ? idle_ : busy_;
    idle_.splice(idle_.end(), from, connection.place);
    connection.is_idle_listed = true;
}

void HttpLoop::became_busy(HttpConnection& connection) {
    REEVE_ASSERT(connection.is_idle_listed, "a request begins on an idle connection");
    busy_.splice(busy_.end(), idle_, connection.place);
    connection.is_idle_listed = false;
}

void HttpLoop::closed(HttpConnection& connection) {
    counters_.connections.fetch_sub(1);
    (connection.is_idle_listed ? idle_ : busy_).erase(connection.place);
    end_if_empty();
}

void HttpLoop::arm_timer() {
    if (is_timer_armed_) {
        return;
    }
    is_timer_armed_ = true;
    timer_.expires_after(options_.limits.tick);
    timer_.async_wait([this](const error_code& error) {
        is_timer_armed_ = false;
        if (!error) {
            on_tick();
        }
    });
}

void HttpLoop::on_tick() {
    ++tick_;
    const auto is_due = [this](const std::shared_ptr<HttpConnection>& connection) {
        return connection->deadline() != 0 && connection->deadline() <= tick_;
    };
    std::vector<std::shared_ptr<HttpConnection>> due;
    for (const auto& connection : idle_) {  // In the order of their deadlines.
        if (!is_due(connection)) {
            break;
        }
        due.push_back(connection);
    }
    std::ranges::copy_if(busy_, std::back_inserter(due), is_due);
    for (const auto& connection : due) {
        connection->on_deadline();
    }
    if (stop_tick_ != 0 && tick_ >= stop_tick_) {
        close_all();
    }
    if (!idle_.empty() || !busy_.empty()) {
        arm_timer();
    }
}

void HttpLoop::begin_stop(std::uint64_t grace_ticks) {
    stop_tick_ = grace_ticks;
    std::vector<std::shared_ptr<HttpConnection>> all(idle_.begin(), idle_.end());
    all.insert(all.end(), busy_.begin(), busy_.end());
    for (const auto& connection : all) {
        connection->wind_up();
    }
    end_if_empty();
}

void HttpLoop::end_if_empty() {
    if (stop_tick_ != 0 && idle_.empty() && busy_.empty()) {
        context_.stop();
    }
}

void HttpLoop::close_all() {
    std::vector<std::shared_ptr<HttpConnection>> all(idle_.begin(), idle_.end());
    all.insert(all.end(), busy_.begin(), busy_.end());
    for (const auto& connection : all) {
        connection->close();
    }
}

}  // namespace reeve::api
