#include "cli/overview.hpp"

#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/targets.hpp"
#include "cli/words.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kJobsMax = 1000;  // Of the caller; more are counted as "1000+".
constexpr std::size_t kJobsNamed = 3;
constexpr std::size_t kGpusNamed = 3;

struct Overview {
    Json me;
    Json nodes;
    Json gpus;
    Json jobs;
    Json project;     // Null: the caller's project cannot be told.
    Json quarantine;  // Null: the caller may not see it.
};

/// What the caller has, told apart.
struct OwnJobs {
    std::vector<const JsonValue*> running = {};
    std::vector<const JsonValue*> waiting = {};
    bool is_cut = false;  // There are more.
};

/// Low is early. What is not queued (held) comes last.
std::int64_t place_of(const JsonValue& job) {
    constexpr std::int64_t kFar = 10'001;
    return text_at(job, "position").empty() ? kFar + 1 : integer_at(job, "position").value_or(kFar);
}

OwnJobs own_jobs(const Json& jobs) {
    OwnJobs own;
    own.is_cut = !text_at(jobs, "next").empty();
    for (const JsonValue& job : jobs["items"].GetArray()) {
        const std::string state = text_at(job, "state");
        const bool is_waiting = state == "queued" || state == "held";
        (is_waiting ? own.waiting : own.running).push_back(&job);
    }
    std::ranges::stable_sort(own.waiting, {}, [](const JsonValue* job) { return place_of(*job); });
    return own;
}

std::string title_of(const JsonValue& job) {
    return text_at(job, "id") + " " + text_at(job, "name");
}

std::string count_of(const std::vector<const JsonValue*>& jobs, const OwnJobs& own) {
    return std::to_string(jobs.size()) + (own.is_cut ? "+" : "");
}

/// GPUs that nobody has a part of, on nodes that are there.
struct GpuCount {
    std::int64_t free = 0;
    std::int64_t total = 0;
    std::int64_t nodes = 0;
    std::int64_t nodes_away = 0;
    bool has_simulated = false;
};

GpuCount count_gpus(const Json& nodes) {
    GpuCount count;
    for (const JsonValue& node : nodes["items"].GetArray()) {
        const bool is_ready = text_at(node, "state") == "ready";
        count.total += integer_at(node, "gpus.total").value_or(0);
        count.free += is_ready ? integer_at(node, "gpus.free").value_or(0) : 0;
        count.nodes += 1;
        count.has_simulated = count.has_simulated || flag_at(node, "simulated");
        count.nodes_away += is_ready ? 0 : 1;
    }
    return count;
}

std::string server_line(const Session& session, const Overview& seen) {
    const GpuCount count = count_gpus(seen.nodes);
    const std::string line =
        text_at(seen.me, "server.version") + " at " + session.server_name().value_or("") + ": " +
        std::to_string(count.free) + " of " + std::to_string(count.total) + " GPUs free on " +
        std::to_string(count.nodes) + (count.nodes == 1 ? " node" : " nodes") +
        (count.has_simulated ? " (simulated)" : "");
    return count.nodes_away == 0 ? line
                                 : line + ", " + std::to_string(count.nodes_away) + " not ready";
}

std::string running_line(const OwnJobs& own, const Look& look) {
    std::string line = count_of(own.running, own);
    for (std::size_t i = 0; i < std::min(own.running.size(), kJobsNamed); ++i) {
        const JsonValue& job = *own.running[i];
        const std::string since = text_at(job, "started_at");
        line += (i == 0 ? ": " : ", ") + title_of(job);
        line += since.empty() ? "" : " (" + time_between(since, "", look.now) + ")";
    }
    return line + (own.running.size() > kJobsNamed ? ", …" : "");
}

std::string waiting_line(const OwnJobs& own) {
    std::string line = count_of(own.waiting, own);
    if (own.waiting.empty()) {
        return line;
    }
    const JsonValue& first = *own.waiting.front();
    const std::string position = text_at(first, "position");
    const std::string reason = text_at(first, "reason");
    line += own.waiting.size() > 1 ? ", first " : ": ";
    line += title_of(first) + (position.empty() ? "" : " at position " + position);
    return line + (reason.empty() ? "" : ": " + reason_in_words(reason));
}

/// "vision: GPUs 3/4, running 2/10"; "" where nothing limits it.
std::string quota_line(const JsonValue& project) {
    if (!project.IsObject()) {
        return "";
    }
    std::string line;
    const auto add = [&](const char* title, const char* field,
                         std::string (*format)(std::int64_t)) {
        const auto limit = integer_at(project, std::string("quota.") + field);
        const auto used = integer_at(project, std::string("used.") + field).value_or(0);
        if (limit) {
            line += (line.empty() ? "" : ", ") + std::string(title) + " " + format(used) + "/" +
                    format(*limit);
        }
    };
    const auto plain_number = [](std::int64_t number) { return std::to_string(number); };
    add("GPUs", "gpu_milli", format_milli);
    add("CPUs", "cpu_millicores", format_milli);
    add("memory", "memory_mib", format_mib);
    add("running", "running_elements", plain_number);
    add("pending", "pending_elements", plain_number);
    return line.empty() ? "" : text_at(project, "name") + ": " + line;
}

/// "2 tasks that the server does not know, with their GPUs …"; "" for none.
std::string quarantine_line(const JsonValue& quarantine) {
    const JsonValue* items = quarantine.IsObject() ? find(quarantine, "items") : nullptr;
    if (items == nullptr || items->Empty()) {
        return "";
    }
    return std::to_string(items->Size()) + (items->Size() == 1 ? " task" : " tasks") +
           " that the server does not know: reeve quarantine list";
}

