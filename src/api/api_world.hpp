#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "api/contract_check.hpp"
#include "api/problem.hpp"
#include "api/routes.hpp"

// For tests: the API over made-up jobs, without a socket, a disk or a writer.
namespace reeve::api {

inline constexpr Instant kWorldNow = Instant(std::chrono::microseconds(1'764'000'000'000'000));

/// What FakeReader reads. A test locks `mutex` to change it while something follows it.
struct FakeStore {
    std::mutex mutex = {};
    std::vector<ledger::JobRow> jobs = {};
    std::vector<model::ElementRecord> elements = {};
    std::vector<model::AllocationRecord> allocations = {};
    std::vector<model::ControlRecord> controls = {};
    std::vector<ledger::Event> events = {};
    Revision floor = Revision(0);  // Changes up to here were pruned.
    std::uint64_t incarnation = 1;
    std::string spec = R"({"command":["true"]})";

    // What was asked for last.
    ledger::JobFilter filter = {};
    ledger::JobOrder order = ledger::JobOrder::kNewestFirst;
    std::optional<ledger::JobCursor> after = {};
    std::size_t limit = 0;

    [[nodiscard]] Revision newest() const {
        return events.empty() ? Revision(0) : events.back().rev;
    }
};

class FakeReader final : public ledger::Reader {
  public:
    explicit FakeReader(FakeStore& store) : store_(store) {}

    [[nodiscard]] Result<ledger::JobPage> jobs(
        const ledger::JobFilter& filter,
        ledger::JobOrder order,
        const std::optional<ledger::JobCursor>& after,
        std::size_t limit) override {
        const std::scoped_lock lock(store_.mutex);
        store_.filter = filter;
        store_.order = order;
        store_.after = after;
        store_.limit = limit;
        ledger::JobPage page{.as_of = store_.newest()};
        for (const ledger::JobRow& job : store_.jobs) {
            if (!filter.user || *filter.user == job.user) {
                page.rows.push_back(job);
            }
        }
        if (page.rows.size() > limit) {
            page.rows.resize(limit);
            const model::JobRecord& last = page.rows.back().record;
            page.next = ledger::JobCursor{.rank = last.rank, .id = last.id};
        }
        return page;
    }

    [[nodiscard]] Result<ledger::JobRow> job(JobId id) override {
        const std::scoped_lock lock(store_.mutex);
        const auto found =
            std::ranges::find_if(store_.jobs, [&](const auto& job) { return job.record.id == id; });
        return found == store_.jobs.end()
                   ? Result<ledger::JobRow>(fail(ErrorCode::kNotFound, "the store has no such job"))
                   : *found;
    }

    [[nodiscard]] Result<std::string> spec(JobId /*id*/) override {
        const std::scoped_lock lock(store_.mutex);
        return store_.spec;
    }

    [[nodiscard]] Result<ledger::ElementPage> elements(
        JobId id,
        const std::optional<std::pair<std::uint32_t, std::uint32_t>>& after,
        std::size_t limit) override {
        const std::scoped_lock lock(store_.mutex);
        ledger::ElementPage page{.as_of = store_.newest()};
        for (const model::ElementRecord& element : store_.elements) {
            const std::pair at(element.key.index, element.attempt);
            if (element.key.job != id || (after && at <= *after)) {
                continue;
            }
            if (page.rows.size() == limit) {
                page.next = std::pair(page.rows.back().key.index, page.rows.back().attempt);
                break;
            }
            page.rows.push_back(element);
        }
        return page;
    }

    [[nodiscard]] Result<std::optional<model::AllocationRecord>> allocation(
        AllocationId id) override {
        const std::scoped_lock lock(store_.mutex);
        const auto found = std::ranges::find(store_.allocations, id, &model::AllocationRecord::id);
        return found == store_.allocations.end() ? std::nullopt : std::optional(*found);
    }

    [[nodiscard]] Result<std::vector<model::ControlRecord>> controls(
        JobId id, std::size_t /*limit*/) override {
        const std::scoped_lock lock(store_.mutex);
        std::vector<model::ControlRecord> found;
        std::ranges::copy_if(store_.controls, std::back_inserter(found), [&](const auto& control) {
            return control.job == id;
        });
        return found;
    }

    [[nodiscard]] Result<std::uint64_t> position(std::int64_t /*rank*/, JobId id) override {
        const std::scoped_lock lock(store_.mutex);
        std::uint64_t position = 1;
        for (const ledger::JobRow& job : store_.jobs) {
            if (job.record.id == id) {
                return position;
            }
            position += job.record.counts.pending() > 0 ? 1U : 0U;
        }
        return position;
    }

    [[nodiscard]] Result<std::vector<std::uint64_t>> positions(
        const std::vector<ledger::JobCursor>& jobs) override {
        std::vector<std::uint64_t> all;
        all.reserve(jobs.size());
        for (const auto& [rank, id] : jobs) {
            all.push_back(position(rank, id).value());
        }
        return all;
    }

    [[nodiscard]] Result<ledger::EventPage> events(Revision since, std::size_t limit) override {
        const std::scoped_lock lock(store_.mutex);
        ledger::EventPage page{.is_gap = since < store_.floor, .last_rev = store_.newest()};
        for (const ledger::Event& event : store_.events) {
            if (event.rev > since && !page.is_gap && page.events.size() < limit) {
                page.events.push_back(event);
            }
        }
        return page;
    }

    [[nodiscard]] Result<std::pair<std::uint64_t, Revision>> head() override {
        const std::scoped_lock lock(store_.mutex);
        return std::pair(store_.incarnation, store_.newest());
    }

  private:
    FakeStore& store_;
};

class FakeReaders final : public ledger::ReaderSource {
  public:
    explicit FakeReaders(FakeStore& store) : store_(store) {}

    [[nodiscard]] Result<std::unique_ptr<ledger::Reader>> open_reader() override {
        return std::make_unique<FakeReader>(store_);
    }

  private:
    FakeStore& store_;
};

/// Keeps the commands, and answers each with `reply`, or as `decide` says.
class FakeCommands final : public Commands {
  public:
    void submit(ledger::Command command, Callback callback) override {
        seen.push_back(std::move(command));
        callback(decide ? decide(seen.back()) : reply);
    }

    [[nodiscard]] std::shared_ptr<const controller::View> view() const override {
        return std::make_shared<const controller::View>(shown);
    }

    std::vector<ledger::Command> seen = {};
    Result<ledger::Reply> reply = ledger::Reply();
    std::function<Result<ledger::Reply>(const ledger::Command&)> decide = {};  // In its place.
    controller::View shown = {};
};

class FakeLogs final : public TaskLogs {
  public:
    [[nodiscard]] Result<LogPiece> read(
        const LogPlace& place, std::size_t bytes_max) const override {
        const std::scoped_lock lock(mutex);
        last = place;
        if (!exists) {
            return fail(ErrorCode::kNotFound, "there is no such log");
        }
        const std::size_t from = std::min(static_cast<std::size_t>(place.offset), text.size());
        LogPiece piece{.bytes = text.substr(from, bytes_max)};
        piece.next_offset = static_cast<std::int64_t>(from + piece.bytes.size());
        piece.size = static_cast<std::int64_t>(text.size());
        piece.dropped_begin = dropped_begin;
        piece.dropped_end = dropped_end;
        piece.is_finished = is_finished && piece.next_offset == piece.size;
        return piece;
    }

    void append(std::string_view more) {
        const std::scoped_lock lock(mutex);
        text += more;
    }

    void finish() {
        const std::scoped_lock lock(mutex);
        is_finished = true;
    }

    mutable std::mutex mutex;
    mutable LogPlace last = {};
    std::string text = {};
    bool exists = true;
    std::int64_t dropped_begin = 0;
    std::int64_t dropped_end = 0;
    bool is_finished = false;
};

/// A stream that a test reads.
class RecordedStream final : public EventStream {
  public:
    explicit RecordedStream(StreamCallbacks callbacks) : callbacks_(std::move(callbacks)) {}

    bool write(std::string text) override {
        {
            const std::scoped_lock lock(mutex_);
            if (is_over_) {
                return false;
            }
            text_ += text;
        }
        grows_.notify_all();
        if (callbacks_.drained) {
            callbacks_.drained();
        }
        return true;
    }

    void finish() override {
        {
            const std::scoped_lock lock(mutex_);
            is_over_ = true;
        }
        grows_.notify_all();
    }

    bool is_open() const override {
        const std::scoped_lock lock(mutex_);
        return !is_over_;
    }

    /// All that was written up to `mark`, as soon as that came; all there is after 10 s.
    std::string read_to(std::string_view mark) {
        std::unique_lock lock(mutex_);
        grows_.wait_for(
            lock, std::chrono::seconds(10), [&] { return text_.find(mark) != std::string::npos; });
        const std::size_t at = text_.find(mark);
        const std::size_t size = at == std::string::npos ? text_.size() : at + mark.size();
        std::string found = text_.substr(0, size);
        text_.erase(0, size);
        return found;
    }

    /// True as soon as it is over, false after 10 s.
    bool wait_until_over() {
        std::unique_lock lock(mutex_);
        return grows_.wait_for(lock, std::chrono::seconds(10), [&] { return is_over_; });
    }

  private:
    StreamCallbacks callbacks_;
    mutable std::mutex mutex_;
    std::condition_variable grows_;
    std::string text_;
    bool is_over_ = false;
};

/// Hands the answer to a waiting test.
class PromiseSink final : public AnswerSink {
  public:
    void answer(HttpResponse response) override { answered.set_value(std::move(response)); }

    std::shared_ptr<EventStream> open_stream(
        HttpResponse head, StreamCallbacks callbacks) override {
        stream = std::make_shared<RecordedStream>(std::move(callbacks));
        answered.set_value(std::move(head));
        return stream;
    }

    [[nodiscard]] std::shared_ptr<const AnswerWatch> watch() override {
        auto watch = std::make_shared<AnswerWatch>();
        if (has_client_gone) {
            watch->give_up();
        }
        return watch;
    }

    bool has_client_gone = false;
    std::promise<HttpResponse> answered;
    std::shared_ptr<RecordedStream> stream;
};

class NoIdentities final : public Identities {
  public:
    /// uid 0 is the admin "root", 1000 "ada", any other "bob".
    [[nodiscard]] Caller of_process(std::uint32_t uid, std::uint32_t gid) const override {
        return {
            .user = uid == 0      ? "root"
                    : uid == 1000 ? "ada"
                                  : "bob",
            .uid = uid,
            .gid = gid,
            .role = uid == 0 ? Role::kAdmin : Role::kUser,
            .source = CallerSource::kUnix};
    }

    [[nodiscard]] std::optional<Caller> of_token(std::string_view /*token*/) const override {
        return std::nullopt;
    }

    [[nodiscard]] std::optional<Caller> of_user(const std::string& name) const override {
        for (const std::uint32_t uid : {0U, 1000U, 1001U}) {
            if (Caller caller = of_process(uid, 100); caller.user == name) {
                return caller;
            }
        }
        return std::nullopt;
    }
};

inline constexpr std::uint32_t kRoot = 0;
inline constexpr std::uint32_t kAda = 1000;
inline constexpr std::uint32_t kBob = 1001;
inline constexpr std::uint32_t kNobody = 0xFFFFFFFF;  // Anonymous, on TCP.

struct Ask {
    Method method = Method::kGet;
    std::string target = {};
    std::string body = {};
    std::uint32_t uid = kRoot;
    HeaderFields fields = {};
};

struct World {
    FakeStore store = {};
    FakeCommands commands = {};
    FakeLogs task_logs = {};
    SampleBoard samples = {};
    FakeReaders readers = FakeReaders(store);
    ReadPool reads = ReadPool(readers, 1);
    EventHub events = EventHub(readers);
    LogHub logs = LogHub(readers, commands, task_logs);
    NoIdentities identities = {};
    ApiParts parts = {
        .commands = commands,
        .reads = reads,
        .events = events,
        .logs = logs,
        .task_logs = task_logs,
        .samples = samples,
        .now = [] { return kWorldNow; },
        .version = "1.2.3",
        .backup = [](const std::string& /*path*/) -> Result<std::uint64_t> { return 4096; }};
    std::shared_ptr<RecordedStream> stream = {};  // Of the last answer, if it was one.
    bool allows_anonymous_compat = false;
    Audit* audit = nullptr;
    bool has_client_gone = false;  // Who asks waits no more.

    /// The answer as a client gets it, held to the contract.
    HttpResponse ask(const Ask& ask) {
        Router router(
            routes_of(parts), identities,
            {.allows_anonymous_compat = allows_anonymous_compat, .audit = audit});
        HttpRequest request{.method = ask.method, .target = ask.target, .fields = ask.fields};
        request.fields.host = "localhost";
        request.fields.content_type = "application/json";
        request.peer = {.is_unix = ask.uid != kNobody, .uid = ask.uid, .gid = 100};
        request.request_id = "id-1";
        request.body = ask.body;
        const auto sink = std::make_shared<PromiseSink>();
        sink->has_client_gone = has_client_gone;
        std::uint64_t body_limit = 0;
        HttpResponse response;
        if (auto refusal = router.admit(request, body_limit)) {
            response = std::move(*refusal);
        } else {
            router.handle(request, Responder(sink));
            response = sink->answered.get_future().get();
            stream = sink->stream;
        }
        render_problem(response, ask.target, request.request_id);
        if (request.route != nullptr) {
            EXPECT_EQ(
                fault_of_answer(
                    {.method = word_of(request.route->method),
                     .pattern = request.route->pattern,
                     .status = response.status,
                     .content_type = response.content_type,
                     .body = response.body,
                     .is_choice = request.parameter("fields").has_value()}),
                "")
                << ask.target << "\n"
                << response.body;
        }
        return response;
    }

    HttpResponse get(const std::string& target, std::uint32_t uid = kRoot) {
        return ask({.target = target, .uid = uid});
    }

    HttpResponse post(
        const std::string& target, const std::string& body, std::uint32_t uid = kRoot) {
        return ask({.method = Method::kPost, .target = target, .body = body, .uid = uid});
    }
};

inline bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace reeve::api
