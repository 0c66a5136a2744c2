#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "api/mailbox.hpp"

namespace reeve::api {

/// The writing end of a stream, for any thread; the connection is the reading end.
class EventChannel final : public EventStream {
  public:
    EventChannel(std::shared_ptr<HttpConnection> connection, std::shared_ptr<Mailbox> mailbox);

    bool write(std::string text) override;
    void finish() override;

    [[nodiscard]] bool is_open() const override { return is_open_.load(); }

    /// Said by the connection: it wrote `bytes` of its own; `bytes` were sent; it is over.
    void queued(std::size_t bytes) { queued_.fetch_add(bytes); }

    void sent(std::size_t bytes) { queued_.fetch_sub(bytes); }

    void close() { is_open_.store(false); }

  private:
    std::shared_ptr<HttpConnection> connection_;
    std::shared_ptr<Mailbox> mailbox_;
    std::atomic<bool> is_open_ = true;
    std::atomic<std::size_t> queued_ = 0;
};

/// The duty to answer one request of a connection.
class ConnectionAnswer final : public AnswerSink {
  public:
    ConnectionAnswer(
        std::shared_ptr<HttpConnection> connection,
        std::shared_ptr<Mailbox> mailbox,
        bool accepts_gzip);
    ConnectionAnswer(const ConnectionAnswer&) = delete;
    ConnectionAnswer& operator=(const ConnectionAnswer&) = delete;
    ConnectionAnswer(ConnectionAnswer&&) = delete;
    ConnectionAnswer& operator=(ConnectionAnswer&&) = delete;
    ~ConnectionAnswer() override;

    void answer(HttpResponse response) override;
    std::shared_ptr<EventStream> open_stream(HttpResponse head, StreamCallbacks callbacks) override;
    [[nodiscard]] std::shared_ptr<const AnswerWatch> watch() override;

  private:
    void post(Mail mail);

    std::shared_ptr<HttpConnection> connection_;
    std::shared_ptr<Mailbox> mailbox_;
    bool accepts_gzip_;
    std::atomic<bool> is_answered_ = false;
};

/// Set by a loop for its own thread: answers given there need no letter.
void set_own_mailbox(const Mailbox* mailbox) noexcept;

}  // namespace reeve::api
