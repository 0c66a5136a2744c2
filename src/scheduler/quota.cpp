#include "scheduler/quota.hpp"

#include <array>

namespace reeve::scheduler {
namespace {

struct Limit {
    std::string_view what;
    std::optional<std::int64_t> model::Quota::* limit;
    std::int64_t model::Usage::* amount;
};

constexpr auto kLimits = std::to_array<Limit>({
    {"gpu_milli",        &model::Quota::gpu_milli,        &model::Usage::gpu_milli       },
    {"cpu_millicores",   &model::Quota::cpu_millicores,   &model::Usage::cpu_millicores  },
    {"memory_mib",       &model::Quota::memory_mib,       &model::Usage::memory_mib      },
    {"running_elements", &model::Quota::running_elements, &model::Usage::running_elements},
});

}  // namespace

std::vector<Excess> excess(
    const model::Quota& quota, const model::Usage& used, const model::Usage& more) {
    std::vector<Excess> found;
    for (const Limit& row : kLimits) {
        const std::optional<std::int64_t>& limit = quota.*row.limit;
        const std::int64_t asked = more.*row.amount;
        if (limit && asked > 0 && used.*row.amount + asked > *limit) {
            found.push_back(
                {.what = row.what, .limit = *limit, .used = used.*row.amount, .asked = asked});
        }
    }
    return found;
}

bool is_within(const model::Quota& quota, const model::Usage& used, const model::Usage& more) {
    return excess(quota, used, more).empty();
}

}  // namespace reeve::scheduler
