#include "api/read_pool.hpp"

#include <exception>
#include <memory>
#include <utility>

#include "api/rate_limit.hpp"

namespace reeve::api {

ReadPool::ReadPool(ledger::ReaderSource& source, int threads) : source_(source) {
    for (int i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

ReadPool::~ReadPool() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    wakes_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
    for (const Waiting& waiting : waiting_) {
        waiting.responder.fail({ErrorCode::kUnavailable, "the server is stopping; try again", {}});
    }
}

void ReadPool::answer(const Responder& responder, Work work) {
    run(responder, [responder, work = std::move(work)](ledger::Reader& reader) {
        responder.send(work(reader));
    });
}

void ReadPool::run_task(ledger::Reader& reader, const Waiting& waiting) {
    try {
        waiting.task(reader);
    } catch (const std::exception& error) {  // Of a library, or no memory.
        waiting.responder.fail({ErrorCode::kInternal, "the request failed", error.what()});
    }
}

void ReadPool::run(const Responder& responder, Task task) {
    {
        const std::scoped_lock lock(mutex_);
        if (waiting_.size() < kWaitingReadsMax && !is_stopping_) {
            waiting_.push_back({responder, std::move(task)});
            wakes_.notify_one();
            return;
        }
    }
    responder.send(refuse_beyond(
        {.name = "reads", .most = kWaitingReadsMax}, "too many reads wait; try again in a second"));
}

void ReadPool::work() {
    std::unique_ptr<ledger::Reader> reader;
    while (true) {
        std::unique_lock lock(mutex_);
        wakes_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) {
            return;
        }
        const Waiting taken = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        if (!reader) {
            auto opened = source_.open_reader();
            if (!opened) {
                taken.responder.fail(opened.error());
                continue;
            }
            reader = std::move(*opened);
        }
        run_task(*reader, taken);
    }
}

}  // namespace reeve::api
