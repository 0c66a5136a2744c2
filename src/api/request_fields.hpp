#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http_message.hpp"
#include "api/json_body.hpp"
#include "api/json_text.hpp"
#include "api/responder.hpp"
#include "base/result.hpp"
#include "ledger/command.hpp"
#include "ledger/reader.hpp"

// What the parameters of requests mean. Errors are kInvalid and name the parameter.
namespace reeve::api {

inline constexpr std::int64_t kIdMax = 9'007'199'254'740'991;  // 2^53 - 1: JSON's safe integers.
inline constexpr std::int64_t kIndexMax = 4'294'967'294;
inline constexpr std::size_t kPageDefault = 100;

[[nodiscard]] Result<JobId> job_id_of(const HttpRequest& request);

struct Bounds {
    std::int64_t least = 0;
    std::int64_t most = 0;
};

/// Nothing if the parameter is absent.
[[nodiscard]] Result<std::optional<std::int64_t>> integer_parameter(
    const HttpRequest& request, std::string_view name, Bounds bounds);

[[nodiscard]] Result<std::size_t> limit_of(const HttpRequest& request);

/// The parameter `element`.
[[nodiscard]] Result<std::optional<std::uint32_t>> element_of(const HttpRequest& request);

/// "running,pending" -> states.
[[nodiscard]] Result<std::vector<model::ElementState>> parse_states(std::string_view text);

struct JobListQuery {
    ledger::JobFilter filter = {};
    ledger::JobOrder order = ledger::JobOrder::kNewestFirst;
    std::optional<ledger::JobCursor> after = {};
    std::size_t limit = kPageDefault;
    ItemFields fields = {};
};

/// All of a job list's parameters. A caller who is no admin sees only their own.
/// Errors: also kForbidden, of somebody else's.
[[nodiscard]] Result<JobListQuery> job_list_query(const HttpRequest& request);

[[nodiscard]] std::string encode(const ledger::JobCursor& cursor);

using ElementCursor = std::pair<std::uint32_t, std::uint32_t>;  // Index, attempt.
[[nodiscard]] std::string encode(const ElementCursor& cursor);
[[nodiscard]] Result<std::optional<ElementCursor>> element_cursor_of(const HttpRequest& request);

/// "3:918" -> incarnation 3, revision 918; "918" is one without an incarnation.
struct EventCursor {
    std::optional<std::uint64_t> incarnation = {};
    Revision rev = Revision(0);
};

[[nodiscard]] Result<EventCursor> parse_event_cursor(std::string_view text);

/// A job's entity tag: its revision, in quotes.
[[nodiscard]] std::string etag_of(Revision rev);

/// The revisions of If-Match; nothing if it is absent, or "*". A weak tag, and one that is none of
/// ours, matches no job.
[[nodiscard]] Result<std::optional<std::vector<Revision>>> if_match_of(const HttpRequest& request);

/// The parameter `name`, "0", "1", "false" or "true"; false if absent.
[[nodiscard]] Result<bool> truth_parameter(const HttpRequest& request, std::string_view name);

/// The field `quota`; nothing if it is absent.
[[nodiscard]] Result<std::optional<model::Quota>> quota_of(
    const JsonBody& body, std::string_view member = "quota");

/// The field `guaranteed_gpu_milli` of a project; nothing if it is absent.
[[nodiscard]] Result<std::optional<std::int64_t>> guaranteed_of(const JsonBody& body);

[[nodiscard]] ledger::Actor actor_of(const HttpRequest& request);

/// True if the caller may see and name what is `user`'s.
[[nodiscard]] bool may_see(const Caller& caller, const std::string& user);

/// The job, if there is one that the caller may know of. Changes of jobs are held to the same rule
/// (ledger::Reach) by the ledger, with the same words. A read of somebody else's is noted for the
/// audit log. Errors: kNotFound, and those of the reader.
[[nodiscard]] Result<ledger::JobRow> visible_job(
    ledger::Reader& reader, JobId id, const Caller& caller, const Responder& responder);

}  // namespace reeve::api
