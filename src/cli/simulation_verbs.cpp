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

JsonValue to_row(const SimulatedGpu& gpu, Json& json) {
    auto& memory = json.GetAllocator();
    JsonValue row(rapidjson::kObjectType);
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

Listing simulation_listing() {
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
    listing.name = [](const JsonValue& gpu) { return text_at(gpu, "uuid"); };
    return listing;
}

/// What all of these share: the state file, and the printing of what came of it.
class SimulationVerb : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        if (has_gpu()) {
            app.add_option("GPU", gpu_, "Index, UUID, or its beginning")->required();
        }
        add_more_options(app);
        app.add_option("--state", state_, "State file (default: that of the server that -s names)");
    }

    Result<int> run(Session& session) override {
        GpuSimulation* simulation = session.environment().simulation;
        if (simulation == nullptr) {
            return fail(ErrorCode::kUnavailable, "this build of reeve simulates no GPUs");
        }
        std::string path = state_;
        if (path.empty()) {
            path = platform::environment_variable("REEVE_NVML_SIM").value_or("");
        }
        const std::string& name = session.environment().simulation_file;
        if (path.empty() && !name.empty()) {
            const auto directory = session.server_directory();
            if (!directory) {
                return fail(
                    directory.error().code, directory.error().message +
                                                "; on its machine, name the state file of its "
                                                "simulation with --state FILE");
            }
            path = *directory + "/" + name;
        }
        if (path.empty()) {
            return fail(ErrorCode::kInvalid, "name the state file of the simulation with --state");
        }
        const auto gpus = act(*simulation, path);
        if (!gpus && !platform::path_exists(path)) {
            return fail(
                ErrorCode::kNotFound,
                "there is no " + path +
                    ": name the state file of the server that simulates with --state FILE (it is " +
                    name + " in its data directory), or that server with -s");
        }
        if (!gpus) {
            return tl::unexpected(gpus.error());
        }
        Json list(rapidjson::kObjectType);
        JsonValue items(rapidjson::kArrayType);
        for (const SimulatedGpu& gpu : *gpus) {
            items.PushBack(to_row(gpu, list), list.GetAllocator());
        }
        list.AddMember("items", items, list.GetAllocator());
        const auto shown = print_list(session.out(), list, simulation_listing(), session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }

  protected:
    using Gpus = Result<std::vector<SimulatedGpu>>;

    [[nodiscard]] virtual bool has_gpu() const { return true; }

    virtual void add_more_options(CLI::App& /*app*/) {}

    [[nodiscard]] virtual Gpus act(GpuSimulation& simulation, const std::string& path) = 0;

    [[nodiscard]] const std::string& gpu() const noexcept { return gpu_; }

    [[nodiscard]] static Gpus only(Result<SimulatedGpu> one) {
        return one ? Gpus(std::vector<SimulatedGpu>{std::move(*one)})
                   : tl::unexpected(std::move(one.error()));
    }

  private:
    std::string gpu_;
    std::string state_;
};

class SimListVerb final : public SimulationVerb {
    [[nodiscard]] bool has_gpu() const override { return false; }

    [[nodiscard]] Gpus act(GpuSimulation& simulation, const std::string& path) override {
        return simulation.list(path);
    }
};

class SimSetVerb final : public SimulationVerb {
    void add_more_options(CLI::App& app) override {
        app.add_option("--pid", use_.pid, "Process that uses it")->required();
        app.add_option("--mem", memory_, "Memory that it takes: 4G; 0 for none");
        app.add_option("--util", use_.utilization_percent, "How busy it keeps the GPU, 0 to 100");
    }

    [[nodiscard]] Gpus act(GpuSimulation& simulation, const std::string& path) override {
        if (!memory_.empty() && memory_ != "0") {
            const auto size = parse_size_mib(memory_);
            if (!size) {
                return fail(ErrorCode::kInvalid, "--mem: " + size.error().message);
            }
            use_.memory_mib = *size;
        }
        return only(simulation.set_use(path, gpu(), use_));
    }

    GpuSimulation::Use use_;
    std::string memory_;
};

class SimXidVerb final : public SimulationVerb {
    void add_more_options(CLI::App& app) override {
        app.add_option("XID", xid_, "NVIDIA's number of the error, such as 79")->required();
    }

    [[nodiscard]] Gpus act(GpuSimulation& simulation, const std::string& path) override {
        return only(simulation.report_xid(path, gpu(), xid_));
    }

    std::int64_t xid_ = 0;
};

class SimLoseVerb final : public SimulationVerb {
    [[nodiscard]] Gpus act(GpuSimulation& simulation, const std::string& path) override {
        return only(simulation.lose(path, gpu()));
    }
};

class SimRestoreVerb final : public SimulationVerb {
    [[nodiscard]] Gpus act(GpuSimulation& simulation, const std::string& path) override {
        return only(simulation.restore(path, gpu()));
    }
};

/// `gpu sim VERB`: the third word picks the verb.
class SimVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("--state", state_, "State file (default: that of the server that -s names)");
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
         "  reeve gpu sim lose 0          it falls off the bus; `restore 0` brings it back\n", make_verb<SimVerb>},
    };
}

}  // namespace reeve::cli
