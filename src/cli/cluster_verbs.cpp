// nodes, gpus, free, top: what there is, and what of it is free.
#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

std::int64_t number_at(const JsonValue& row, std::string_view path) {
    return integer_at(row, path).value_or(0);
}

/// "3/8": free of total.
std::string free_of(const JsonValue& row, std::string_view amount) {
    return std::to_string(number_at(row, std::string(amount) + ".free")) + "/" +
           std::to_string(number_at(row, std::string(amount) + ".total"));
}

std::string mib_free_of(const JsonValue& row, std::string_view amount) {
    return format_mib(number_at(row, std::string(amount) + ".free")) + "/" +
           format_mib(number_at(row, std::string(amount) + ".total"));
}

std::string simulated_mark(const JsonValue& row) {
    return flag_at(row, "simulated") ? " (simulated)" : "";
}

/// "RTX 5090 (simulated)" of "NVIDIA GeForce RTX 5090": what tells models apart, for a narrow
/// table.
std::string short_model(const JsonValue& row, const Look& /*look*/) {
    std::string model = text_at(row, "model");
    for (const std::string_view maker : {"NVIDIA ", "GeForce "}) {
        model = model.starts_with(maker) ? model.substr(maker.size()) : model;
    }
    return model + simulated_mark(row);
}

Tone tone_of_row(const JsonValue& row) {
    return tone_of_state(text_at(row, "state"));
}

/// "rack=r1 zone=a".
std::string labels_of(const JsonValue& row) {
    std::string text;
    const JsonValue* labels = find(row, "labels");
    if (labels != nullptr && labels->IsObject()) {
        for (const auto& label : labels->GetObject()) {
            text.append(text.empty() ? "" : " ").append(label.name.GetString());
            text.append("=").append(label.value.GetString());
        }
    }
    return text;
}

Listing node_listing() {
    Listing listing;
    listing.kind = "node";
    listing.columns = {
        Column{
               .title = "NODE",
               .cell = [](const JsonValue& n,
               const Look&) { return text_at(n, "name") + simulated_mark(n); },
               .path = "name"},
        Column{
               .title = "STATE",
               .cell = [](const JsonValue& n, const Look&) { return text_at(n, "state"); },
               .tone = tone_of_row,
               .path = "state"},
        Column{
               .title = "GPUS FREE",
               .cell = [](const JsonValue& n, const Look&) { return free_of(n, "gpus"); }},
        Column{
               .title = "CPU FREE",
               .cell =
                [](const JsonValue& n, const Look&) {
                    return format_milli(number_at(n, "cpu_millicores.free")) + "/" +
                           format_milli(number_at(n, "cpu_millicores.total"));
                }},
        Column{
               .title = "MEMORY FREE",
               .cell = [](const JsonValue& n, const Look&) { return mib_free_of(n, "memory_mib"); }},
        plain("RUNNING", "running"),
        wide(plain("CPU %", "observed.cpu_percent")),
        wide(plain("MEM %", "observed.memory_percent")),
        wide(plain("LIMITS BY", "enforcement")),
        wide(Column{
               .title = "HEARD",
               .cell = [](const JsonValue& n,
               const Look& look) { return time_in_words(text_at(n, "heard_at"), look); },
               .path = "heard_at"}
        ),
        wide(Column{
               .title = "LABELS",
               .cell = [](const JsonValue& n, const Look&) { return labels_of(n); }}
        ),
        plain("REASON", "reason"),
    };
    listing.name = [](const JsonValue& node) { return text_at(node, "name"); };
    listing.nothing = "No node has come yet.";
    return listing;
}

/// "1842 (ann) ends in 3h".
std::string holder_of(const JsonValue& allocation, const Look& look) {
    const std::string job = text_at(allocation, "job");
    const std::string user = text_at(allocation, "user");
    const std::string until = text_at(allocation, "until");
    std::string holder = job.empty() ? text_at(allocation, "owner") : job;
    if (holder == "unknown") {
        return "in quarantine";
    }
    if (holder == "external") {
        const std::string process = text_at(allocation, "process");
        holder = process.empty() ? "used outside the queue" : "outside the queue: " + process;
    }
    holder += user.empty() ? "" : " (" + user + ")";
    return until.empty() ? holder : holder + " ends " + relative_time(until, look.now);
}

