#include "agent/process/task_status.hpp"

#include <array>
#include <cstdio>

#include <fcntl.h>

#include "agent/process/byte_code.hpp"
#include "base/assert.hpp"
#include "platform/system_error.hpp"

namespace reeve::agent::process {
namespace {

constexpr std::size_t kSlotBytes = StatusFile::kBytes / 2;
constexpr std::int64_t kMagic = 0x31535452'56454552;  // "REEVRTS1": change it with the format.

constexpr std::int64_t kNotMeasured = -1;  // On the disk alone.

/// FNV-1a, 64 bits (Fowler, Noll, Vo): enough to see a torn write.
std::int64_t checksum_of(std::string_view bytes) {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char byte : bytes) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3ULL;
    }
    return static_cast<std::int64_t>(hash);
}

void put_process(ByteWriter& writer, const platform::ProcessId& id) {
    writer.put(id.pid);
    writer.put(static_cast<std::int64_t>(id.start_ticks));
}

platform::ProcessId take_process(ByteReader& reader) {
    const auto pid = static_cast<pid_t>(reader.number());
    return {pid, static_cast<std::uint64_t>(reader.number())};
}

void put_output(ByteWriter& writer, const OutputStatus& output) {
    writer.put(output.dropped.begin);
    writer.put(output.dropped.end);
    writer.put(output.pipe_fd);
    writer.put(output.pipe_inode);
}

OutputStatus take_output(ByteReader& reader) {
    OutputStatus output;
    output.dropped.begin = reader.number();
    output.dropped.end = reader.number();
    output.pipe_fd = reader.number();
    output.pipe_inode = reader.number();
    return output;
}

void put_outcome(ByteWriter& writer, const model::TaskOutcome& outcome) {
    writer.put(static_cast<std::int64_t>(outcome.end));
    writer.put(outcome.exit_code);
    writer.put(outcome.signal);
    writer.put(std::string_view(outcome.message).substr(0, StatusFile::kMessageBytesMax));
    writer.put(outcome.memory_peak_mib);
    writer.put(outcome.cpu_ms);
    writer.put(outcome.log_bytes);
}

model::TaskOutcome take_outcome(ByteReader& reader) {
    model::TaskOutcome outcome;
    outcome.end = static_cast<model::TaskEnd>(reader.number());
    outcome.exit_code = static_cast<std::int32_t>(reader.number());
    outcome.signal = static_cast<std::int32_t>(reader.number());
    outcome.message = reader.text();
    outcome.memory_peak_mib = reader.number();
    outcome.cpu_ms = reader.number();
    outcome.log_bytes = reader.number();
    return outcome;
}

/// The newest whole slot of the file.
Result<DecodedSlot> newest_slot(int fd) {
    std::array<char, StatusFile::kBytes> bytes = {};
    const ssize_t got = pread(fd, bytes.data(), bytes.size(), 0);
    if (got < 0) {
        return platform::fail_errno("cannot read a task's status");
    }
    const std::string_view text(bytes.data(), bytes.size());
    auto first = decode_slot(text.substr(0, kSlotBytes));
    auto second = decode_slot(text.substr(kSlotBytes));
    if (!first && !second) {
        return fail(ErrorCode::kInternal, "a task's status is damaged");
    }
    if (!first || (second && second->sequence > first->sequence)) {
        return std::move(*second);
    }
    return std::move(*first);
}

}  // namespace

std::string encode_slot(const TaskStatus& status, std::int64_t sequence) {
    ByteWriter writer;
    writer.put(sequence);
    writer.put(static_cast<std::int64_t>(status.phase));
    writer.put(std::string_view(status.boot_id).substr(0, 64));
    put_process(writer, status.shim);
    put_process(writer, status.main);
    put_output(writer, status.output);
    put_output(writer, status.errors);
    put_outcome(writer, status.outcome);
    writer.put(status.started_at.count());
    writer.put(status.outcome.ran_for ? status.outcome.ran_for->count() : kNotMeasured);

    ByteWriter slot;
    slot.put(kMagic);
    slot.put(checksum_of(writer.bytes()));
    slot.put(std::string_view(writer.bytes()));
    REEVE_ASSERT(slot.bytes().size() <= kSlotBytes, "texts in a status are bounded");
    return slot.bytes();
}

