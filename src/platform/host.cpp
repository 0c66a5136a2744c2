#include "platform/host.hpp"

#include <algorithm>
#include <array>
#include <sstream>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/files.hpp"
#include "platform/system_error.hpp"

namespace reeve::platform {
namespace {

constexpr std::size_t kProcBytesMax = 1 << 20;

}  // namespace

Result<HostFacts> host_facts() {
    HostFacts facts;
    std::array<char, 256> name = {};
    if (gethostname(name.data(), name.size() - 1) != 0) {
        return fail_errno("cannot read the host name");
    }
    facts.hostname = name.data();
    cpu_set_t cores;
    CPU_ZERO(&cores);
    facts.cores = sched_getaffinity(0, sizeof cores, &cores) == 0
                      ? CPU_COUNT(&cores)
                      : std::max<std::int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN));
    const Result<MemoryFacts> memory = read_meminfo();
    if (!memory) {
        return tl::unexpected(memory.error());
    }
    facts.memory_mib = memory->total_kib / 1024;
    return facts;
}

Result<std::string> boot_id() {
    Result<std::string> id = read_file("/proc/sys/kernel/random/boot_id", 64);
    if (id) {
        id->erase(id->find_last_not_of('\n') + 1);
    }
    return id;
}

Result<CpuTimes> parse_cpu_times(std::string_view stat) {
    std::istringstream line{std::string(stat.substr(0, stat.find('\n')))};
    std::string word;
    line >> word;
    std::array<std::uint64_t, 8> columns = {};  // user nice system idle iowait irq softirq steal
    CpuTimes times;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (!(line >> columns.at(i)) && i < 4) {
            return fail(ErrorCode::kInternal, "/proc/stat has no line of CPU times");
        }
        times.total += columns.at(i);
    }
    if (word != "cpu") {
        return fail(ErrorCode::kInternal, "/proc/stat has no line of CPU times");
    }
    times.busy = times.total - columns[3] - columns[4];
    return times;
}

std::int64_t busy_permille(const CpuTimes& before, const CpuTimes& after) noexcept {
    if (after.total <= before.total || after.busy < before.busy) {
        return 0;
    }
    const std::uint64_t permille = (after.busy - before.busy) * 1000 / (after.total - before.total);
    return static_cast<std::int64_t>(std::min<std::uint64_t>(permille, 1000));
}

Result<MemoryFacts> parse_meminfo(std::string_view meminfo) {
    MemoryFacts facts = {-1, -1};
    std::istringstream text{std::string(meminfo)};
    std::string line;
    while (std::getline(text, line)) {
        std::istringstream words(line);
        std::string key;
        std::int64_t kib = 0;
        words >> key >> kib;
        if (key == "MemTotal:") {
            facts.total_kib = kib;
        } else if (key == "MemAvailable:") {
            facts.available_kib = kib;
        }
    }
    if (facts.total_kib <= 0 || facts.available_kib < 0) {
        return fail(ErrorCode::kInternal, "/proc/meminfo has no MemTotal or MemAvailable");
    }
    return facts;
}

std::int64_t used_permille(const MemoryFacts& memory) noexcept {
    const std::int64_t used = memory.total_kib - memory.available_kib;
    return memory.total_kib <= 0
               ? 0
               : std::clamp<std::int64_t>(used * 1000 / memory.total_kib, 0, 1000);
}

Result<CpuTimes> read_cpu_times() {
    return read_file("/proc/stat", kProcBytesMax).and_then(parse_cpu_times);
}

Result<MemoryFacts> read_meminfo() {
    return read_file("/proc/meminfo", kProcBytesMax).and_then(parse_meminfo);
}

Result<std::uint64_t> raise_open_files_limit() {
    rlimit limit = {};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return fail_errno("cannot read the limit of open files");
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return fail_errno("cannot raise the limit of open files");
    }
    return limit.rlim_cur;
}

}  // namespace reeve::platform
