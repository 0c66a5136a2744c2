#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/replay_flags.hpp"
#include "cli/session.hpp"

namespace reeve::cli {

/// What the user said of the inflation experiment.
struct InflationFlags {
    std::int64_t arrived_percent = 130;
    std::string mix = {};
};

/// Fills the cluster with the tasks of a pod list of openb, with each policy and seed, and prints
/// how full it got. The exit code. Errors: kInvalid: the pod list, the flags, a cluster without a
/// GPU.
[[nodiscard]] Result<int> run_inflation_experiment(
    Session& session, const ReplayInput& input, const InflationFlags& flags);

}  // namespace reeve::cli
