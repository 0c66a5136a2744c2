#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/http_message.hpp"
#include "api/responder.hpp"

namespace reeve::api {

enum class AuditKind : std::uint8_t {
    kDenied,  // An attempt at what the caller may not do, or not know of.
    kRead,    // A read of what is somebody else's, by one who may.
    kActed,   // Anything else that an administrator asked for as another user.
};

/// One thing that the audit log tells. Nothing of it is a secret: no header, no query, no body.
struct AuditEntry {
    AuditKind kind = AuditKind::kDenied;
    Caller caller = {};
    bool is_unix = false;  // By the socket; else by TCP.
    Method method = Method::kOther;
    std::string path = {};    // Without the query.
    int status = 0;           // What was answered.
    std::string whose = {};   // Who owns what it was about; "*": everybody; "" if nobody does.
    std::string detail = {};  // What was said to the caller.
    std::string request_id = {};
};

/// Where entries go. Any thread may call it; it never waits for a disk.
class Audit {
  public:
    virtual ~Audit() = default;
    virtual void record(AuditEntry entry) = 0;
};

/// An entry about `request`, with all but kind, status, whose and detail.
[[nodiscard]] AuditEntry entry_of(const HttpRequest& request);

/// True if the answer denies something to its caller. Not found is a denial if it hides what is
/// there (ledger::no_job).
[[nodiscard]] bool is_denial(const HttpResponse& response);

/// Passes the answer on to `responder`, and tells `audit` (may be null; else it outlives the
/// answer) what has to be told of it. What is for the audit log alone goes no further.
[[nodiscard]] Responder audited(const HttpRequest& request, Responder responder, Audit* audit);

}  // namespace reeve::api
