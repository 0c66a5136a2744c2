// gpu sim: what simulated GPUs show, set from outside.
#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"
#include "platform/environment.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

void add_member(Json& json, JsonValue& object, const char* name, const std::string& text) {
    object.AddMember(
        rapidjson::StringRef(name), JsonValue(text.c_str(), json.GetAllocator()),
        json.GetAllocator());
}

JsonValue to_row(const SimulatedGpu& gpu, const std::string& node, Json& json) {
    auto& memory = json.GetAllocator();
    JsonValue row(rapidjson::kObjectType);
    if (!node.empty()) {
        add_member(json, row, "node", node);
    }
    row.AddMember("index", static_cast<std::uint64_t>(gpu.index), memory);
    add_member(json, row, "uuid", gpu.description.uuid);
    add_member(json, row, "model", gpu.description.model);
    row.AddMember("simulated", true, memory);
    if (gpu.sample.memory_used_mib) {
        row.AddMember("memory_used_mib", *gpu.sample.memory_used_mib, memory);
    }
    if (gpu.sample.utilization_percent) {
        row.AddMember("utilization_percent", *gpu.sample.utilization_percent, memory);
    }
    row.AddMember("processes", static_cast<std::uint64_t>(gpu.sample.processes.size()), memory);
    if (!gpu.sample.trouble.empty()) {
        add_member(json, row, "trouble", gpu.sample.trouble);
    }
    return row;
}

Listing simulation_listing(bool has_nodes) {
    Listing listing;
    listing.kind = "simulated-gpu";
    listing.columns = {
        plain("INDEX", "index"),
        Column{
               .title = "MODEL",
               .cell = [](const JsonValue& gpu,
               const Look&) { return text_at(gpu, "model") + " (simulated)"; },
               .path = "model"},
        plain("UUID", "uuid"),
        plain("MEM USED MIB", "memory_used_mib"),
        plain("UTIL %", "utilization_percent"),
        plain("PROCESSES", "processes"),
        plain("TROUBLE", "trouble"),
    };
    if (has_nodes) {
        listing.columns.insert(listing.columns.begin(), plain("NODE", "node"));
    }
    listing.name = [](const JsonValue& gpu) { return text_at(gpu, "uuid"); };
    return listing;
}

/// A simulated machine, and what its GPUs are.
struct SimulatedNode {
    std::string name = {};  // "" where a file was named, and not a server.
    std::string path = {};  // Of its state file.
};

/// A GPU of one of them, as that node's simulation takes its name.
struct ChosenGpu {
    SimulatedNode node = {};
    std::string gpu = {};
};

constexpr std::size_t kSimulationsBytesMax = 1 << 20;

/// The nodes of the server that keeps its state in `directory`.
Result<std::vector<SimulatedNode>> nodes_in(
    const std::string& directory, const CliEnvironment& environment) {
    const std::string list = directory + "/" + environment.simulations_file;
    if (environment.simulations_file.empty() || !platform::path_exists(list)) {
        return std::vector<SimulatedNode>{{.path = directory + "/" + environment.simulation_file}};
    }
    const auto text = platform::read_file(list, kSimulationsBytesMax);
    if (!text) {
        return tl::unexpected(text.error());
    }
    std::vector<SimulatedNode> nodes;
    for (const std::string& line : split(*text, '\n')) {
        const std::size_t space = line.find(' ');
        if (space != std::string::npos) {
            nodes.push_back(
                {.name = line.substr(0, space), .path = directory + "/" + line.substr(space + 1)});
        }
    }
    if (nodes.empty()) {
        return fail(
            ErrorCode::kUnavailable,
            list +
                " names no simulated node; start the server again, or name a state file with "
                "--state FILE");
    }
    return nodes;
}

std::string names_of(const std::vector<SimulatedNode>& nodes) {
    constexpr std::size_t kShownMax = 8;
    std::string names;
    for (std::size_t i = 0; i < std::min(nodes.size(), kShownMax); ++i) {
        names += (i == 0 ? "" : ", ") + nodes[i].name;
    }
    return nodes.size() > kShownMax ? names + ", …" : names;
}

