// Bookings as rows.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/sqlite/numbers.hpp"
#include "store/sqlite/rows.hpp"

namespace reeve::store_sqlite {
namespace {

/// "3 4000 65536 2 11 12 ": of each node its id, milli CPUs, MiB, the number of GPUs and the GPUs,
/// in turns; no GPU: the whole node.
std::string pack_parts(const std::vector<model::BookedPart>& parts) {
    std::string out;
    const auto append = [&](auto number) {
        append_number(out, number);
        out += ' ';
    };
    for (const model::BookedPart& part : parts) {
        append(part.node.value());
        append(part.host.cpu_millicores);
        append(part.host.memory_mib);
        append(part.gpus.size());
        for (const GpuId gpu : part.gpus) {
            append(gpu.value());
        }
    }
    return out;
}

std::vector<model::BookedPart> unpack_parts(std::string_view packed) {
    std::vector<model::BookedPart> parts;
    for (Numbers numbers(packed); !numbers.is_done();) {
        model::BookedPart part{.node = NodeId(numbers.take<std::uint64_t>())};
        part.host.cpu_millicores = numbers.take<std::int64_t>();
        part.host.memory_mib = numbers.take<std::int64_t>();
        auto gpus = numbers.take<std::uint64_t>();
        part.is_whole = gpus == 0;
        for (; gpus > 0 && !numbers.is_done(); --gpus) {
            part.gpus.emplace_back(numbers.take<std::uint64_t>());
        }
        parts.push_back(std::move(part));
    }
    return parts;
}

}  // namespace

void bind(Run& run, const model::BookingRecord& booking, Packed& packed) {
    packed.first = pack_parts(booking.parts);
    run.id(booking.id).text(booking.name).time(booking.from).time(booking.until);
    if (booking.project) {
        run.id(*booking.project);
    } else {
        run.null();
    }
    run.text(packed.first)
        .integer(booking.release_after_s)
        .integer(booking.is_used ? 1 : 0)
        .text(booking.made_by);
}

model::BookingRecord read_booking(Run& run) {
    model::BookingRecord booking;
    booking.id = run.read_id<model::BookingId>();
    booking.name = run.read_string();
    booking.from = run.read_time();
    booking.until = run.read_time();
    const bool is_for_nobody = run.read_is_null();
    const auto project = run.read_id<ProjectId>();
    booking.project = is_for_nobody ? std::nullopt : std::optional(project);
    booking.parts = unpack_parts(run.read_text());
    booking.release_after_s = run.read_integer();
    booking.is_used = run.read_integer() != 0;
    booking.made_by = run.read_string();
    return booking;
}

}  // namespace reeve::store_sqlite
