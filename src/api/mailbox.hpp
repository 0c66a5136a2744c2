#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "api/responder.hpp"

namespace reeve::api {

class HttpConnection;
class EventChannel;

/// Messages from any thread to a connection, taken by the thread of its loop.
struct AnswerMail {
    HttpResponse response = {};
};

struct OpenStreamMail {
    HttpResponse head = {};
    StreamCallbacks callbacks = {};
    std::shared_ptr<EventChannel> channel = {};
};

struct ChunkMail {
    std::string text = {};
};

struct FinishMail {
    bool is_cut_off = false;  // At once, without what still waits.
};

struct WatchMail {
    std::shared_ptr<AnswerWatch> watch = {};
};

struct Mail {
    std::shared_ptr<HttpConnection> to = {};
    std::variant<AnswerMail, OpenStreamMail, ChunkMail, FinishMail, WatchMail> what = {};
};

/// A loop's letter box. Outlives the loop as long as somebody may still write: what comes after
/// close() is dropped.
class Mailbox {
  public:
    /// `wake` makes the loop take the mail; called by whoever puts the first letter in.
    explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

    void put(Mail mail) {
        const std::lock_guard lock(mutex_);
        if (is_closed_) {
            return;
        }
        mail_.push_back(std::move(mail));
        if (mail_.size() == 1) {
            wake_();  // Under the lock: after close() there is no loop to wake.
        }
    }

    [[nodiscard]] std::vector<Mail> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(mail_, {});
    }

    void close() {
        std::vector<Mail> dropped;  // Destroyed after the lock: a letter's end may write another.
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
        dropped.swap(mail_);
    }

  private:
    std::mutex mutex_;
    std::function<void()> wake_;
    std::vector<Mail> mail_;
    bool is_closed_ = false;
};

}  // namespace reeve::api
