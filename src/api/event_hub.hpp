#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/responder.hpp"
#include "base/strong_id.hpp"
#include "ledger/reader.hpp"

namespace reeve::api {

/// What one watcher wants to see.
struct WatchOptions {
    std::optional<std::string> user = {};  // Of this user's jobs alone; and of what is nobody's.
    std::optional<JobId> job = {};         // Of this job alone.
    std::vector<std::string> kinds = {};   // Of these alone: "job.ended", "node.*". Empty: of all.
    std::optional<std::uint64_t> incarnation = {};  // That `since` is of. Absent: this one.
    Revision since = Revision(0);                   // Changes after this one.
};

inline constexpr std::size_t kWatchersMax = 10'000;

/// Sends committed changes to whoever watches, from the numbered log: one thread with one reader,
/// which sleeps while nobody watches. Each watcher gets its next page when it has read the last
/// one, so a slow one costs nothing and misses nothing. Outlives the server whose requests it
/// answers.
class EventHub {
  public:
    /// `source` outlives the hub. Its thread starts at once.
    explicit EventHub(ledger::ReaderSource& source);
    ~EventHub();
    EventHub(const EventHub&) = delete;
    EventHub& operator=(const EventHub&) = delete;
    EventHub(EventHub&&) = delete;
    EventHub& operator=(EventHub&&) = delete;

    /// There is something new. From the writer's thread, after each commit.
    void on_commit();

    /// Answers with a stream; LIMIT over kWatchersMax.
    void watch(const Responder& responder, WatchOptions options);

  private:
    struct Watcher {
        WatchOptions options;
        std::shared_ptr<EventStream> stream = {};
        bool has_begun = false;
        bool is_ready = true;  // What was written has been sent. Guarded by mutex_.
    };

    using Watchers = std::list<std::shared_ptr<Watcher>>;

    void run();
    void wake(Watcher* ready);
    [[nodiscard]] std::vector<std::shared_ptr<Watcher>> take_ready();
    void serve(Watcher& watcher);
    [[nodiscard]] Result<void> serve_page(Watcher& watcher);
    [[nodiscard]] Result<void> begin(Watcher& watcher);
    [[nodiscard]] Result<void> turn_to(Revision since);
    [[nodiscard]] std::string take_page(Watcher& watcher) const;
    void write_gap(Watcher& watcher, Revision newest);
    void write(Watcher& watcher, std::string text);

    ledger::ReaderSource& source_;

    // Of the hub's thread alone. The page read last is what most watchers want next.
    std::unique_ptr<ledger::Reader> reader_;
    std::optional<ledger::EventPage> page_;
    Revision page_since_ = Revision(0);
    std::uint64_t incarnation_ = 0;

    std::mutex mutex_;
    std::condition_variable wakes_;
    Watchers watchers_;  // Guarded by mutex_, and so are the next ones.
    bool has_work_ = false;
    bool is_stopping_ = false;
    std::thread thread_;
};

/// True if `event` is about `job` or one of its elements.
[[nodiscard]] bool is_about(const ledger::Event& event, JobId job);

/// "job.ended,node.*". Errors: kInvalid, saying what a kind looks like.
[[nodiscard]] Result<std::vector<std::string>> parse_kinds(std::string_view text);

/// True if `options` let it through.
[[nodiscard]] bool is_wanted(const ledger::Event& event, const WatchOptions& options);

}  // namespace reeve::api
