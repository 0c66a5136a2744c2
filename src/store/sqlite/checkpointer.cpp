#include "store/sqlite/checkpointer.hpp"

#include <utility>

#include <sqlite3.h>

namespace reeve::store_sqlite {
namespace {

constexpr int kCopiesOfALog = 8;  // The writer copies what comes during the last one.

/// Copies what it can without keeping anybody waiting. That it could not is no error: the log has
/// all, and a later commit asks again. How many pages of the log are copied; -1: it is not known.
int copy_back(sqlite3* database) {
    int copied = -1;
    sqlite3_wal_checkpoint_v2(database, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, &copied);
    return copied;
}

}  // namespace

Result<std::unique_ptr<Checkpointer>> Checkpointer::start(Database& writer, int log_pages_max) {
    auto own = Database::open(writer.path(), OpenMode::kReadWrite);
    if (!own) {
        return tl::unexpected(std::move(own.error()));
    }
    // As the writer's: what is copied is on the disk before the log begins anew.
    if (auto done = own->execute("PRAGMA synchronous = FULL; PRAGMA cache_size = -64"); !done) {
        return tl::unexpected(std::move(done.error()));
    }
    return std::unique_ptr<Checkpointer>(new Checkpointer(writer, std::move(*own), log_pages_max));
}

Checkpointer::Checkpointer(Database& writer, Database own, int log_pages_max)
    : writer_(&writer),
      own_(std::move(own)),
      log_pages_max_(log_pages_max),
      thread_([this] { run(); }) {
    sqlite3_wal_hook(writer_->handle(), on_commit, this);
}

Checkpointer::~Checkpointer() {
    sqlite3_wal_hook(writer_->handle(), nullptr, nullptr);
    {
        const std::scoped_lock lock(mutex_);
        is_ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

int Checkpointer::on_commit(void* self, sqlite3* writer, const char* /*schema*/, int pages) {
    Checkpointer& own = *static_cast<Checkpointer*>(self);
    const int part = own.log_pages_max_ / kCopiesOfALog;
    if (pages < own.asked_at_) {
        own.asked_at_ = 0;  // The log began anew.
        own.copied_ = 0;
    }
    // Not while much is left, as after a long read, which nothing can be copied past; but the log
    // does not grow for ever where the disk is too slow for the thread.
    const bool is_little_left = pages - own.copied_ <= 2 * part;
    if (pages >= own.log_pages_max_ * (is_little_left ? 1 : 4)) {
        copy_back(writer);
        return SQLITE_OK;
    }
    if (pages - own.asked_at_ >= part) {
        own.asked_at_ = pages;
        {
            const std::scoped_lock lock(own.mutex_);
            own.is_asked_ = true;
        }
        own.changed_.notify_one();
    }
    return SQLITE_OK;
}

void Checkpointer::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return is_asked_ || is_ending_; });
        if (is_ending_) {
            return;
        }
        is_asked_ = false;
        lock.unlock();
        copied_ = copy_back(own_.handle());
        lock.lock();
    }
}

}  // namespace reeve::store_sqlite
