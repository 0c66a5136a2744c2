#include "cli/doctor_checks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
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
#include "platform/identity.hpp"
#include "platform/process.hpp"
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

/// The devices of this machine. `simulated` is what the server simulates; "" if it does not.
std::vector<Finding> judge_gpus(const CliEnvironment& environment, const std::string& simulated) {
    const bool has_device = platform::path_exists("/dev/nvidiactl");
    const bool has_driver = platform::path_exists("/proc/driver/nvidia/version");
    if (!environment.open_gpus) {
        return {
            {"nvml", Health::kWarning, "this build of reeve does not ask NVML", ""}
        };
    }
    auto source = environment.open_gpus();
    auto gpus = source ? (*source)->describe() : tl::unexpected(source.error());
    if (!gpus && !has_device && !has_driver && !simulated.empty()) {
        return {
            {"driver", Health::kGood,
             "no NVIDIA driver, and none is needed: the server simulates " + simulated, ""}
        };
    }
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

std::string port_name(std::uint16_t port) {
    return "port " + std::to_string(port);
}

/// The ports that a server would take if it were not told others.
std::vector<Finding> judge_free_ports() {
    struct Port {
        std::uint16_t number;
        const char* use;
    };

    constexpr auto kPorts = std::to_array<Port>({
        {8081, "API"        },
        {8080, "node status"},
    });
    std::vector<Finding> found;
    for (const Port& port : kPorts) {
        const std::string name = port_name(port.number);
        if (!is_listening(port.number)) {
            found.push_back({name, Health::kGood, std::string("free (") + port.use + ")", ""});
        } else {
            found.push_back(
                {name, Health::kWarning,
                 "in use by another program; `reeve up` needs it or another one",
                 "ss -ltnp 'sport = :" + std::to_string(port.number) + "'"});
        }
    }
    return found;
}

/// Where the server that runs listens, as its files in `directory` say.
std::vector<Finding> judge_own_ports(
    const std::string& directory, const CliEnvironment& environment) {
    constexpr std::size_t kAddressMax = 512;
    std::vector<Finding> found;
    for (const auto& [file, use] :
         {std::pair(environment.address_file, "API"),
          std::pair(environment.status_address_file, "node status")}) {
        std::string path = directory;
        path.append("/").append(file);
        const auto text = platform::read_file(path, kAddressMax);
        if (!text && ::access(directory.c_str(), X_OK) != 0) {
            continue;  // The folder is its server's own, and no business of this user.
        }
        if (!text) {
            found.push_back(
                {"ports", Health::kWarning,
                 "where the server listens (" + std::string(use) +
                     ") cannot be read: " + text.error().message,
                 ""});
            continue;
        }
        found.push_back(judge_own_port(*text, use, [](std::uint16_t port) {
            return platform::listener_on(port).has_value();
        }));
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

/// The user that the server runs as, who owns its socket; nothing if there is no socket.
std::optional<uid_t> uid_of_server(const std::string& directory) {
    struct stat entry{};
    const std::string path = directory + "/reeve.sock";
    return ::stat(path.c_str(), &entry) == 0 ? std::optional(entry.st_uid) : std::nullopt;
}

/// The room of the file system that the directory is on, if it tells.
std::vector<Finding> judge_room(const std::string& directory) {
    struct statvfs room{};
    if (::statvfs(existing_part(directory).c_str(), &room) != 0) {
        return {};
    }
    return {judge_disk(
        directory, std::uint64_t{room.f_bavail} * room.f_frsize,
        std::uint64_t{room.f_blocks} * room.f_frsize)};
}

/// Where the server of another user keeps its state: it is that user's to look after.
std::vector<Finding> judge_others_data(const std::string& directory, uid_t uid) {
    const auto user = platform::user_by_id(uid);
    std::vector<Finding> found = judge_room(directory);
    found.push_back(
        {"data", Health::kGood,
         directory + ", of the server's user " + (user ? user->name : std::to_string(uid)), ""});
    return found;
}

std::vector<Finding> judge_data(const std::string& directory) {
    const std::string there = existing_part(directory);
    std::vector<Finding> found = judge_room(directory);
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
/// `answers` becomes whether there is a server; `start` is the command that would make one.
Finding judge_ready(const std::string& name, const std::string& start, bool& answers) {
    auto address = parse_server_address(name);
    auto transport = address
                         ? open_transport({.server = *address, .timeout = std::chrono::seconds(3)})
                         : tl::unexpected(address.error());
    const auto ready = transport ? (*transport)->send({.target = "/readyz"})
                                 : Result<HttpAnswer>(tl::unexpected(transport.error()));
    if (!ready) {
        const bool is_away = ready.error().code == ErrorCode::kUnavailable;
        return {"server", is_away ? Health::kWarning : Health::kBad, ready.error().message, start};
    }
    answers = true;
    if (ready->status != 200) {
        return {
            "server", Health::kBad,
            "at " + name + " runs, but is not ready: " + error_of(*ready).message, ""};
    }
    return {"server", Health::kGood, "ready at " + name, ""};
}

/// What the server says of the GPUs of all its nodes. `simulated` becomes those that it simulates.
std::vector<Finding> ask_for_gpus(Client& client, std::string& simulated) {
    const auto gpus = client.get("/api/v1/gpus");
    if (!gpus) {
        return {
            {"gpu", Health::kBad, "the server does not say: " + gpus.error().message, ""}
        };
    }
    simulated = simulated_in_words(*gpus);
    return judge_known_gpus(*gpus);
}

/// Judges the nodes by what they say of themselves: where the server runs, this process is not.
std::vector<Finding> ask_for_enforcement(Session& session, bool is_root_server) {
    const auto client = session.client();
    const auto nodes = client ? (*client)->get("/api/v1/nodes") : tl::unexpected(client.error());
    if (!nodes) {
        return {
            {"cgroups", Health::kBad, "the server does not say: " + nodes.error().message, ""}
        };
    }
    return judge_enforcement(*nodes, is_root_server);
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

/// `answers` becomes whether there is a server.
std::vector<Finding> judge_server(Session& session, std::string& simulated, bool& answers) {
    const auto name = session.server_name();
    auto client = name ? session.client() : tl::unexpected(name.error());
    if (!client) {
        return {
            {"server", Health::kBad, client.error().message, ""}
        };
    }
    const std::string directory = data_directory_of(session);
    const std::string start =
        "reeve up" +
        (directory == Session::data_directory() ? std::string() : " --data " + directory);
    std::vector<Finding> found = {judge_ready(*name, start, answers)};
    if (!answers) {
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
    append(found, ask_for_gpus(**client, simulated));
    return found;
}

/// True if the server that is asked is one of this machine.
bool has_socket(const Session& session) {
    const auto name = session.server_name();
    const auto address = name ? parse_server_address(*name) : tl::unexpected(name.error());
    return address && !address->socket.empty();
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

std::vector<Finding> judge_enforcement(const JsonValue& nodes, bool is_root) {
    std::set<std::string> without;
    std::set<std::string> kinds;
    const JsonValue* items = find(nodes, "items");
    for (rapidjson::SizeType i = 0; items != nullptr && i < items->Size(); ++i) {
        const std::string kind = text_at((*items)[i], "enforcement");
        if (kind.empty() || kind == "none") {
            without.insert(text_at((*items)[i], "name"));
        } else {
            kinds.insert(kind);
        }
    }
    std::vector<Finding> found;
    if (!kinds.empty()) {
        found.push_back({"cgroups", Health::kGood, "limits are enforced by " + list_of(kinds), ""});
    }
    if (!without.empty()) {
        found.push_back(
            {"cgroups", Health::kWarning,
             "limits are not enforced on " + list_of(without) +
                 ", jobs are killed by process group: " +
                 (is_root ? "no control group that the server may use"
                          : "only a server of root may use control groups"),
             ""});
    }
    return found;
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

Finding judge_own_port(
    const std::string& address,
    const std::string& use,
    const std::function<bool(std::uint16_t port)>& is_heard) {
    const std::string_view whole = std::string_view(address).substr(0, address.find('\n'));
    const std::size_t colon = whole.rfind(':');
    const auto number = colon == std::string_view::npos ? Result<std::int64_t>(0)
                                                        : parse_integer(whole.substr(colon + 1));
    constexpr std::int64_t kPortMax = 65'535;
    if (!number || *number < 1 || *number > kPortMax) {
        return {
            "ports", Health::kBad, "'" + std::string(whole) + "' is no address (" + use + ")", ""};
    }
    const auto port = static_cast<std::uint16_t>(*number);
    if (!is_heard(port)) {
        return {
            port_name(port), Health::kBad,
            "the server should listen there, and nothing does (" + use + ")",
            "ss -ltnp 'sport = :" + std::to_string(port) + "'"};
    }
    return {
        port_name(port), Health::kGood,
        "the server listens there (" + use + "): " + std::string(whole), ""};
}

std::vector<Finding> judge_known_gpus(const JsonValue& gpus) {
    std::vector<Finding> found;
    const JsonValue* items = find(gpus, "items");
    for (rapidjson::SizeType i = 0; items != nullptr && i < items->Size(); ++i) {
        const JsonValue& gpu = (*items)[i];
        std::string what = trouble_in_words(gpu);
        if (what.empty()) {
            continue;
        }
        const std::string uuid = text_at(gpu, "uuid");
        found.push_back(
            {"gpu", Health::kBad, std::move(what),
             flag_at(gpu, "simulated") ? "reeve gpu sim restore " + uuid
                                       : "sudo nvidia-smi --gpu-reset -i " + uuid});
    }
    return found;
}

std::string simulated_in_words(const JsonValue& gpus) {
    std::map<std::string, int> counts;
    const JsonValue* items = find(gpus, "items");
    for (rapidjson::SizeType i = 0; items != nullptr && i < items->Size(); ++i) {
        if (flag_at((*items)[i], "simulated")) {
            ++counts[text_at((*items)[i], "model")];
        }
    }
    std::set<std::string> words;
    for (const auto& [model, count] : counts) {
        words.insert(std::to_string(count) + " x " + model);
    }
    return list_of(words);
}

std::vector<Finding> examine(Session& session) {
    std::string simulated;
    bool has_server = false;
    std::vector<Finding> all = judge_server(session, simulated, has_server);
    append(all, judge_gpus(session.environment(), simulated));
    const std::string directory = data_directory_of(session);
    const auto server_uid =
        has_server && has_socket(session) ? uid_of_server(directory) : std::nullopt;
    if (has_server) {
        append(all, ask_for_enforcement(session, server_uid == uid_t{0}));
    } else {
        all.push_back(read_cgroups());
    }
    if (!has_server) {
        append(all, judge_free_ports());
    } else if (has_socket(session)) {
        append(all, judge_own_ports(directory, session.environment()));
    }
    all.push_back(judge_clock());
    const bool is_anothers = server_uid && *server_uid != ::geteuid() && !is_root();
    append(all, is_anothers ? judge_others_data(directory, *server_uid) : judge_data(directory));
    return all;
}

}  // namespace reeve::cli
