#include "api/log_hub.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

#include "api/element_lookup.hpp"
#include "api/json_text.hpp"
#include "api/rate_limit.hpp"
#include "base/text.hpp"

namespace reeve::api {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr Capacity kFollowers = {.name = "log-streams", .most = kFollowersMax};
constexpr milliseconds kLookSoon = milliseconds(20);    // While something comes.
constexpr milliseconds kLookLater = milliseconds(250);  // At the latest.

std::string node_name(const controller::View& view, NodeId id) {
    const auto found =
        std::ranges::find_if(view.nodes, [&](const auto& node) { return node->record.id == id; });
    return found == view.nodes.end() ? std::string() : (*found)->record.name;
}

/// Of an attempt without a record: whether there may be one.
Result<void> check_attempt(
    ledger::Reader& reader, const model::ElementKey& key, std::optional<std::uint32_t> attempt) {
    const auto newest = find_attempt(reader, key, {});
    if (!newest) {
        return tl::unexpected<Error>(newest.error());
    }
    const std::uint32_t last = *newest ? (*newest)->attempt : 1;
    if (attempt.value_or(last) <= last) {
        return {};
    }
    return fail(
        ErrorCode::kNotFound, "job " + to_string(key.job) + " has no attempt " +
                                  std::to_string(*attempt) + " yet; the newest is " +
                                  std::to_string(last));
}

}  // namespace

Result<LogFound> find_log(
    ledger::Reader& reader, const controller::View& view, const LogWish& wish) {
    const auto job = reader.job(wish.job);
    if (!job) {
        return tl::unexpected<Error>(job.error());
    }
    const model::JobRecord& record = job->record;
    if (record.is_array && !wish.index) {
        return fail(
            ErrorCode::kInvalid,
            "job " + to_string(wish.job) + " is an array: say which element is meant");
    }
    const std::uint32_t index = wish.index.value_or(0);
    if (!record.range.has(index)) {
        return no_element(wish.job, index);
    }
    const auto attempt = find_attempt(reader, {.job = wish.job, .index = index}, wish.attempt);
    if (!attempt) {
        return tl::unexpected<Error>(attempt.error());
    }
    if (wish.rank > 0) {
        return fail(
            ErrorCode::kNotFound, "job " + to_string(wish.job) + " has no rank " +
                                      std::to_string(wish.rank) + "; it is one task, of rank 0");
    }
    const bool job_is_over = record.ended_at != model::kNever;
    if (!*attempt) {
        if (auto checked = check_attempt(reader, {.job = wish.job, .index = index}, wish.attempt);
            !checked) {
            return tl::unexpected<Error>(std::move(checked.error()));
        }
        return LogFound{.place = std::nullopt, .is_over = job_is_over};
    }
    const model::ElementRecord& element = **attempt;
    LogFound found{
        .place = std::nullopt, .is_over = element.ended_at != model::kNever || job_is_over};
    if (element.node != NodeId(0)) {
        found.place = LogPlace{
            .node = node_name(view, element.node),
            .task = {.element = element.key, .attempt = element.attempt, .rank = wish.rank},
            .stream = wish.stream
        };
    }
    return found;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            bits = (bits << 8U) | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            text += j <= count ? kDigits[(bits >> (18U - 6U * j)) & 0x3FU] : '=';
        }
    }
    return text;
}

std::string log_event(std::int64_t offset, std::string& bytes) {
    constexpr std::size_t kCutMax = 3;  // Bytes of a character whose last one is still to come.
    std::size_t size = bytes.size();
    while (size > 0 && bytes.size() - size <= kCutMax &&
           !is_utf8(std::string_view(bytes).substr(0, size))) {
        --size;
    }
    const bool is_text = size > 0 && bytes.size() - size <= kCutMax;
    if (is_text) {
        bytes.resize(size);
    }
    JsonText json;
    json.begin_object();
    json.field("offset", offset);
    json.field("next", offset + static_cast<std::int64_t>(bytes.size()));
    if (is_text) {
        json.field("text", bytes);
    } else {
        json.field("base64", base64(bytes));
    }
    json.end_object();
    return json.take();
}

LogHub::LogHub(ledger::ReaderSource& source, const Commands& commands, const TaskLogs& logs)
    : source_(source), commands_(commands), logs_(logs), thread_([this] { run(); }) {}

LogHub::~LogHub() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    wakes_.notify_all();
    thread_.join();
}

void LogHub::follow(const Responder& responder, const LogWish& wish, std::int64_t offset) {
    std::size_t left = 0;
    {
        const std::scoped_lock lock(mutex_);
        if (followers_.size() >= kFollowersMax) {
            responder.send(
                refuse_beyond(kFollowers, "too many follow logs already; try again later"));
            return;
        }
        left = kFollowersMax - followers_.size() - 1;
    }
    HttpResponse head{.content_type = "text/event-stream"};
    tell_capacity(head, kFollowers, left);
    auto follower = std::make_shared<Follower>();
    follower->wish = wish;
    follower->offset = offset;
    follower->stream = responder.open_stream(
        std::move(head), {.drained =
                              [this, follower_now = std::weak_ptr(follower)] {
                                  if (const auto alive = follower_now.lock()) {
                                      const std::scoped_lock lock(mutex_);
                                      alive->is_ready = true;
                                      has_work_ = true;
                                      wakes_.notify_one();
                                  }
                              },
                          .closed = {}});
    const std::scoped_lock lock(mutex_);
    followers_.push_back(std::move(follower));
    has_work_ = true;
    wakes_.notify_one();
}

