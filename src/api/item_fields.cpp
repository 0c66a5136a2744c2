#include "api/item_fields.hpp"

#include <algorithm>
#include <string>

#include "api/router.hpp"
#include "base/assert.hpp"
#include "base/text.hpp"

namespace reeve::api {
namespace {

std::string joined(const std::vector<std::string_view>& names) {
    std::string text;
    for (const std::string_view name : names) {
        text += text.empty() ? "" : ", ";
        text += name;
    }
    return text;
}

}  // namespace

const std::vector<std::string_view>& fields_of_jobs() {
    static const std::vector<std::string_view> names = {
        "id",         "name",        "user",         "project",      "state",      "reason",
        "position",   "priority",    "fair_delay_s", "submitted_at", "started_at", "ended_at",
        "end_reason", "exit_code",   "signal",       "message",      "attempt",    "node",
        "gpus",       "enforcement", "elements",     "resources",    "on",         "time_limit_s",
        "array",      "labels"};
    return names;
}

const std::vector<std::string_view>& fields_of_nodes() {
    static const std::vector<std::string_view> names = {
        "name", "state",   "reason",      "heard_at", "cpu_millicores", "memory_mib",
        "gpus", "running", "enforcement", "labels",   "simulated",      "observed"};
    return names;
}

const std::vector<std::string_view>& fields_of_gpus() {
    static const std::vector<std::string_view> names = {
        "uuid",  "node",        "model",    "pci_bus_id", "simulated", "memory_mib",
        "milli", "allocations", "observed", "trouble",    "xids"};
    return names;
}

const std::vector<std::string_view>& fields_of_projects() {
    static const std::vector<std::string_view> names = {"name",
                                                        "parent",
                                                        "share",
                                                        "fair_used_milli_s",
                                                        "quota",
                                                        "user_quota",
                                                        "guaranteed_gpu_milli",
                                                        "used"};
    return names;
}

Result<ItemFields> item_fields_of(const HttpRequest& request) {
    REEVE_ASSERT(request.route != nullptr, "a handler gets admitted requests alone");
    const std::vector<std::string_view>& known = request.route->item_fields;
    const auto text = request.parameter("fields");
    if (!text) {
        return ItemFields();
    }
    std::vector<std::string_view> wanted;
    for (const std::string& name : split(*text, ',')) {
        const auto found = std::ranges::find(known, name);
        if (found == known.end()) {
            return fail(
                ErrorCode::kInvalid, "fields: there is no field \"" + name + "\"; expects " +
                                         joined(known) + ", several joined by commas");
        }
        wanted.push_back(*found);
    }
    return ItemFields(std::move(wanted));
}

}  // namespace reeve::api
