// Makes and changes a simulated machine for the check beside it:
//   sim_state make PATH PRESET             sim_state use PATH GPU PID MIB PERCENT
//   sim_state xid|lose|restore PATH GPU [XID]
#include <cstdio>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "gpu/simulated/simulation.hpp"

namespace {

using reeve::ErrorCode;
using reeve::Result;
namespace simulated = reeve::gpu::simulated;

Result<void> only_success(const Result<simulated::GpuStatus>& result) {
    if (!result) {
        return tl::unexpected(result.error());
    }
    return {};
}

Result<void> run(const std::vector<std::string>& words) {
    const std::string& verb = words[0];
    const std::string& path = words[1];
    if (verb == "make") {
        return simulated::ensure_simulation(path, words[2], "clients");
    }
    if (verb == "lose") {
        return only_success(simulated::lose_gpu(path, words[2]));
    }
    if (verb == "restore") {
        return only_success(simulated::restore_gpu(path, words[2]));
    }
    const auto number = [&](std::size_t word) {
        return reeve::parse_integer(words.at(word)).value_or(-1);
    };
    if (verb == "xid" && words.size() == 4) {
        return only_success(simulated::report_xid(path, words[2], number(3)));
    }
    if (verb == "use" && words.size() == 6) {
        return only_success(simulated::set_use(
            path, words[2],
            {.pid = static_cast<std::uint32_t>(number(3)),
             .memory_mib = number(4),
             .utilization_percent = number(5)}));
    }
    return reeve::fail(ErrorCode::kInvalid, "unknown: " + verb);
}

}  // namespace

int main(int count, char** words) {
    if (count < 4) {
        std::fputs("usage: sim_state make|use|xid|lose|restore PATH …\n", stderr);
        return 2;
    }
    const Result<void> done = run({words + 1, words + count});
    if (!done) {
        std::fprintf(stderr, "%s\n", done.error().message.c_str());
        return 1;
    }
    return 0;
}