/// "sim3/0".
Result<ChosenGpu> on_named_node(const std::vector<SimulatedNode>& nodes, const std::string& text) {
    const std::size_t slash = text.find('/');
    const std::string name = text.substr(0, slash);
    const auto node = std::ranges::find(nodes, name, &SimulatedNode::name);
    if (nodes.front().name.empty()) {
        return fail(
            ErrorCode::kInvalid,
            "'" + text + "' names a node, and a state file is of one node; write the GPU alone");
    }
    if (node == nodes.end()) {
        return fail(
            ErrorCode::kNotFound,
            "no simulated node is named '" + name + "'; there are: " + names_of(nodes));
    }
    return ChosenGpu{.node = *node, .gpu = text.substr(slash + 1)};
}

/// Of all nodes, by its UUID or the beginning of it.
Result<ChosenGpu> on_any_node(
    GpuSimulation& simulation, const std::vector<SimulatedNode>& nodes, const std::string& text) {
    if (parse_integer(text)) {
        return fail(
            ErrorCode::kInvalid,
            "there are " + std::to_string(nodes.size()) +
                " simulated nodes, so an index needs its node: " + nodes.front().name + "/" + text);
    }
    std::vector<ChosenGpu> found;
    for (const SimulatedNode& node : nodes) {
        const auto gpus = simulation.list(node.path);
        if (!gpus) {
            return tl::unexpected(gpus.error());
        }
        for (const SimulatedGpu& gpu : *gpus) {
            const std::string& uuid = gpu.description.uuid;
            if (uuid.starts_with(text) || uuid.starts_with("GPU-" + text)) {
                found.push_back({.node = node, .gpu = uuid});
            }
        }
    }
    if (found.empty()) {
        return fail(
            ErrorCode::kNotFound, "no simulated GPU is '" + text +
                                      "'; write a UUID, the beginning of just one, or NODE/INDEX, "
                                      "such as " +
                                      nodes.front().name + "/0");
    }
    if (found.size() > 1) {
        return fail(
            ErrorCode::kInvalid, "'" + text + "' begins the UUIDs of " +
                                     std::to_string(found.size()) + " GPUs: " + found[0].gpu +
                                     " of " + found[0].node.name + ", " + found[1].gpu + " of " +
                                     found[1].node.name);
    }
    return found.front();
}

/// What all of these share: the state files, and the printing of what came of it.
class SimulationVerb : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        add_more_options(app);
        app.add_option(
            "--state", state_, "State file (default: those of the server that -s names)");
    }

    Result<int> run(Session& session) override {
        GpuSimulation* simulation = session.environment().simulation;
        if (simulation == nullptr) {
            return fail(ErrorCode::kUnavailable, "this build of reeve simulates no GPUs");
        }
        const auto nodes = find_nodes(session);
        if (!nodes) {
            return tl::unexpected(nodes.error());
        }
        const auto gpus = act(*simulation, *nodes);
        if (!gpus) {
            return tl::unexpected(explained(session, *nodes, gpus.error()));
        }
        Json list(rapidjson::kObjectType);
        JsonValue items(rapidjson::kArrayType);
        for (const auto& [node, gpu] : *gpus) {
            items.PushBack(to_row(gpu, node, list), list.GetAllocator());
        }
        list.AddMember("items", items, list.GetAllocator());
        const auto shown = print_list(
            session.out(), list, simulation_listing(!nodes->front().name.empty()), session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }

  protected:
    /// With the names of their nodes.
    using Gpus = std::vector<std::pair<std::string, SimulatedGpu>>;

    virtual void add_more_options(CLI::App& /*app*/) {}

    /// What is to be shown.
    [[nodiscard]] virtual Result<Gpus> act(
        GpuSimulation& simulation, const std::vector<SimulatedNode>& nodes) = 0;

  private:
    [[nodiscard]] Result<std::vector<SimulatedNode>> find_nodes(const Session& session) const {
        std::string path = state_;
        if (path.empty()) {
            path = platform::environment_variable("REEVE_NVML_SIM").value_or("");
        }
        if (!path.empty()) {
            return std::vector<SimulatedNode>{{.path = path}};
        }
        if (session.environment().simulation_file.empty()) {
            return fail(ErrorCode::kInvalid, "name the state file of the simulation with --state");
        }
        const auto directory = session.server_directory();
        if (!directory) {
            return fail(
                directory.error().code, directory.error().message +
                                            "; on its machine, name the state file of its "
                                            "simulation with --state FILE");
        }
        return nodes_in(*directory, session.environment());
    }

    /// If there is no such file at all, where it might be.
    static Error explained(
        const Session& session, const std::vector<SimulatedNode>& nodes, Error error) {
        const std::string& path = nodes.front().path;
        if (platform::path_exists(path)) {
            return error;
        }
        return Error{
            ErrorCode::kNotFound,
            "there is no " + path +
                ": name the state file of the server that simulates with --state FILE (it is " +
                session.environment().simulation_file +
                " in its data directory), or that server with -s",
            {}};
    }

    std::string state_;
};

