#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.hpp"
#include "base/strong_id.hpp"
#include "model/records.hpp"
#include "model/resources.hpp"

namespace reeve::model {

/// Room that is kept for a project, or for nobody, from one time to another. People call it a
/// reservation; in the code that is what a job that waits is promised.
using BookingId = StrongId<struct BookingTag>;

/// What is kept of one node: all of it, or some of its GPUs with their part of the host.
struct BookedPart {
    NodeId node = NodeId(0);
    bool is_whole = true;
    std::vector<GpuId> gpus = {};  // Sorted; none of a whole node.
    HostAmount host = {};          // Nothing of a whole node.

    friend bool operator==(const BookedPart&, const BookedPart&) = default;
};

struct BookingRecord {
    BookingId id = BookingId(0);
    std::string name = {};
    Instant from = kNever;
    Instant until = kNever;
    std::optional<ProjectId> project = {};  // With all below it. Absent: nobody; maintenance.
    std::vector<BookedPart> parts = {};     // By node, each once.
    std::int64_t release_after_s = 0;       // Unused for so long after `from`, it goes. 0: never.
    bool is_used = false;                   // Somebody of the project has used it since `from`.
    std::string made_by = {};

    friend bool operator==(const BookingRecord&, const BookingRecord&) = default;
};

}  // namespace reeve::model
