#include "controller/why_words.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>

#include "base/text.hpp"
#include "model/resources.hpp"

namespace reeve::controller {

std::string amount_text(std::string_view what, std::int64_t amount) {
    if (what == "gpu_milli") {
        return format_milli(amount) + (amount == model::kWholeGpuMilli ? " GPU" : " GPUs");
    }
    if (what == "cpu_millicores") {
        return format_milli(amount) + (amount == model::kWholeGpuMilli ? " CPU" : " CPUs");
    }
    return what == "memory_mib" ? format_mib(amount) : std::to_string(amount) + " running";
}

std::string lost_text(const NodeStatus& node) {
    constexpr std::size_t kNamed = 4;
    std::string names;
    std::size_t lost = 0;
    for (const model::NodeGpu& gpu : node.record.gpus) {
        if (!gpu.is_present && ++lost <= kNamed) {
            names += (names.empty() ? "" : ", ") + gpu.uuid;
        }
    }
    if (lost == 0) {
        return ", even when empty";
    }
    return " while " + std::to_string(lost) + " of its " + std::to_string(node.record.gpus.size()) +
           (lost == 1 ? " GPUs is" : " GPUs are") + " lost (" + names +
           (lost > kNamed ? ", …)" : ")");
}

bool holds_some(const model::Grant& grant, std::string_view what) {
    if (what.starts_with("gpu")) {
        return !grant.gpus.empty();
    }
    if (what.starts_with("cpu")) {
        return grant.host.cpu_millicores > 0;
    }
    return !what.starts_with("memory") || grant.host.memory_mib > 0;
}

void sort_by_end(std::vector<Holder>& holders) {
    std::ranges::sort(holders, [](const Holder& a, const Holder& b) {
        return std::tuple(!a.until, a.until, a.element) < std::tuple(!b.until, b.until, b.element);
    });
}

std::string hint(
    std::chrono::seconds limit, std::chrono::seconds longest, const std::string& what) {
    if (longest.count() == 0) {
        return "";
    }
    const std::string enough = format_duration(longest) + " or less would " + what;
    return limit.count() == 0 ? "; this has no time limit, and one of " + enough
                              : "; a time limit of " + enough;
}

std::string gpu_text(const model::GpuAsk& ask, const scheduler::Refusal& refusal) {
    if (!ask.is_share()) {
        return "has " + std::to_string(refusal.free) +
               (refusal.free == 1 ? " such GPU free, this needs "
                                  : " such GPUs free, this needs ") +
               std::to_string(refusal.asked);
    }
    if (ask.milli > 0) {
        return "has at most " + format_milli(refusal.free) + " of one GPU free, this needs " +
               format_milli(refusal.asked);
    }
    return "has at most " + format_mib(refusal.free) + " of one GPU free, this needs " +
           format_mib(refusal.asked);
}

}  // namespace reeve::controller
