#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "store/sqlite/database.hpp"

struct sqlite3;

namespace reeve::store_sqlite {

/// Copies the write-ahead log back into the database beside the connection that writes, on a thread
/// and a connection of its own, so that the writer pays for the last part of it alone: SQLite
/// begins its log anew only when all of it was copied, and commits go on while this one copies.
///
/// A copy that fails (no room, an input/output error) is tried again with a later commit, as SQLite
/// does by itself: nothing is lost, as the log has it all.
class Checkpointer {
  public:
    /// From now on `writer`, which has to be there longer than this, says what it has committed.
    /// The log begins anew when it has about `log_pages_max` pages. Errors: as Database::open.
    [[nodiscard]] static Result<std::unique_ptr<Checkpointer>> start(
        Database& writer, int log_pages_max);

    Checkpointer(const Checkpointer&) = delete;
    Checkpointer& operator=(const Checkpointer&) = delete;
    Checkpointer(Checkpointer&&) = delete;
    Checkpointer& operator=(Checkpointer&&) = delete;
    ~Checkpointer();

  private:
    Checkpointer(Database& writer, Database own, int log_pages_max);

    static int on_commit(void* self, sqlite3* writer, const char* schema, int pages);

    void run();

    Database* writer_;
    Database own_;
    int log_pages_max_;
    int asked_at_ = 0;             // Pages in the log when it last asked; of the writer's thread.
    std::atomic<int> copied_ = 0;  // Pages of the log, by the last copy.
    std::mutex mutex_ = {};
    std::condition_variable changed_ = {};
    bool is_asked_ = false;
    bool is_ending_ = false;
    std::thread thread_ = {};
};

}  // namespace reeve::store_sqlite
