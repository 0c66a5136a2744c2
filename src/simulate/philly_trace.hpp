#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

namespace reeve::simulate {

/// Reads the Microsoft Philly trace (ATC'19) in its CSV form: columns timestamp ("2017-10-09
/// 07:01:55"), duration (seconds, "66.0"), num_gpus, and cluster where there is one: the virtual
/// cluster, which becomes the project. Jobs have no names in it and are called by the number of
/// their row, from 1 on. They ask for whole GPUs of any model, and for no CPU.
/// A job of more GPUs than the largest node has becomes a gang of as few nodes as it takes, in
/// equal parts. Where that does not divide, each part is rounded up, and a note says how many GPUs
/// that added (9 GPUs at 8 a node: 2 nodes of 5). Errors: kInvalid "FILE:LINE: …": a missing
/// column, a time or number that is none, no GPU asked for or none in the cluster.
[[nodiscard]] Result<Workload> parse_philly(
    const std::string& file, std::string_view text, const Cluster& cluster);

}  // namespace reeve::simulate
