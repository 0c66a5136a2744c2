#pragma once

#include <cstddef>
#include <map>
#include <memory>

#include "ledger/change.hpp"
#include "ledger/forecast_records.hpp"
#include "scheduler/calibration.hpp"
#include "scheduler/run_stats.hpp"

namespace reeve::ledger {

/// What forecasts are made from, and what was said that has yet to come true. Part of the state:
/// follows every change, also those taken back.
class Foresight {
  public:
    static constexpr std::size_t kOpenMax = 2000;  // Forecasts.

    void apply(const Put<RunStatsRecord>& put);
    void apply(const Put<ForecastRecord>& put);
    void apply(const Put<OutcomeRecord>& put);

    [[nodiscard]] const scheduler::RunLeaves& runs() const { return runs_; }

    /// Copied when it changes, so that who has it may keep it.
    [[nodiscard]] const std::shared_ptr<const scheduler::Calibration>& calibration() const {
        return calibration_;
    }

    [[nodiscard]] const ForecastRecord* open_forecast(JobId job) const;

    [[nodiscard]] const std::map<JobId, ForecastRecord>& open_forecasts() const { return open_; }

  private:
    scheduler::RunLeaves runs_;
    std::shared_ptr<const scheduler::Calibration> calibration_ =
        std::make_shared<const scheduler::Calibration>();
    std::map<JobId, ForecastRecord> open_;
};

}  // namespace reeve::ledger
