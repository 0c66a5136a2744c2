#include "api/audit.hpp"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <utility>

#include "ledger/command.hpp"

namespace reeve::api {
namespace {

constexpr std::size_t kPathMax = 256;
constexpr std::size_t kDetailMax = 256;

/// Whose it is that a not-found hides; "" if nothing is hidden.
std::string_view hidden_of(const Error& error) {
    const std::string_view context = error.context;
    return context.starts_with(ledger::kHiddenOf) ? context.substr(ledger::kHiddenOf.size())
                                                  : std::string_view();
}

class AuditingSink final : public AnswerSink {
  public:
    AuditingSink(AuditEntry entry, Responder inner, Audit* audit)
        : entry_(std::move(entry)), inner_(std::move(inner)), audit_(audit) {}

    void answer(HttpResponse response) override {
        if (!is_told_.exchange(true)) {
            tell(response);
        }
        inner_.send(std::move(response));
    }

    std::shared_ptr<EventStream> open_stream(
        HttpResponse head, StreamCallbacks callbacks) override {
        if (!is_told_.exchange(true)) {
            tell(head);
        }
        return inner_.open_stream(std::move(head), std::move(callbacks));
    }

    /// Before the answer, from the thread that is about to give it.
    void note_read_of(std::string_view owner) override { entry_.whose = owner; }

    [[nodiscard]] std::shared_ptr<const AnswerWatch> watch() override { return inner_.watch(); }

    void note_denial(std::string_view owner, std::string_view detail) override {
        AuditEntry entry = entry_;
        entry.whose = owner;
        entry.detail = detail;
        record(std::move(entry), AuditKind::kDenied, 200);
    }

  private:
    void tell(HttpResponse& response) {
        if (is_denial(response)) {
            AuditEntry entry = entry_;
            if (const std::string_view owner = hidden_of(*response.problem); !owner.empty()) {
                entry.whose = std::string(owner);
                response.problem->context.clear();  // It was for the audit log.
            }
            entry.detail = response.problem->message;
            record(std::move(entry), AuditKind::kDenied, response.status);
        } else if (!entry_.whose.empty() && response.status < 400) {
            record(entry_, AuditKind::kRead, response.status);
        } else if (!entry_.caller.acted_by.empty()) {
            record(entry_, AuditKind::kActed, response.status);
        }
    }

    void record(AuditEntry entry, AuditKind kind, int status) {
        if (audit_ != nullptr) {
            entry.kind = kind;
            entry.status = status;
            entry.detail.resize(std::min(entry.detail.size(), kDetailMax));
            audit_->record(std::move(entry));
        }
    }

    AuditEntry entry_;
    Responder inner_;
    Audit* audit_;
    std::atomic<bool> is_told_ = false;
};

}  // namespace

AuditEntry entry_of(const HttpRequest& request) {
    const std::string_view path = request.target.substr(0, request.target.find('?'));
    return {
        .caller = request.caller,
        .is_unix = request.peer.is_unix,
        .method = request.method,
        .path = std::string(path.substr(0, kPathMax)),
        .request_id = request.request_id};
}

bool is_denial(const HttpResponse& response) {
    if (!response.problem) {
        return false;
    }
    const ErrorCode code = response.problem->code;
    return code == ErrorCode::kUnauthenticated || code == ErrorCode::kForbidden ||
           !hidden_of(*response.problem).empty();
}

Responder audited(const HttpRequest& request, Responder responder, Audit* audit) {
    return Responder(
        std::make_shared<AuditingSink>(entry_of(request), std::move(responder), audit));
}

}  // namespace reeve::api