std::string holders_of(const JsonValue& gpu, const Look& look) {
    std::string holders;
    const JsonValue* allocations = find(gpu, "allocations");
    for (rapidjson::SizeType i = 0; allocations != nullptr && i < allocations->Size(); ++i) {
        holders += (i == 0 ? "" : ", ") + holder_of((*allocations)[i], look);
    }
    const std::string trouble = text_at(gpu, "trouble");
    return trouble.empty() ? holders : trouble + (holders.empty() ? "" : "; " + holders);
}

std::string optional_number(const JsonValue& row, std::string_view path, std::string_view unit) {
    const auto value = integer_at(row, path);
    return value ? std::to_string(*value) + std::string(unit) : "";
}

/// Which numbers a narrow terminal keeps longer: what is free of a GPU, or what is used.
enum class Matters : std::uint8_t { kFree, kUsed };

/// What only `-o wide` shows of a GPU.
std::vector<Column> wide_gpu_columns() {
    return {
        wide(Column{
            .title = "TEMP",
            .cell =
                [](const JsonValue& g, const Look&) {
                    return optional_number(g, "observed.temperature_celsius", " C");
                },
            .path = "observed.temperature_celsius"}),
        wide(Column{
            .title = "POWER",
            .cell =
                [](const JsonValue& g, const Look&) {
                    const auto power = integer_at(g, "observed.power_milliwatts");
                    return power ? std::to_string(*power / 1000) + " W" : "";
                },
            .path = "observed.power_milliwatts"}),
        wide(plain("PROCESSES", "observed.processes")),
        wide(plain("BUS ID", "pci_bus_id")),
    };
}

Listing gpu_listing(Matters matters) {
    const int free_leaves = matters == Matters::kFree ? 3 : 1;
    const int used_leaves = matters == Matters::kFree ? 1 : 3;
    const auto free_mib = [](const JsonValue& gpu, const Look&) {
        return format_mib(number_at(gpu, "memory_mib.free"));
    };
    Listing listing;
    listing.kind = "gpu";
    listing.columns = {
        plain("NODE", "node"),
        Column{
               .title = "MODEL",
               .cell = [](const JsonValue& g,
               const Look&) { return text_at(g, "model") + simulated_mark(g); },
               .path = "model",
               .narrow = {.cell = short_model}},
        narrowed(plain("UUID", "uuid"), {.is_prefix = true}
        ),
        Column{
               .title = "FREE",  // Reserved or not; what is used is observed, and another number.
            .cell = [](const JsonValue& g,
               const Look&) { return format_milli(number_at(g, "milli.free")); },
               .path = "milli.free"},
        Column{
               .title = "MEM FREE",
               .cell = [](const JsonValue& g, const Look&) { return mib_free_of(g, "memory_mib"); },
               .path = "memory_mib.free",
               .narrow = {.leaves = free_leaves, .cell = free_mib}},
        Column{
               .title = "MEM USED",
               .cell =
                [](const JsonValue& g, const Look&) {
                    const auto used = integer_at(g, "observed.memory_used_mib");
                    return used ? format_mib(*used) : "";
                }, .path = "observed.memory_used_mib",
               .narrow = {.leaves = used_leaves}},
        Column{
               .title = "UTIL",
               .cell =
                [](const JsonValue& g, const Look&) {
                    return optional_number(g, "observed.utilization_percent", " %");
                }, .path = "observed.utilization_percent",
               .narrow = {.leaves = used_leaves + 1}},
        Column{
               .title = "HELD BY",
               .cell = holders_of,
               .tone =
                [](const JsonValue& g) {
                    return text_at(g, "trouble").empty() ? Tone::kPlain : Tone::kBad;
                }},
    };
    const auto rest = wide_gpu_columns();  // Before who holds it, which may be long.
    listing.columns.insert(std::prev(listing.columns.end()), rest.begin(), rest.end());
    listing.name = [](const JsonValue& gpu) { return text_at(gpu, "uuid"); };
    listing.nothing = "No node has a GPU. `reeve doctor` says what it finds.";
    return listing;
}

