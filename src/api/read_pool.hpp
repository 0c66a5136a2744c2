#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "api/responder.hpp"
#include "ledger/reader.hpp"

namespace reeve::api {

inline constexpr std::size_t kWaitingReadsMax = 10'000;

/// Threads that answer from the store, each with a reader of its own, so that no event loop ever
/// waits for a disk.
class ReadPool {
  public:
    /// Sees to the answer itself.
    using Task = std::function<void(ledger::Reader&)>;

    /// Gives the answer.
    using Work = std::function<HttpResponse(ledger::Reader&)>;

    /// `source` outlives the pool. Its threads start at once.
    ReadPool(ledger::ReaderSource& source, int threads);

    /// What still waits is answered UNAVAILABLE.
    ~ReadPool();
    ReadPool(const ReadPool&) = delete;
    ReadPool& operator=(const ReadPool&) = delete;
    ReadPool(ReadPool&&) = delete;
    ReadPool& operator=(ReadPool&&) = delete;

    /// Sends what `work` gives; LIMIT at once if too much waits.
    void answer(const Responder& responder, Work work);

    /// Runs `task`, which answers; the same refusals.
    void run(const Responder& responder, Task task);

  private:
    struct Waiting {
        Responder responder;
        Task task;
    };

    static void run_task(ledger::Reader& reader, const Waiting& waiting);

    void work();

    ledger::ReaderSource& source_;
    std::mutex mutex_;
    std::condition_variable wakes_;
    std::deque<Waiting> waiting_;  // Guarded by mutex_, and so is the next one.
    bool is_stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace reeve::api
