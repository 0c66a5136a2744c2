#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "ledger/change.hpp"
#include "model/records.hpp"

namespace reeve::ledger {

inline constexpr std::size_t kPageMax = 1000;
inline constexpr std::uint64_t kPositionMax = 10'000;  // Exact up to here; then "more".

enum class JobOrder : std::uint8_t {
    kNewestFirst,  // By id, descending.
    kOldestFirst,  // By id.
    kQueue,        // Pending jobs alone, as they will be looked at: by rank, then id.
};

/// What a list is cut down to. Empty or absent: no such filter.
struct JobFilter {
    std::vector<model::ElementState> states = {};  // Of the job as a whole, any of them.
    std::optional<std::string> user = {};
    std::optional<std::string> project = {};
    std::optional<std::string> name = {};
    std::map<std::string, std::string> labels = {};  // All of them.
    std::vector<JobId> ids = {};                     // Any of them.
};

/// Where a page ended. Opaque to clients; the API encodes it.
struct JobCursor {
    std::int64_t rank = 0;
    JobId id = JobId(0);
};

struct JobRow {
    model::JobRecord record = {};
    std::string name = {};
    std::string user = {};
    std::string project = {};
    model::GpuAsk gpus = {};
    model::HostAmount host = {};
    std::string on = {};  // As in RequestRecord.
    std::map<std::string, std::string> labels = {};

    /// Of a job with one element: its latest attempt, if it ever left the queue.
    std::optional<model::ElementRecord> element = {};
};

struct JobPage {
    std::vector<JobRow> rows = {};
    std::optional<JobCursor> next = {};
    Revision as_of = Revision(0);
};

struct ElementPage {
    std::vector<model::ElementRecord> rows = {};  // Every attempt, by index, then attempt.
    std::optional<std::pair<std::uint32_t, std::uint32_t>> next = {};  // Index, attempt.
    Revision as_of = Revision(0);
};

/// A change as watchers see it: one line of JSON, and who may see it.
struct Event {
    Revision rev = Revision(0);
    std::string kind = {};  // "job.submitted", "element.running", "node.changed", …
    std::string user = {};  // Whose job it is about; "" if about none.
    std::string json = {};
};

struct EventPage {
    std::vector<Event> events = {};
    bool is_gap = false;              // `since` lies below what is kept: list again.
    Revision last_rev = Revision(0);  // The newest committed.
};

/// Reads what is committed, on a connection of its own: never waits for the writer. One thread uses
/// a reader at a time; make one per thread.
class Reader {
  public:
    virtual ~Reader() = default;

    /// One page, up to `limit` (1..kPageMax). A page may be short, or empty, and still have a
    /// `next`: where two filters have to be checked job by job, a page looks at a bounded number of
    /// them.
    [[nodiscard]] virtual Result<JobPage> jobs(
        const JobFilter& filter,
        JobOrder order,
        const std::optional<JobCursor>& after,
        std::size_t limit) = 0;

    /// Errors: kNotFound.
    [[nodiscard]] virtual Result<JobRow> job(JobId id) = 0;
    [[nodiscard]] virtual Result<std::string> spec(JobId id) = 0;

    [[nodiscard]] virtual Result<ElementPage> elements(
        JobId id,
        const std::optional<std::pair<std::uint32_t, std::uint32_t>>& after,
        std::size_t limit) = 0;

    /// What an attempt was granted: its allocation, if it ever had one.
    [[nodiscard]] virtual Result<std::optional<model::AllocationRecord>> allocation(
        AllocationId id) = 0;

    /// What people asked of a job, oldest first: the newest `limit` of it.
    [[nodiscard]] virtual Result<std::vector<model::ControlRecord>> controls(
        JobId id, std::size_t limit) = 0;

    /// How many pending jobs are looked at before this one, plus 1; kPositionMax + 1 stands for
    /// more.
    [[nodiscard]] virtual Result<std::uint64_t> position(std::int64_t rank, JobId id) = 0;

    /// The position() of each, in the order given. Costs one walk of the queue, kPositionMax jobs
    /// of it at most, however many are asked for.
    [[nodiscard]] virtual Result<std::vector<std::uint64_t>> positions(
        const std::vector<JobCursor>& jobs) = 0;

    /// Changes after `since`, oldest first.
    [[nodiscard]] virtual Result<EventPage> events(Revision since, std::size_t limit) = 0;

    /// The newest committed revision and the incarnation.
    [[nodiscard]] virtual Result<std::pair<std::uint64_t, Revision>> head() = 0;
};

/// Makes readers, from any thread.
class ReaderSource {
  public:
    virtual ~ReaderSource() = default;
    [[nodiscard]] virtual Result<std::unique_ptr<Reader>> open_reader() = 0;
};

}  // namespace reeve::ledger
