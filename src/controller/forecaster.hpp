#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "controller/forecast_sheet.hpp"
#include "controller/view.hpp"
#include "ledger/forecast_records.hpp"
#include "ledger/reader.hpp"
#include "scheduler/run_history.hpp"

namespace reeve::controller {

struct ForecasterOptions {
    std::function<Instant()> clock = {};
    std::function<std::chrono::microseconds()> worked = {};  // What its thread had of a processor.
    std::function<std::shared_ptr<const View>()> view = {};  // The newest; never null.
    std::function<Result<std::vector<ledger::JobRow>>()> queue = {};     // As read_queue() has it.
    std::function<void(std::vector<ledger::ForecastRecord>)> note = {};  // Keeps them, or not.

    /// Is shown the queue before each sheet is made, and ends when `goes_on` is false. May be
    /// empty.
    std::function<void(
        const std::vector<ledger::JobRow>& queue,
        const View& view,
        Instant at,
        const std::function<bool()>& goes_on)>
        look = {};
    std::function<void()> begin = {};                // First on its thread: lowers its priority.
    std::function<void(const Error&)> trouble = {};  // The queue could not be read.
    std::chrono::milliseconds rest = std::chrono::seconds(1);  // Between two sheets, at least.
};

/// A thread that keeps a sheet of forecasts at hand: whenever the state has changed, and else once
/// a minute while something waits, it makes the next one. It works for a quarter of the time at
/// most.
class Forecaster {
  public:
    explicit Forecaster(ForecasterOptions options);
    ~Forecaster();
    Forecaster(const Forecaster&) = delete;
    Forecaster(Forecaster&&) = delete;
    Forecaster& operator=(const Forecaster&) = delete;
    Forecaster& operator=(Forecaster&&) = delete;

    void start();
    void stop();

    /// The newest. Null until there is one.
    [[nodiscard]] std::shared_ptr<const ForecastSheet> sheet() const;

  private:
    void run();
    [[nodiscard]] Result<std::optional<ForecastSheet>> make();
    void publish(ForecastSheet sheet);
    void note(std::vector<ledger::ForecastRecord> records);
    [[nodiscard]] bool rest(std::chrono::microseconds least);

    ForecasterOptions options_;
    // Of the thread.
    scheduler::RunHistory history_;
    std::set<JobId> noted_;                  // Of those that wait.
    std::chrono::microseconds rested_ = {};  // For all of its work until then.

    std::atomic<bool> is_stopping_ = false;
    mutable std::mutex mutex_;
    std::condition_variable wakes_;
    std::shared_ptr<const ForecastSheet> sheet_;
    std::thread thread_;
};

/// For ForecasterOptions::queue: a reader of `source`, opened when it is needed, and anew after it
/// failed. `source` outlives what is returned.
[[nodiscard]] std::function<Result<std::vector<ledger::JobRow>>()> queue_of(
    ledger::ReaderSource& source);

}  // namespace reeve::controller
