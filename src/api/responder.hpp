#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/http_message.hpp"

namespace reeve::api {

/// An answer that goes on: server-sent events. Any thread may call it; chunks arrive in the order
/// in which one thread wrote them.
class EventStream {
  public:
    virtual ~EventStream() = default;

    /// Sends `text`, whole events. False if the stream is over: the client went away, or was cut
    /// off because more than kStreamQueueMax bytes waited for it.
    virtual bool write(std::string text) = 0;

    /// Ends the stream once everything written so far was sent.
    virtual void finish() = 0;

    [[nodiscard]] virtual bool is_open() const = 0;
};

inline constexpr std::size_t kStreamQueueMax = 4 << 20;  // Bytes written and not yet sent.

/// Called on the connection's thread, which they must not block; neither after `closed`.
struct StreamCallbacks {
    std::function<void()> drained = {};  // All that was written has been sent: time for more.
    std::function<void()> closed = {};   // Once, however the stream ended. May be empty, both.
};

/// Whether somebody still waits for the answer to one request. Any thread may ask.
class AnswerWatch {
  public:
    /// The client has closed its end, or the server is stopping: an answer is of no use any more.
    [[nodiscard]] bool is_in_vain() const noexcept { return is_in_vain_.load(); }

    void give_up() noexcept { is_in_vain_.store(true); }

  private:
    std::atomic<bool> is_in_vain_ = false;
};

/// Where the answer to one request goes. The server has one; tests have another.
class AnswerSink {
  public:
    virtual ~AnswerSink() = default;
    virtual void answer(HttpResponse response) = 0;
    virtual std::shared_ptr<EventStream> open_stream(
        HttpResponse head, StreamCallbacks callbacks) = 0;

    /// For what takes long. Once for each request, before its answer.
    [[nodiscard]] virtual std::shared_ptr<const AnswerWatch> watch() {
        return std::make_shared<const AnswerWatch>();
    }

    // For the audit log; only a sink that keeps one does something about it.

    /// The answer to come shows what is `owner`'s ("*": everybody's), not the caller's.
    virtual void note_read_of(std::string_view /*owner*/) {}

    /// The answer to come, though a success, has this denied within.
    virtual void note_denial(std::string_view /*owner*/, std::string_view /*detail*/) {}
};

/// The duty to answer one request, once, now or later, from any thread. Copies are the same duty.
/// If the last copy goes without an answer, the sink answers INTERNAL.
class Responder {
  public:
    explicit Responder(std::shared_ptr<AnswerSink> sink) : sink_(std::move(sink)) {}

    /// The first call counts, later ones change nothing.
    void send(HttpResponse response) const { sink_->answer(std::move(response)); }

    void fail(Error error) const { sink_->answer(refuse(std::move(error))); }

    [[nodiscard]] std::shared_ptr<const AnswerWatch> watch() const { return sink_->watch(); }

    void note_read_of(std::string_view owner) const { sink_->note_read_of(owner); }

    void note_denial(std::string_view owner, std::string_view detail) const {
        sink_->note_denial(owner, detail);
    }

    /// Begins a stream instead; `head` gives status, headers and content type. The stream is
    /// already over if the client has gone.
    [[nodiscard]] std::shared_ptr<EventStream> open_stream(
        HttpResponse head, StreamCallbacks callbacks) const {
        return sink_->open_stream(std::move(head), std::move(callbacks));
    }

  private:
    std::shared_ptr<AnswerSink> sink_;
};

}  // namespace reeve::api
