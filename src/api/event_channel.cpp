#include "api/event_channel.hpp"

#include "api/gzip.hpp"
#include "api/http_connection.hpp"

namespace reeve::api {
namespace {

thread_local const Mailbox* own_mailbox = nullptr;

constexpr std::size_t kPackedOnLoopMax = 262'144;  // Bytes: about 2 ms.

}  // namespace

void set_own_mailbox(const Mailbox* mailbox) noexcept {
    own_mailbox = mailbox;
}

EventChannel::EventChannel(
    std::shared_ptr<HttpConnection> connection, std::shared_ptr<Mailbox> mailbox)
    : connection_(std::move(connection)), mailbox_(std::move(mailbox)) {}

bool EventChannel::write(std::string text) {
    if (!is_open()) {
        return false;
    }
    if (queued_.fetch_add(text.size()) + text.size() > kStreamQueueMax) {
        close();
        mailbox_->put({.to = connection_, .what = FinishMail{.is_cut_off = true}});
        return false;
    }
    // Always by letter, also on the loop's own thread: so that chunks keep their order.
    mailbox_->put({.to = connection_, .what = ChunkMail{std::move(text)}});
    return true;
}

void EventChannel::finish() {
    mailbox_->put({.to = connection_, .what = FinishMail{}});
}

ConnectionAnswer::ConnectionAnswer(
    std::shared_ptr<HttpConnection> connection, std::shared_ptr<Mailbox> mailbox, bool accepts_gzip)
    : connection_(std::move(connection)),
      mailbox_(std::move(mailbox)),
      accepts_gzip_(accepts_gzip) {}

ConnectionAnswer::~ConnectionAnswer() {
    if (!is_answered_.load()) {
        answer(refuse(
            Error{ErrorCode::kInternal, "the server gave no answer", "a responder was dropped"}));
    }
}

void ConnectionAnswer::answer(HttpResponse response) {
    if (!is_answered_.exchange(true)) {
        // An event loop answers others, too: it packs nothing that takes more than a moment.
        const bool is_on_loop = own_mailbox != nullptr;
        compress(
            response, accepts_gzip_ && (!is_on_loop || response.body.size() <= kPackedOnLoopMax));
        post({.to = connection_, .what = AnswerMail{std::move(response)}});
    }
}

std::shared_ptr<const AnswerWatch> ConnectionAnswer::watch() {
    auto watch = std::make_shared<AnswerWatch>();
    post({.to = connection_, .what = WatchMail{watch}});
    return watch;
}

std::shared_ptr<EventStream> ConnectionAnswer::open_stream(
    HttpResponse head, StreamCallbacks callbacks) {
    auto channel = std::make_shared<EventChannel>(connection_, mailbox_);
    if (is_answered_.exchange(true)) {
        channel->close();
        return channel;
    }
    post({
        .to = connection_,
        .what = OpenStreamMail{
                               .head = std::move(head), .callbacks = std::move(callbacks), .channel = channel}
    });
    return channel;
}

void ConnectionAnswer::post(Mail mail) {
    if (own_mailbox == mailbox_.get()) {
        connection_->on_mail(mail);
    } else {
        mailbox_->put(std::move(mail));
    }
}

}  // namespace reeve::api