class NodesVerb final : public ListVerb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto nodes =
            client ? (*client)->get("/api/v1/nodes") : tl::unexpected(client.error());
        if (!nodes) {
            return tl::unexpected(nodes.error());
        }
        const auto shown = print_list(session.out(), *nodes, node_listing(), session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }
};

class NodeShowVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("NODE", name_, "Name of the node")->required();
    }

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto node = client ? (*client)->get("/api/v1/nodes/" + escaped(name_))
                                 : tl::unexpected(client.error());
        if (!node) {
            return tl::unexpected(node.error());
        }
        if (!print_document(session.out(), *node, "node", session.look.format)) {
            session.out() << to_yaml(*node) << "\n";
        }
        return 0;
    }

  private:
    std::string name_;
};

class GpusVerb final : public ListVerb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto gpus = client ? (*client)->get("/api/v1/gpus") : tl::unexpected(client.error());
        if (!gpus) {
            return tl::unexpected(gpus.error());
        }
        const auto shown =
            print_list(session.out(), *gpus, gpu_listing(Matters::kFree), session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }
};

class GpuShowVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("GPU", name_, "UUID, or its beginning")->required();
    }

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto gpus = client ? (*client)->get("/api/v1/gpus") : tl::unexpected(client.error());
        if (!gpus) {
            return tl::unexpected(gpus.error());
        }
        const Result<const JsonValue*> found = find_gpu((*gpus)["items"]);
        if (!found) {
            return tl::unexpected(found.error());
        }
        if (!print_document(session.out(), **found, "gpu", session.look.format)) {
            session.out() << to_yaml(**found) << "\n";
        }
        return 0;
    }

  private:
    using Gpus = std::vector<const JsonValue*>;

    /// The GPU that the name means. Errors: kNotFound, kInvalid, both with names that are accepted.
    [[nodiscard]] Result<const JsonValue*> find_gpu(const JsonValue& all) const {
        Gpus there;
        Gpus meant;
        for (const JsonValue& gpu : all.GetArray()) {
            const std::string uuid = text_at(gpu, "uuid");
            there.push_back(&gpu);
            if (uuid.starts_with(name_) || uuid.starts_with("GPU-" + name_)) {
                meant.push_back(&gpu);
            }
        }
        if (there.empty()) {
            return fail(ErrorCode::kNotFound, "no node has a GPU");
        }
        if (is_index()) {
            return fail(
                ErrorCode::kInvalid,
                "GPUs have no index, which could be another one after a restart; name it by its "
                "UUID or a beginning of it: " +
                    names_of(there, there));
        }
        if (meant.empty()) {
            return fail(
                ErrorCode::kNotFound,
                "no GPU is " + name_ + "; there are " + names_of(there, there));
        }
        if (meant.size() > 1) {
            return fail(
                ErrorCode::kInvalid,
                "several GPUs begin with " + name_ + ": " + names_of(meant, there));
        }
        return meant.front();
    }

    /// True for what counts GPUs, and is too short to be meant as the beginning of a UUID.
    [[nodiscard]] bool is_index() const {
        constexpr std::size_t kDigits = 3;
        return name_.size() <= kDigits &&
               std::ranges::all_of(name_, [](char c) { return c >= '0' && c <= '9'; });
    }

    /// "GPU-1c2d3e4f (a30 on jw2), …": beginnings that name each among all.
    [[nodiscard]] static std::string names_of(const Gpus& some, const Gpus& all) {
        constexpr std::size_t kNamed = 8;
        std::vector<std::string> uuids;
        for (const JsonValue* gpu : all) {
            uuids.push_back(text_at(*gpu, "uuid"));
        }
        const std::size_t length = telling_length(std::move(uuids));
        std::string names;
        for (std::size_t i = 0; i < std::min(some.size(), kNamed); ++i) {
            names += (i == 0 ? "" : ", ") + text_at(*some[i], "uuid").substr(0, length) + " (" +
                     text_at(*some[i], "model") + " on " + text_at(*some[i], "node") + ")";
        }
        return names + (some.size() > kNamed ? ", …; `reeve gpus` lists them all" : "");
    }

    std::string name_;
};

