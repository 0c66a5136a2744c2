#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace reeve::platform {

/// What this machine is.
struct HostFacts {
    std::string hostname = {};
    std::int64_t cores = 1;       // That this process may use.
    std::int64_t memory_mib = 0;  // MemTotal.
};

[[nodiscard]] Result<HostFacts> host_facts();

/// The kernel's id of this boot: another one after each restart of the machine.
[[nodiscard]] Result<std::string> boot_id();

/// Ticks since the boot, of the "cpu" line of /proc/stat.
struct CpuTimes {
    std::uint64_t busy = 0;
    std::uint64_t total = 0;
};

/// Reads the text of /proc/stat. Idle is the columns idle and iowait; guests are in user already.
[[nodiscard]] Result<CpuTimes> parse_cpu_times(std::string_view stat);

/// Share of all cores that was busy between two samples, 0..1000. 0 if no time passed.
[[nodiscard]] std::int64_t busy_permille(const CpuTimes& before, const CpuTimes& after) noexcept;

struct MemoryFacts {
    std::int64_t total_kib = 0;
    std::int64_t available_kib = 0;
};

/// Reads the text of /proc/meminfo.
[[nodiscard]] Result<MemoryFacts> parse_meminfo(std::string_view meminfo);

/// (total - available) / total, 0..1000.
[[nodiscard]] std::int64_t used_permille(const MemoryFacts& memory) noexcept;

[[nodiscard]] Result<CpuTimes> read_cpu_times();
[[nodiscard]] Result<MemoryFacts> read_meminfo();

/// Raises the limit of open files to what the system lets this process have; tells the new limit.
[[nodiscard]] Result<std::uint64_t> raise_open_files_limit();

}  // namespace reeve::platform