std::optional<DecodedSlot> decode_slot(std::string_view slot) {
    ByteReader outer(slot);
    const std::int64_t magic = outer.number();
    const std::int64_t checksum = outer.number();
    const std::string bytes = outer.text();
    if (magic != kMagic || !outer.is_good() || checksum_of(bytes) != checksum) {
        return std::nullopt;
    }
    ByteReader reader(bytes);
    DecodedSlot found;
    found.sequence = reader.number();
    found.status.phase = static_cast<TaskPhase>(reader.number());
    found.status.boot_id = reader.text();
    found.status.shim = take_process(reader);
    found.status.main = take_process(reader);
    found.status.output = take_output(reader);
    found.status.errors = take_output(reader);
    found.status.outcome = take_outcome(reader);
    if (reader.has_more()) {  // Shims of older versions, which still run, do not measure.
        found.status.started_at = std::chrono::microseconds(reader.number());
        const std::int64_t ran_for = reader.number();
        if (ran_for != kNotMeasured) {
            found.status.outcome.ran_for = std::chrono::microseconds(ran_for);
        }
    }
    return reader.is_good() ? std::optional(std::move(found)) : std::nullopt;
}

Result<StatusFile> StatusFile::create(const std::string& path, const TaskStatus& status) {
    // Under another name until it says something: whoever reads a log looks at it at any time.
    const std::string made = path + ".new";
    platform::UniqueFd fd(::open(made.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.is_open()) {
        return platform::fail_errno("cannot make " + path);
    }
    if (const int error = posix_fallocate(fd.get(), 0, kBytes); error != 0) {
        return platform::fail_errno("cannot make " + path, error);
    }
    StatusFile file(std::move(fd));
    if (const Result<void> written = file.write(status); !written) {
        return tl::unexpected(written.error());
    }
    if (renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
        return platform::fail_errno("cannot make " + path);
    }
    return file;
}

Result<StatusFile> StatusFile::open(const std::string& path) {
    platform::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd.is_open()) {
        return platform::fail_errno("cannot open " + path);
    }
    StatusFile file(std::move(fd));
    if (const Result<DecodedSlot> newest = newest_slot(file.fd_.get()); newest) {
        file.sequence_ = newest->sequence;
    }
    return file;
}

Result<TaskStatus> StatusFile::read() {
    Result<DecodedSlot> newest = newest_slot(fd_.get());
    if (!newest) {
        return tl::unexpected(newest.error());
    }
    sequence_ = newest->sequence;
    return std::move(newest->status);
}

Result<void> StatusFile::write(const TaskStatus& status) {
    const std::string slot = encode_slot(status, sequence_ + 1);
    const off_t at = (sequence_ + 1) % 2 == 0 ? 0 : static_cast<off_t>(kSlotBytes);
    if (pwrite(fd_.get(), slot.data(), slot.size(), at) != static_cast<ssize_t>(slot.size())) {
        return platform::fail_errno("cannot write a task's status");
    }
    ++sequence_;
    return {};
}

Result<void> StatusFile::sync() const {
    return fsync(fd_.get()) == 0
               ? Result<void>()
               : Result<void>(platform::fail_errno("cannot sync a task's status"));
}

Result<TaskStatus> read_status(const std::string& path) {
    const platform::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.is_open()) {
        return platform::fail_errno("cannot read " + path);
    }
    return newest_slot(fd.get()).map([](DecodedSlot&& slot) { return std::move(slot.status); });
}

}  // namespace reeve::agent::process