class FreeVerb final : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("-g,--gpu", model_, "Of this model only: a30");
        app.add_option("-m,--mem", memory_, "With so much GPU memory free: 20G");
        app.add_option("--for", duration_, "Only what stays free so long: 2h");
        app.add_option("-p,--project", project_, "As a job of this project finds it");
    }

    Result<int> run(Session& session) override {
        const auto path = path_of(session);
        auto client = path ? session.client() : tl::unexpected(path.error());
        const auto list = client ? (*client)->get(*path) : tl::unexpected(client.error());
        if (!list) {
            return tl::unexpected(list.error());
        }
        const auto shown = print_list(session.out(), *list, listing(), session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }

  private:
    [[nodiscard]] Result<std::string> path_of(const Session& session) const {
        std::string query;
        const auto add = [&query](std::string_view name, const std::string& value) {
            if (!value.empty()) {
                query += (query.empty() ? "?" : "&") + std::string(name) + "=" + escaped(value);
            }
        };
        const auto memory = memory_mib();
        const auto run = run_s();
        if (!memory || !run) {
            return tl::unexpected(memory ? run.error() : memory.error());
        }
        add("gpu", model_);
        add("memory_mib", *memory);
        add("for_s", *run);
        add("project", project_.empty() ? session.project() : project_);
        return "/api/v1/free" + query;
    }

    /// "" if it is not asked for, and likewise the next one.
    [[nodiscard]] Result<std::string> memory_mib() const {
        if (memory_.empty()) {
            return std::string();
        }
        const auto size = parse_size_mib(memory_);
        if (!size || *size < 1) {
            return fail(
                ErrorCode::kInvalid,
                "--mem: " + (size ? "expects 1M or more, as 20G" : size.error().message));
        }
        return std::to_string(*size);
    }

    [[nodiscard]] Result<std::string> run_s() const {
        if (duration_.empty()) {
            return std::string();
        }
        const auto duration = parse_duration(duration_);
        if (!duration || duration->count() < 1) {
            return fail(
                ErrorCode::kInvalid,
                "--for: " + (duration ? "expects 1s or more, as 2h" : duration.error().message));
        }
        return std::to_string(duration->count());
    }

    static Listing listing() {
        Listing listing;
        listing.kind = "free";
        const auto mib = [](const char* path) {
            return [path](const JsonValue& row, const Look&) {
                return format_mib(number_at(row, path));
            };
        };
        const auto milli = [](const char* path) {
            return [path](const JsonValue& row, const Look&) {
                return format_milli(number_at(row, path));
            };
        };
        listing.columns = {
            plain("NODE", "node"),
            Column{
                   .title = "MODEL",
                   .cell = [](const JsonValue& row,
                   const Look&) { return text_at(row, "model") + simulated_mark(row); },
                   .path = "model",
                   .narrow = {.cell = short_model}},
            plain("WHOLE GPUS", "whole_gpus"),
            Column{
                   .title = "OR A SHARE",
                   .cell = milli("largest_share_milli"),
                   .path = "largest_share_milli"},
            Column{
                   .title = "OF MEMORY",
                   .cell = mib("largest_share_mib"),
                   .path = "largest_share_mib"},
            Column{.title = "CPU", .cell = milli("cpu_millicores"), .path = "cpu_millicores"},
            Column{.title = "MEMORY", .cell = mib("memory_mib"), .path = "memory_mib"},
            Column{
                   .title = "UNTIL",
                   .cell =
                    [](const JsonValue& row, const Look& look) {
                        const std::string until = text_at(row, "until");
                        return until.empty() ? std::string("-") : time_in_words(until, look);
                    }, .path = "until"},
        };
        listing.name = [](const JsonValue& row) { return text_at(row, "node"); };
        listing.nothing =
            "Nothing of that is free now, or stays so. `reeve gpus` says who holds what, and "
            "`reeve "
            "reservation list` what is reserved.";
        return listing;
    }

    std::string model_;
    std::string memory_;
    std::string duration_;
    std::string project_;
};

