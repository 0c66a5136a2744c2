#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "simulate/cluster.hpp"
#include "simulate/workload.hpp"

// The job logs of two datacentres, which have most columns in common: job_id, user, gpu_num,
// cpu_num, node_num, submit_time ("2020-06-09 18:41:01", Acme with "+08:00" after it), duration (in
// seconds). gpu_num and cpu_num are of the whole job: each of its node_num nodes is asked for an
// equal part, rounded up, with a note of how many GPUs that added. If such a part has more GPUs
// than the largest node of the cluster, the job is spread over more nodes. Whatever state a job
// ended in, it runs for its duration; one without is left out, with a note. A job that asks for
// more than the cluster has is refused by the replay. There are no limits and priorities, and no
// memory.
//
// Errors of both: kInvalid "FILE:LINE: …": a missing column, a time or number that is none, an id
// twice, no GPU in the cluster where one is asked for.
namespace reeve::simulate {

/// Helios (SC'21): the column vc, its virtual cluster, is the project.
[[nodiscard]] Result<Workload> parse_helios(
    const std::string& file, std::string_view text, const Cluster& cluster);

/// Acme (NSDI'24), Seren and Kalos: the column type, what kind of work it was, is the project.
[[nodiscard]] Result<Workload> parse_acme(
    const std::string& file, std::string_view text, const Cluster& cluster);

}  // namespace reeve::simulate