std::vector<std::shared_ptr<LogHub::Follower>> LogHub::take_ready(milliseconds wait) {
    std::unique_lock lock(mutex_);
    const auto is_woken = [this] { return has_work_ || is_stopping_; };
    if (followers_.empty()) {
        wakes_.wait(lock, is_woken);
    } else {
        wakes_.wait_for(lock, wait, is_woken);
    }
    has_work_ = false;
    std::erase_if(followers_, [](const auto& follower) { return !follower->stream->is_open(); });
    std::vector<std::shared_ptr<Follower>> ready;
    std::ranges::copy_if(followers_, std::back_inserter(ready), [](const auto& follower) {
        return follower->is_ready;
    });
    return ready;
}

void LogHub::run() {
    milliseconds wait = kLookSoon;
    while (true) {
        const auto ready = take_ready(wait);
        {
            const std::scoped_lock lock(mutex_);
            if (is_stopping_) {
                return;
            }
        }
        bool something_came = false;
        for (const auto& follower : ready) {
            something_came = serve(*follower) || something_came;
        }
        wait = something_came ? kLookSoon : std::min(kLookLater, wait * 3 / 2);
    }
}

bool LogHub::serve(Follower& follower) {
    Result<bool> served = false;
    try {
        served = serve_piece(follower);
    } catch (const std::exception& error) {  // No memory.
        served = fail(ErrorCode::kInternal, "the stream broke off", error.what());
    }
    if (!served) {
        reader_.reset();
        follower.stream->finish();  // The client reconnects where it was, and is told why not.
    }
    return served.value_or(false);
}

Result<LogFound> LogHub::find(const LogWish& wish) {
    if (!reader_) {
        auto opened = source_.open_reader();
        if (!opened) {
            return tl::unexpected<Error>(std::move(opened.error()));
        }
        reader_ = std::move(*opened);
    }
    return find_log(*reader_, *commands_.view(), wish);
}

/// Sets the follower's place, once its task has one. A task that ends without one has no log.
Result<void> LogHub::find_place(Follower& follower) {
    const auto found = find(follower.wish);
    if (!found) {
        return tl::unexpected<Error>(found.error());
    }
    follower.place = found->place;
    if (!found->place && found->is_over) {
        end(follower);
    }
    return {};
}

/// Turns an offset that counts from the end into one that counts from the start.
void LogHub::count_from_end(Follower& follower) {
    const auto whole = logs_.read(*follower.place, 0);
    if (whole) {
        follower.offset = std::max<std::int64_t>(0, whole->size + follower.offset);
    }
}

/// There is no log: ends the stream if there will be none.
void LogHub::end_if_over(Follower& follower) {
    const auto found = find(follower.wish);
    if (found && found->is_over) {
        end(follower);
    }
}

void LogHub::send(Follower& follower, LogPiece piece) {
    if (piece.bytes.empty()) {
        follower.offset = piece.next_offset;  // Behind what was dropped, if anything was.
        if (piece.is_finished) {
            end(follower);
        }
        return;
    }
    const std::string event = log_event(follower.offset, piece.bytes);
    follower.offset += static_cast<std::int64_t>(piece.bytes.size());
    write(
        follower,
        "event: log\nid: " + std::to_string(follower.offset) + "\ndata: " + event + "\n\n");
}

/// True if something came.
Result<bool> LogHub::serve_piece(Follower& follower) {
    if (!follower.place) {
        if (auto found = find_place(follower); !found || !follower.place) {
            return found ? Result<bool>(false) : tl::unexpected<Error>(std::move(found.error()));
        }
    }
    if (follower.offset < 0) {
        count_from_end(follower);
    }
    follower.place->offset = std::max<std::int64_t>(0, follower.offset);
    auto piece = logs_.read(*follower.place, kPieceBytes);
    if (piece) {
        const std::int64_t before = follower.offset;
        follower.offset = follower.place->offset;
        send(follower, std::move(*piece));
        return follower.offset != before;
    }
    if (piece.error().code != ErrorCode::kNotFound) {
        return tl::unexpected<Error>(std::move(piece.error()));
    }
    end_if_over(follower);  // It ended before it wrote anything, or its log is gone.
    return false;
}

void LogHub::end(Follower& follower) {
    const std::string next = std::to_string(std::max<std::int64_t>(0, follower.offset));
    write(follower, "event: end\nid: " + next + "\ndata: {\"next\":" + next + "}\n\n");
    follower.stream->finish();
}

void LogHub::write(Follower& follower, std::string text) {
    {
        const std::scoped_lock lock(mutex_);
        follower.is_ready = false;  // Before the write: what it drains may be told at once.
    }
    follower.stream->write(std::move(text));
}

}  // namespace reeve::api