class TopVerb final : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("-n,--interval", interval_, "Between two pictures (2s)");
    }

    Result<int> run(Session& session) override {
        const auto interval = parse_duration(interval_);
        if (!interval) {
            return fail(ErrorCode::kInvalid, "--interval: " + interval.error().message);
        }
        auto client = session.client();
        if (!client) {
            return tl::unexpected(client.error());
        }
        const bool is_live = session.look.is_terminal && is_for_people(session.look.format);
        while (true) {
            const auto shown = show(session, **client, is_live);
            if (!shown || !is_live) {
                return shown ? Result<int>(0) : tl::unexpected(shown.error());
            }
            session.pause(*interval);
            if (auto settled = session.settle(); !settled) {
                return tl::unexpected(std::move(settled.error()));
            }
        }
    }

  private:
    /// One picture.
    [[nodiscard]] static Result<void> show(Session& session, Client& client, bool is_live) {
        constexpr std::size_t kJobsMax = 10'000;
        const auto gpus = client.get("/api/v1/gpus");
        const auto jobs =
            gpus ? client.get_all("/api/v1/jobs?state=scheduled,running,stopping", kJobsMax)
                 : tl::unexpected(gpus.error());
        if (!jobs) {
            return tl::unexpected(jobs.error());
        }
        std::ostream& out = session.out();
        out << (is_live ? "\x1b[H\x1b[2J" : "");  // Home, and clear.
        auto shown = print_list(out, *gpus, gpu_listing(Matters::kUsed), session.look);
        if (shown && is_live) {
            out << "\n"
                << (*jobs)["items"].Size() << (text_at(*jobs, "next").empty() ? "" : " or more")
                << " jobs run. Ctrl-C ends this.\n"
                << std::flush;
        }
        return shown;
    }

    std::string interval_ = "2s";
};

}  // namespace

std::vector<VerbRow> cluster_verbs() {
    const char* nodes = "  reeve nodes\n  reeve nodes -o wide           also what was observed\n";
    const char* gpus = "  reeve gpus\n  reeve gpus -o csv             for a spreadsheet\n";
    return {
        {"nodes",     "The machines, and what of them is free",            "[flags]", nodes,                         make_verb<NodesVerb>},
        {"node list", "The same",                                          "[flags]", nodes,                         make_verb<NodesVerb>},
        {"node show", "All about one node",                                "NODE",    "  reeve node show jw2\n",
         make_verb<NodeShowVerb>                                                                                                         },
        {"gpus",      "The GPUs: what is reserved, what is used, by whom", "[flags]", gpus,
         make_verb<GpusVerb>                                                                                                             },
        {"gpu list",  "The same",                                          "[flags]", gpus,                          make_verb<GpusVerb> },
        {"gpu show",  "All about one GPU",                                 "GPU",     "  reeve gpu show GPU-1c2d\n",
         make_verb<GpuShowVerb>                                                                                                          },
        {"free",      "What could start this instant",                     "[flags]",
         "  reeve free\n  reeve free --gpu a30 --mem 20G\n  reeve free --for 2h            what a "
         "job of two hours could take\n",                                                                            make_verb<FreeVerb> },
        {"top",       "The GPUs, live; once where it is no terminal",      "[flags]", "  reeve top\n",
         make_verb<TopVerb>                                                                                                              },
    };
}

}  // namespace reeve::cli