/// The GPUs that something is wrong with.
std::vector<const JsonValue*> troubled(const Json& gpus) {
    std::vector<const JsonValue*> found;
    for (const JsonValue& gpu : gpus["items"].GetArray()) {
        if (!text_at(gpu, "trouble").empty()) {
            found.push_back(&gpu);
        }
    }
    return found;
}

/// "GPU-1 (NVIDIA A30 on jw1): the node no longer reports it; and 2 more: reeve gpus"; "" for none.
std::string trouble_line(const std::vector<const JsonValue*>& gpus) {
    std::string line;
    for (std::size_t i = 0; i < std::min(gpus.size(), kGpusNamed); ++i) {
        line += (i == 0 ? "" : "; ") + trouble_in_words(*gpus[i]);
    }
    return gpus.size() > kGpusNamed
               ? line + "; and " + std::to_string(gpus.size() - kGpusNamed) + " more: reeve gpus"
               : line;
}

/// Real programs see no simulated GPUs.
std::string next_line(const OwnJobs& own, const JsonValue& gpus) {
    if (!own.waiting.empty()) {
        return "reeve why " + text_at(*own.waiting.front(), "id");
    }
    if (!own.running.empty()) {
        return "reeve logs -f " + text_at(*own.running.front(), "id");
    }
    const JsonValue* items = find(gpus, "items");
    const bool is_simulated = items != nullptr && !items->Empty() &&
                              std::ranges::all_of(items->GetArray(), [](const JsonValue& gpu) {
                                  return flag_at(gpu, "simulated");
                              });
    return is_simulated ? "reeve run --gpus 1 -- env" : "reeve run --gpus 1 -- nvidia-smi";
}

Result<Overview> ask(Client& client, const std::string& project) {
    auto me = client.get("/api/v1/me");
    auto nodes = me ? client.get("/api/v1/nodes") : tl::unexpected(me.error());
    const Selector mine{.is_mine = true, .states = live_states()};
    auto gpus = nodes ? client.get("/api/v1/gpus") : tl::unexpected(nodes.error());
    auto jobs = gpus ? client.get_all(jobs_path(mine), kJobsMax) : tl::unexpected(gpus.error());
    if (!jobs) {
        return tl::unexpected(std::move(jobs.error()));
    }
    for (const Json* list : {&*nodes, &*gpus}) {
        if (const JsonValue* items = find(*list, "items"); items == nullptr || !items->IsArray()) {
            return fail(ErrorCode::kUnavailable, "the server's answer is no list");
        }
    }
    auto quota = client.get("/api/v1/projects/" + escaped(project));
    if (!quota && quota.error().code != ErrorCode::kNotFound) {
        return tl::unexpected(std::move(quota.error()));
    }
    auto strays = Result<Json>(Json());
    if (text_at(*me, "role") == "admin") {
        strays = client.get("/api/v1/quarantine");
    }
    if (!strays) {
        return tl::unexpected(std::move(strays.error()));
    }
    return Overview{
        .me = std::move(*me),
        .nodes = std::move(*nodes),
        .gpus = std::move(*gpus),
        .jobs = std::move(*jobs),
        .project = quota ? std::move(*quota) : Json(),
        .quarantine = std::move(*strays)};
}

Json document_of(const Overview& seen, const OwnJobs& own) {
    Json document(rapidjson::kObjectType);
    auto& memory = document.GetAllocator();
    const GpuCount count = count_gpus(seen.nodes);
    JsonValue gpus(rapidjson::kObjectType);
    gpus.AddMember("free", count.free, memory);
    gpus.AddMember("total", count.total, memory);
    document.AddMember("me", JsonValue(seen.me, memory), memory);
    document.AddMember("gpus", gpus, memory);
    const auto list_of = [&](const std::vector<const JsonValue*>& jobs) {
        JsonValue list(rapidjson::kArrayType);
        for (const JsonValue* job : jobs) {
            list.PushBack(JsonValue(*job, memory), memory);
        }
        return list;
    };
    document.AddMember("running", list_of(own.running), memory);
    document.AddMember("waiting", list_of(own.waiting), memory);
    if (const auto trouble = troubled(seen.gpus); !trouble.empty()) {
        document.AddMember("trouble", list_of(trouble), memory);
    }
    if (seen.project.IsObject()) {
        document.AddMember("project", JsonValue(seen.project, memory), memory);
    }
    if (const JsonValue* strays =
            seen.quarantine.IsObject() ? find(seen.quarantine, "items") : nullptr;
        strays != nullptr && !strays->Empty()) {
        document.AddMember("quarantine", JsonValue(*strays, memory), memory);
    }
    return document;
}

}  // namespace

Result<int> print_overview(Session& session) {
    auto client = session.client();
    const std::string project = session.project();
    const auto seen = client ? ask(**client, project.empty() ? "default" : project)
                             : tl::unexpected(client.error());
    if (!seen) {
        return tl::unexpected(seen.error());
    }
    const OwnJobs own = own_jobs(seen->jobs);
    if (print_document(session.out(), document_of(*seen, own), "overview", session.look.format)) {
        return 0;
    }
    const std::vector<std::vector<std::string>> lines = {
        {"server", server_line(session, *seen)},
        {"trouble", trouble_line(troubled(seen->gpus))},
        {"running", running_line(own, session.look)},
        {"waiting", waiting_line(own)},
        {"quota", quota_line(seen->project)},
        {"quarantine", quarantine_line(seen->quarantine)},
        {"next", next_line(own, seen->gpus) + "   (all verbs: reeve --help)"},
    };
    std::vector<std::vector<std::string>> shown;
    for (const auto& line : lines) {
        if (!line[1].empty()) {
            shown.push_back({line[0], printable(line[1])});
        }
    }
    session.out() << table_text(shown, session.look);
    return 0;
}

}  // namespace reeve::cli