class SimListVerb final : public SimulationVerb {
    [[nodiscard]] Result<Gpus> act(
        GpuSimulation& simulation, const std::vector<SimulatedNode>& nodes) override {
        Gpus all;
        for (const SimulatedNode& node : nodes) {
            const auto gpus = simulation.list(node.path);
            if (!gpus) {
                return tl::unexpected(gpus.error());
            }
            for (const SimulatedGpu& gpu : *gpus) {
                all.emplace_back(node.name, gpu);
            }
        }
        return all;
    }
};

/// Those that change one GPU.
class SimChangeVerb : public SimulationVerb {
  protected:
    void add_more_options(CLI::App& app) override {
        app.add_option("GPU", gpu_, "Index, UUID, its beginning, or NODE/INDEX")->required();
    }

    [[nodiscard]] virtual Result<SimulatedGpu> change(
        GpuSimulation& simulation, const std::string& path, const std::string& gpu) = 0;

  private:
    [[nodiscard]] Result<Gpus> act(
        GpuSimulation& simulation, const std::vector<SimulatedNode>& nodes) override {
        const auto chosen = choose(simulation, nodes);
        const auto changed = chosen ? change(simulation, chosen->node.path, chosen->gpu)
                                    : tl::unexpected(chosen.error());
        return changed ? Result<Gpus>(Gpus{
                             {chosen->node.name, *changed}
        })
                       : tl::unexpected(changed.error());
    }

    [[nodiscard]] Result<ChosenGpu> choose(
        GpuSimulation& simulation, const std::vector<SimulatedNode>& nodes) const {
        if (gpu_.find('/') != std::string::npos) {
            return on_named_node(nodes, gpu_);
        }
        return nodes.size() == 1 ? Result<ChosenGpu>(ChosenGpu{nodes.front(), gpu_})
                                 : on_any_node(simulation, nodes, gpu_);
    }

    std::string gpu_;
};

class SimSetVerb final : public SimChangeVerb {
    void add_more_options(CLI::App& app) override {
        SimChangeVerb::add_more_options(app);
        app.add_option("--pid", use_.pid, "Process that uses it")->required();
        app.add_option("--mem", memory_, "Memory that it takes: 4G; 0 for none");
        app.add_option("--util", use_.utilization_percent, "How busy it keeps the GPU, 0 to 100");
    }

    [[nodiscard]] Result<SimulatedGpu> change(
        GpuSimulation& simulation, const std::string& path, const std::string& gpu) override {
        if (!memory_.empty() && memory_ != "0") {
            const auto size = parse_size_mib(memory_);
            if (!size) {
                return fail(ErrorCode::kInvalid, "--mem: " + size.error().message);
            }
            use_.memory_mib = *size;
        }
        return simulation.set_use(path, gpu, use_);
    }

