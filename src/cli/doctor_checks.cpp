#include "cli/doctor_checks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/curl_transport.hpp"
#include "platform/files.hpp"
#include "platform/system_error.hpp"
#include "platform/unique_fd.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kProcFileMax = 1 << 20;

void append(std::vector<Finding>& all, std::vector<Finding> more) {
    all.insert(
        all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

bool is_root() {
    return ::geteuid() == 0;
}

std::vector<Finding> judge_gpus(const CliEnvironment& environment) {
    const bool has_device = platform::path_exists("/dev/nvidiactl");
    const bool has_driver = platform::path_exists("/proc/driver/nvidia/version");
    if (!environment.open_gpus) {
        return {
            {"nvml", Health::kWarning, "this build of reeve does not ask NVML", ""}
        };
    }
    auto source = environment.open_gpus();
    auto gpus = source ? (*source)->describe() : tl::unexpected(source.error());
    if (!gpus && !has_device && !has_driver) {
        return {
            {"driver", Health::kWarning,
             "no NVIDIA driver is loaded, so there are no GPUs here: " + gpus.error().message,
             "reeve up --gpus-simulated 4xRTX5090"}
        };
    }
    if (!gpus) {
        return {
            {"driver", Health::kBad,
             "the driver is loaded, but NVML fails: " + gpus.error().message, "nvidia-smi"}
        };
    }
    std::vector<Finding> found = {
        {"driver", Health::kGood,
         "version " + (*source)->driver_version() + ", " + std::to_string(gpus->size()) + " GPUs",
         ""}
    };
    const auto samples = (*source)->sample();
    for (std::size_t i = 0; samples && i < samples->size(); ++i) {
        const auto& sample = (*samples)[i];
        if (!sample.trouble.empty()) {
            found.push_back(
                {"gpu", Health::kBad, sample.uuid + ": " + sample.trouble,
                 "sudo nvidia-smi --gpu-reset -i " + sample.uuid});
        }
    }
    return found;
}

Finding read_cgroups() {
    const auto own = platform::read_file("/proc/self/cgroup", kProcFileMax);
    const auto mounts = platform::read_file("/proc/self/mounts", kProcFileMax);
    if (!own || !mounts) {
        return {
            "cgroups", Health::kWarning, "/proc cannot be read: limits will not be enforced", ""};
    }
    return judge_cgroups(*own, *mounts, is_root());
}

/// True if something listens on this port of the loopback address.
bool is_listening(std::uint16_t port) {
    const platform::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // The socket interface takes every kind of address through this one type.
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::vector<Finding> judge_ports(bool has_server) {
    struct Port {
        std::uint16_t number;
        const char* use;
    };

    constexpr auto kPorts = std::to_array<Port>({
        {8081, "API and web"},
        {8080, "node status"},
    });
    std::vector<Finding> found;
    for (const Port& port : kPorts) {
        const std::string name = "port " + std::to_string(port.number);
        if (!is_listening(port.number)) {
            found.push_back({name, Health::kGood, std::string("free (") + port.use + ")", ""});
        } else if (has_server) {
            found.push_back(
                {name, Health::kGood, std::string("in use, and a server runs (") + port.use + ")",
                 ""});
        } else {
            found.push_back(
                {name, Health::kWarning,
                 "in use by another program; `reeve up` needs it or another one",
                 "ss -ltnp 'sport = :" + std::to_string(port.number) + "'"});
        }
    }
    return found;
}

Finding judge_clock() {
    timex state{};
    const int status = ::adjtimex(&state);
    if (status < 0) {
        return {
            "clock", Health::kWarning, "the kernel does not say whether it is synchronised", ""};
    }
    if (status == TIME_ERROR || (static_cast<unsigned>(state.status) & STA_UNSYNC) != 0) {
        return {
            "clock", Health::kWarning, "not synchronised with a time server",
            "sudo timedatectl set-ntp true"};
    }
    return {"clock", Health::kGood, "synchronised", ""};
}

/// The directory, or the nearest one above it that exists.
std::string existing_part(std::string path) {
    while (path.size() > 1 && !platform::path_exists(path)) {
        const std::size_t slash = path.rfind('/');
        path = slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
    }
    return path;
}

std::vector<Finding> judge_data(const std::string& directory) {
    const std::string there = existing_part(directory);
    std::vector<Finding> found;
    struct statvfs room{};
    if (::statvfs(there.c_str(), &room) == 0) {
        found.push_back(judge_disk(
            directory, std::uint64_t{room.f_bavail} * room.f_frsize,
            std::uint64_t{room.f_blocks} * room.f_frsize));
    }
    struct stat entry{};
    const bool exists = there == directory && ::stat(directory.c_str(), &entry) == 0;
    if (::access(there.c_str(), W_OK | X_OK) != 0) {
        found.push_back(
            {"data", Health::kBad,
             directory + " may not be written by you: " + platform::error_text(errno),
             exists ? "sudo chown -R \"$USER\" " + directory : "reeve up --data ~/reeve"});
    } else if (exists && (entry.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        found.push_back(
            {"data", Health::kWarning, directory + " may be written by others",
             "chmod go-w " + directory});
    } else {
        found.push_back({"data", Health::kGood, directory, ""});
    }
    return found;
}

/// What of ours runs without the server knowing it.
std::vector<Finding> judge_quarantine(Client& client) {
    std::vector<Finding> found;
    const auto tasks = client.get("/api/v1/quarantine");
    const JsonValue* items = tasks ? find(*tasks, "items") : nullptr;
    for (rapidjson::SizeType i = 0; items != nullptr && i < items->Size(); ++i) {
        const std::string key = text_at((*items)[i], "key");
        std::string cure = "reeve quarantine adopt ";
        cure.append(key).append(" (a job again), or reeve quarantine stop ").append(key);
        found.push_back(
            {"quarantine", Health::kWarning,
             "task " + key + " on " + text_at((*items)[i], "node") +
                 " is ours, but unknown; it keeps its GPUs",
             std::move(cure)});
    }
    return found;
}

/// Asks once, and not for long.
Finding judge_ready(const std::string& name) {
    auto address = parse_server_address(name);
    auto transport = address
                         ? open_transport({.server = *address, .timeout = std::chrono::seconds(3)})
                         : tl::unexpected(address.error());
    const auto ready = transport ? (*transport)->send({.target = "/readyz"})
                                 : Result<HttpAnswer>(tl::unexpected(transport.error()));
    if (!ready) {
        const bool is_away = ready.error().code == ErrorCode::kUnavailable;
        return {
            "server", is_away ? Health::kWarning : Health::kBad, ready.error().message, "reeve up"};
    }
    if (ready->status != 200) {
        return {
            "server", Health::kBad, "runs, but is not ready: " + error_of(*ready).message,
            "reeve doctor -s " + name};
    }
    return {"server", Health::kGood, "ready at " + name, ""};
}

std::vector<Finding> judge_server(Session& session) {
    const auto name = session.server_name();
    auto client = name ? session.client() : tl::unexpected(name.error());
    if (!client) {
        return {
            {"server", Health::kBad, client.error().message, ""}
        };
    }
    std::vector<Finding> found = {judge_ready(*name)};
    if (found.front().health != Health::kGood) {
        return found;
    }
    const auto me = (*client)->get("/api/v1/me");
    if (!me) {
        found.push_back(
            {"permission", Health::kBad, me.error().message, "export REEVE_TOKEN_FILE=…"});
        return found;
    }
    const std::string role = text_at(*me, "role");
    found.push_back(
        {"permission", Health::kGood, "you are " + text_at(*me, "user") + ", role " + role, ""});
    if (role == "admin") {
        append(found, judge_quarantine(**client));
    }
    return found;
}

/// Where the server that is asked keeps its state, if that is on this machine.
std::string data_directory_of(const Session& session) {
    constexpr std::string_view kSocket = "/reeve.sock";
    const auto name = session.server_name();
    const auto address = name ? parse_server_address(*name) : tl::unexpected(name.error());
    const bool is_here = address && address->socket.ends_with(kSocket);
    return is_here ? address->socket.substr(0, address->socket.size() - kSocket.size())
                   : Session::data_directory();
}

}  // namespace

Finding judge_cgroups(
    const std::string& cgroup_text, const std::string& mounts_text, bool is_root) {
    const bool has_v2 = mounts_text.find(" cgroup2 ") != std::string::npos;
    const bool is_unified = has_v2 && cgroup_text.find(":memory:") == std::string::npos &&
                            cgroup_text.find(",memory") == std::string::npos;
    const bool has_v1 = mounts_text.find(" cgroup ") != std::string::npos;
    if (!has_v1 && !has_v2) {
        return {
            "cgroups", Health::kWarning,
            "none are mounted: limits of CPU and memory are not enforced",
            "sudo mount -t cgroup2 none /sys/fs/cgroup"};
    }
    const std::string kind = is_unified ? "v2" : "v1";
    if (!is_root) {
        return {
            "cgroups", Health::kWarning,
            kind +
                ", but only root may use them: limits are not enforced, jobs are killed by process "
                "group",
            "sudo reeve up"};
    }
    return {"cgroups", Health::kGood, kind + ": limits are enforced", ""};
}

Finding judge_disk(
    const std::string& directory, std::uint64_t free_bytes, std::uint64_t total_bytes) {
    constexpr std::uint64_t kMiB = 1 << 20;
    constexpr std::uint64_t kLeast = 256 * kMiB;
    const std::string what =
        format_mib(static_cast<std::int64_t>(free_bytes / kMiB)) + " free of " +
        format_mib(static_cast<std::int64_t>(total_bytes / kMiB)) + " at " + directory;
    const std::string fix = "du -xh --max-depth=2 " + directory + " | sort -h | tail";
    if (free_bytes < kLeast) {
        return {"disk", Health::kBad, what + ": nothing more can be made durable soon", fix};
    }
    if (free_bytes < 2048 * kMiB || free_bytes < total_bytes / 20) {
        return {"disk", Health::kWarning, what, fix};
    }
    return {"disk", Health::kGood, what, ""};
}

std::vector<Finding> examine(Session& session) {
    std::vector<Finding> all = judge_server(session);
    const bool has_server = !all.empty() && all.front().health == Health::kGood;
    append(all, judge_gpus(session.environment()));
    all.push_back(read_cgroups());
    append(all, judge_ports(has_server));
    all.push_back(judge_clock());
    append(all, judge_data(data_directory_of(session)));
    return all;
}

}  // namespace reeve::cli
