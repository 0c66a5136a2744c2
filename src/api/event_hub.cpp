#include "api/event_hub.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

#include "api/json_text.hpp"
#include "api/rate_limit.hpp"

namespace reeve::api {
namespace {

constexpr std::size_t kPageEvents = 1000;
constexpr Capacity kWatchers = {.name = "event-streams", .most = kWatchersMax};

std::string cursor_of(std::uint64_t incarnation, Revision rev) {
    return std::to_string(incarnation) + ":" + std::to_string(rev.value());
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

bool is_about(const ledger::Event& event, JobId job) {
    // The JSON is ours, and quotes inside its strings are escaped: these are fields, never text.
    const std::string id = std::to_string(job.value());
    return has(event.json, "\"object\":\"job/" + id + "\"") ||
           has(event.json, "\"job\":" + id + ",") || has(event.json, "\"job\":" + id + "}");
}

Result<std::vector<std::string>> parse_kinds(std::string_view text) {
    constexpr std::size_t kTextMax = 1000;
    const auto is_word = [](std::string_view word) {
        return !word.empty() && std::ranges::all_of(word, [](char c) {
            return (c >= 'a' && c <= 'z') || c == '_' || c == '.';
        });
    };
    std::vector<std::string> kinds;
    for (std::string_view rest = text; kinds.empty() || !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view kind = rest.substr(0, comma);
        const std::size_t dot = std::min(kind.find('.'), kind.size());
        const std::string_view tail = kind.substr(std::min(dot + 1, kind.size()));
        const bool is_last_empty = comma + 1 == rest.size();
        if (text.size() > kTextMax || is_last_empty || !is_word(kind.substr(0, dot)) ||
            (tail != "*" && !is_word(tail))) {
            return fail(
                ErrorCode::kInvalid,
                "kinds: expects kinds of events with commas between them, such as "
                "job.ended,node.*, 1000 bytes at most");
        }
        kinds.emplace_back(kind);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return kinds;
}

bool is_wanted(const ledger::Event& event, const WatchOptions& options) {
    const auto is_of_kind = [&](std::string_view kind) {
        return kind.ends_with('*') ? event.kind.starts_with(kind.substr(0, kind.size() - 1))
                                   : event.kind == kind;
    };
    if (!options.kinds.empty() && std::ranges::none_of(options.kinds, is_of_kind)) {
        return false;
    }
    if (event.kind == "internal" || (options.job && !is_about(event, *options.job))) {
        return false;
    }
    if (!options.user || event.user == *options.user) {
        return true;
    }
    // What is nobody's job may be seen by all, but not what a task in quarantine holds.
    return event.user.empty() && !event.kind.starts_with("allocation.");
}

EventHub::EventHub(ledger::ReaderSource& source) : source_(source), thread_([this] { run(); }) {}

EventHub::~EventHub() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    wakes_.notify_all();
    thread_.join();
}

void EventHub::on_commit() {
    const std::scoped_lock lock(mutex_);
    if (!watchers_.empty()) {
        has_work_ = true;
        wakes_.notify_one();
    }
}

void EventHub::wake(Watcher* ready) {
    const std::scoped_lock lock(mutex_);
    if (ready != nullptr) {
        ready->is_ready = true;
    }
    has_work_ = true;
    wakes_.notify_one();
}

void EventHub::watch(const Responder& responder, WatchOptions options) {
    std::size_t left = 0;
    {
        const std::scoped_lock lock(mutex_);
        if (watchers_.size() >= kWatchersMax) {
            responder.send(refuse_beyond(kWatchers, "too many watch already; try again later"));
            return;
        }
        left = kWatchersMax - watchers_.size() - 1;
    }
    HttpResponse head{.content_type = "text/event-stream"};
    tell_capacity(head, kWatchers, left);
    auto watcher = std::make_shared<Watcher>();
    watcher->options = std::move(options);
    watcher->stream = responder.open_stream(
        std::move(head), {.drained =
                              [this, watcher_now = std::weak_ptr(watcher)] {
                                  if (const auto alive = watcher_now.lock()) {
                                      wake(alive.get());
                                  }
                              },
                          .closed = [this] { wake(nullptr); }});
    const std::scoped_lock lock(mutex_);
    watchers_.push_back(std::move(watcher));
    has_work_ = true;
    wakes_.notify_one();
}

std::vector<std::shared_ptr<EventHub::Watcher>> EventHub::take_ready() {
    std::unique_lock lock(mutex_);
    wakes_.wait(lock, [this] { return has_work_ || is_stopping_; });
    has_work_ = false;
    std::erase_if(watchers_, [](const auto& watcher) { return !watcher->stream->is_open(); });
    std::vector<std::shared_ptr<Watcher>> ready;
    if (!is_stopping_) {
        std::ranges::copy_if(watchers_, std::back_inserter(ready), [](const auto& watcher) {
            return watcher->is_ready;
        });
    }
    return ready;
}

void EventHub::run() {
    while (true) {
        const auto ready = take_ready();
        {
            const std::scoped_lock lock(mutex_);
            if (is_stopping_) {
                return;
            }
        }
        page_.reset();  // There may be more by now.
        for (const auto& watcher : ready) {
            serve(*watcher);
        }
    }
}

void EventHub::serve(Watcher& watcher) {
    Result<void> served;
    try {
        served = serve_page(watcher);
    } catch (const std::exception& error) {  // No memory.
        served = fail(ErrorCode::kInternal, "the stream broke off", error.what());
    }
    if (!served) {
        reader_.reset();
        watcher.stream->finish();  // The client reconnects where it was.
    }
}

Result<void> EventHub::begin(Watcher& watcher) {
    if (!reader_) {
        auto opened = source_.open_reader();
        if (!opened) {
            return tl::unexpected<Error>(std::move(opened.error()));
        }
        reader_ = std::move(*opened);
    }
    if (watcher.has_begun) {
        return {};
    }
    const auto head = reader_->head();
    if (!head) {
        return tl::unexpected<Error>(head.error());
    }
    incarnation_ = head->first;
    watcher.has_begun = true;
    const WatchOptions& options = watcher.options;
    if (options.incarnation.value_or(incarnation_) != incarnation_ ||
        options.since > head->second) {
        write_gap(watcher, head->second);  // Of another history: all that it names is gone.
    }
    return {};
}

/// Makes page_ the one after `since`.
Result<void> EventHub::turn_to(Revision since) {
    if (page_ && page_since_ == since) {
        return {};
    }
    auto page = reader_->events(since, kPageEvents);
    if (!page) {
        return tl::unexpected<Error>(std::move(page.error()));
    }
    page_ = std::move(*page);
    page_since_ = since;
    return {};
}

/// What of the page the watcher wants. Moves the watcher behind the page.
std::string EventHub::take_page(Watcher& watcher) const {
    std::string text;
    for (const ledger::Event& event : page_->events) {
        watcher.options.since = event.rev;
        if (is_wanted(event, watcher.options)) {
            text += "id: ";
            text += cursor_of(incarnation_, event.rev);
            text += "\nevent: ";
            text += event.kind;
            text += "\ndata: ";
            text += event.json;
            text += "\n\n";
        }
    }
    return text;
}

Result<void> EventHub::serve_page(Watcher& watcher) {
    if (auto begun = begin(watcher); !begun) {
        return begun;
    }
    bool is_full = true;
    while (is_full) {  // Pages without anything for this watcher are passed over.
        if (auto turned = turn_to(watcher.options.since); !turned) {
            return turned;
        }
        if (page_->is_gap) {
            write_gap(watcher, page_->last_rev);
            return {};
        }
        is_full = page_->events.size() == kPageEvents;
        std::string text = take_page(watcher);
        if (!text.empty()) {
            write(watcher, std::move(text));
            return {};
        }
    }
    return {};
}

void EventHub::write_gap(Watcher& watcher, Revision newest) {
    const std::string cursor = cursor_of(incarnation_, newest);
    watcher.options.since = newest;
    write(watcher, "event: gap\nid: " + cursor + "\ndata: {\"cursor\":\"" + cursor + "\"}\n\n");
}

void EventHub::write(Watcher& watcher, std::string text) {
    {
        const std::scoped_lock lock(mutex_);
        watcher.is_ready = false;  // Before the write: what it drains may be told at once.
    }
    watcher.stream->write(std::move(text));
}

}  // namespace reeve::api