    GpuSimulation::Use use_;
    std::string memory_;
};

class SimXidVerb final : public SimChangeVerb {
    void add_more_options(CLI::App& app) override {
        SimChangeVerb::add_more_options(app);
        app.add_option("XID", xid_, "NVIDIA's number of the error, such as 79")->required();
    }

    [[nodiscard]] Result<SimulatedGpu> change(
        GpuSimulation& simulation, const std::string& path, const std::string& gpu) override {
        return simulation.report_xid(path, gpu, xid_);
    }

    std::int64_t xid_ = 0;
};

class SimLoseVerb final : public SimChangeVerb {
    [[nodiscard]] Result<SimulatedGpu> change(
        GpuSimulation& simulation, const std::string& path, const std::string& gpu) override {
        return simulation.lose(path, gpu);
    }
};

class SimRestoreVerb final : public SimChangeVerb {
    [[nodiscard]] Result<SimulatedGpu> change(
        GpuSimulation& simulation, const std::string& path, const std::string& gpu) override {
        return simulation.restore(path, gpu);
    }
};

/// `gpu sim VERB`: the third word picks the verb.
class SimVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option(
            "--state", state_, "State file (default: those of the server that -s names)");
    }

    [[nodiscard]] bool takes_command() const override { return true; }

    void take_rest(
        const std::vector<std::string>& before,
        const std::vector<std::string>& /*after*/) override {
        words_ = before;
    }

    Result<int> run(Session& session) override {
        struct Row {
            std::string_view name;
            std::unique_ptr<Verb> (*make)();
        };

        const auto rows = std::to_array<Row>({
            {"list",    make_verb<SimListVerb>   },
            {"set",     make_verb<SimSetVerb>    },
            {"xid",     make_verb<SimXidVerb>    },
            {"lose",    make_verb<SimLoseVerb>   },
            {"restore", make_verb<SimRestoreVerb>},
        });
        const std::string word = words_.empty() ? "" : words_.front();
        for (const Row& row : rows) {
            if (row.name == word) {
                return run_row(row.make(), session);
            }
        }
        return fail(ErrorCode::kInvalid, "`reeve gpu sim` takes list, set, xid, lose or restore");
    }

  private:
    [[nodiscard]] Result<int> run_row(const std::unique_ptr<Verb>& verb, Session& session) const {
        CLI::App app;
        verb->add_options(app);
        add_global_flags(app, session.flags);
        std::vector<std::string> words(words_.begin() + 1, words_.end());
        if (!state_.empty()) {
            words.insert(words.end(), {"--state", state_});
        }
        if (std::ranges::find(words, "--help") != words.end()) {
            session.out() << app.help();
            return 0;
        }
        auto parsed = parse_arguments(app, words);
        parsed = parsed ? session.settle() : parsed;
        return parsed ? verb->run(session) : tl::unexpected(std::move(parsed.error()));
    }

    std::vector<std::string> words_;
    std::string state_;
};

}  // namespace

std::vector<VerbRow> simulation_verbs() {
    return {
        {"gpu sim", "Set what simulated GPUs show",
         "list | set GPU --pid P | xid GPU N | lose GPU | restore GPU", "  reeve gpu sim set 0 --pid 4711 --mem 4G --util 80\n"
         "  reeve gpu sim set 0 --pid 4711 --mem 0     nothing of it is left\n"
         "  reeve gpu sim xid 0 79        report an error of it, once: it is an event, no state\n"
         "  reeve gpu sim lose 0          it falls off the bus; `restore 0` brings it back\n"
         "  reeve gpu sim xid sim3/0 48   of `reeve up --nodes-simulated`: node and index, or a "
         "UUID\n", make_verb<SimVerb>},
    };
}

}  // namespace reeve::cli
