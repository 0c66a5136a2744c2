#include "ledger/foresight.hpp"

#include <utility>

namespace reeve::ledger {

void Foresight::apply(const Put<RunStatsRecord>& put) {
    if (put.after) {
        runs_.put({
            .key = put.after->key, .leaf = {.stats = put.after->stats, .told = put.after->told}
        });
    } else if (put.before) {
        runs_.put({.key = put.before->key});
    }
}

void Foresight::apply(const Put<ForecastRecord>& put) {
    if (put.after) {
        open_.insert_or_assign(put.after->job, *put.after);
    } else if (put.before) {
        open_.erase(put.before->job);
    }
}

/// An outcome takes the place of one before it; taken back, the one before it has its place again.
void Foresight::apply(const Put<OutcomeRecord>& put) {
    auto next = std::make_shared<scheduler::Calibration>(*calibration_);
    const bool is_undone = put.before && (!put.after || put.after->number < put.before->number);
    if (is_undone) {
        next->take_back(put.before->number, put.after ? &put.after->outcome : nullptr);
    } else if (put.after) {
        next->put(put.after->number, put.after->outcome);
    }
    calibration_ = std::move(next);
}

const ForecastRecord* Foresight::open_forecast(JobId job) const {
    const auto found = open_.find(job);
    return found == open_.end() ? nullptr : &found->second;
}

}  // namespace reeve::ledger
