// replay: a trace through the placement policies, on this machine alone.
#include <cmath>
#include <ostream>
#include <set>

#include "base/text.hpp"
#include "cli/verb.hpp"
#include "platform/files.hpp"
#include "platform/signals.hpp"
#include "simulate/inflation.hpp"

namespace reeve::cli {
namespace {

using scheduler::Policy;
using simulate::InflationOutcome;
using simulate::Knowledge;

constexpr std::size_t kFileBytesMax = std::size_t{1} << 30U;
constexpr std::int64_t kSeedsMax = 10'000;
constexpr int kInterrupted = 130;  // As a shell says of a program ended by SIGINT.

/// "42", "42,43", "42-51".
Result<std::vector<std::uint64_t>> parse_seeds(const std::string& text) {
    std::set<std::uint64_t> seeds;
    for (const std::string& part : split(text, ',')) {
        const std::size_t dash = part.find('-');
        const auto first = parse_integer(part.substr(0, dash));
        const auto last = dash == std::string::npos ? first : parse_integer(part.substr(dash + 1));
        if (!first || !last || *first < 0 || *last < *first || *last - *first >= kSeedsMax) {
            return fail(
                ErrorCode::kInvalid,
                "--seed: a number, numbers with commas between, or a range like 42-51 was "
                "expected, not '" +
                    part + "'");
        }
        for (std::int64_t seed = *first; seed <= *last; ++seed) {
            seeds.insert(static_cast<std::uint64_t>(seed));
        }
    }
    return std::vector<std::uint64_t>(seeds.begin(), seeds.end());
}

Result<std::vector<Policy>> parse_policies(const std::string& text) {
    std::vector<Policy> policies;
    for (const std::string& name : split(text, ',')) {
        const auto policy = scheduler::parse_policy(name);
        if (!policy) {
            return fail(ErrorCode::kInvalid, "--policy: " + policy.error().message);
        }
        policies.push_back(*policy);
    }
    return policies;
}

Result<std::optional<Knowledge>> parse_knowledge(const std::string& text) {
    if (text.empty()) {
        return std::nullopt;
    }
    if (text == "learnt" || text == "listed") {
        return text == "learnt" ? Knowledge::kLearnt : Knowledge::kListed;
    }
    return fail(ErrorCode::kInvalid, "--mix: learnt or listed was expected, not '" + text + "'");
}

/// FGD was published with the shares known; a live cluster learns them.
Knowledge usual_knowledge(Policy policy) {
    return policy == Policy::kFgd ? Knowledge::kListed : Knowledge::kLearnt;
}

double rounded(double value) {
    constexpr double kThousand = 1000;
    return std::round(value * kThousand) / kThousand;
}

/// One policy, and what came of each seed.
struct Series {
    Policy policy = Policy::kFillValue;
    Knowledge knowledge = Knowledge::kLearnt;
    std::vector<std::pair<std::uint64_t, InflationOutcome>> runs = {};

    [[nodiscard]] double mean_of(std::int64_t arrived_percent) const {
        double sum = 0;
        for (const auto& [seed, outcome] : runs) {
            sum += outcome.allocated_at(arrived_percent).value_or(0);
        }
        return sum / static_cast<double>(runs.size());
    }

    /// Standard deviation over the seeds; 0 for one.
    [[nodiscard]] double deviation_of(std::int64_t arrived_percent) const {
        const double mean = mean_of(arrived_percent);
        double sum = 0;
        for (const auto& [seed, outcome] : runs) {
            sum += std::pow(outcome.allocated_at(arrived_percent).value_or(0) - mean, 2);
        }
        return runs.size() < 2 ? 0 : std::sqrt(sum / static_cast<double>(runs.size() - 1));
    }
};

JsonValue to_json(std::uint64_t seed, const InflationOutcome& outcome, Json& json) {
    auto& memory = json.GetAllocator();
    JsonValue run(rapidjson::kObjectType);
    run.AddMember("seed", seed, memory);
    run.AddMember("placed", outcome.placed, memory);
    run.AddMember("refused", outcome.refused, memory);
    run.AddMember("gpu_milli", outcome.gpu_milli_used, memory);
    run.AddMember("cpu_millicores", outcome.cpu_milli_used, memory);
    JsonValue points(rapidjson::kArrayType);
    for (const simulate::InflationPoint& point : outcome.points) {
        JsonValue row(rapidjson::kObjectType);
        row.AddMember("arrived_percent", point.arrived_percent, memory);
        row.AddMember("allocated_percent", rounded(point.allocated_percent), memory);
        points.PushBack(row, memory);
    }
    run.AddMember("points", points, memory);
    return run;
}

JsonValue to_json(const Series& series, std::int64_t arrived_percent, Json& json) {
    constexpr std::int64_t kAllArrived = 100;
    auto& memory = json.GetAllocator();
    JsonValue row(rapidjson::kObjectType);
    const std::string_view name = scheduler::name_of(series.policy);
    row.AddMember(
        "policy", JsonValue(name.data(), static_cast<rapidjson::SizeType>(name.size()), memory),
        memory);
    row.AddMember(
        "mix", rapidjson::StringRef(series.knowledge == Knowledge::kLearnt ? "learnt" : "listed"),
        memory);
    row.AddMember("seeds", static_cast<std::uint64_t>(series.runs.size()), memory);
    row.AddMember("arrived_percent", arrived_percent, memory);
    row.AddMember("allocated_percent", rounded(series.mean_of(arrived_percent)), memory);
    row.AddMember(
        "allocated_percent_deviation", rounded(series.deviation_of(arrived_percent)), memory);
    if (arrived_percent > kAllArrived) {
        row.AddMember("allocated_percent_at_100", rounded(series.mean_of(kAllArrived)), memory);
    }
    JsonValue runs(rapidjson::kArrayType);
    for (const auto& [seed, outcome] : series.runs) {
        runs.PushBack(to_json(seed, outcome, json), memory);
    }
    row.AddMember("runs", runs, memory);
    return row;
}

Listing replay_listing() {
    Listing listing;
    listing.columns = {
        plain("POLICY", "policy"),
        plain("MIX", "mix"),
        plain("SEEDS", "seeds"),
        plain("ARRIVED %", "arrived_percent"),
        plain("ALLOCATED %", "allocated_percent"),
        plain("+-", "allocated_percent_deviation"),
        plain("AT 100 %", "allocated_percent_at_100"),
    };
    listing.name = [](const JsonValue& row) { return text_at(row, "policy"); };
    return listing;
}

class ReplayVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("--trace", trace_, "Pod list of openb (Alibaba 2023), CSV")->required();
        app.add_option("--cluster", cluster_, "Node list of the same, CSV")->required();
        app.add_option(
            "--policy", policies_, "fill-value (default), fgd, best-fit, tightest, spread, random");
        app.add_option("--seed", seeds_, "42 (default), 42,43 or 42-51");
        app.add_option("--arrived", arrived_percent_, "Demand of all tasks, in % of the GPUs (130)")
            ->check(CLI::Range(1, 1000));
        app.add_option("--mix", mix_, "Shares of the classes: learnt (default), listed (of fgd)");
    }

    Result<int> run(Session& session) override {
        const auto policies = parse_policies(policies_);
        const auto seeds = parse_seeds(seeds_);
        const auto knowledge = parse_knowledge(mix_);
        if (!policies || !seeds || !knowledge) {
            return tl::unexpected(
                !policies ? policies.error()
                : !seeds  ? seeds.error()
                          : knowledge.error());
        }
        if (const auto read = read_files(); !read) {
            return tl::unexpected(read.error());
        }
        auto signals = platform::SignalFd::open();
        if (!signals) {
            return tl::unexpected(std::move(signals.error()));
        }
        signals_ = &*signals;
        std::vector<Series> all;
        for (const Policy policy : *policies) {
            if (!is_stopped_) {
                all.push_back(
                    {.policy = policy, .knowledge = knowledge->value_or(usual_knowledge(policy))});
                run_series(session, all.back(), *seeds);
            }
        }
        print(session, all);
        return is_stopped_ ? kInterrupted : 0;
    }

  private:
    [[nodiscard]] Result<void> read_files() {
        const auto nodes = platform::read_file(cluster_, kFileBytesMax);
        if (!nodes) {
            return tl::unexpected(nodes.error());
        }
        auto cluster = simulate::parse_openb_nodes(cluster_, *nodes);
        if (!cluster) {
            return tl::unexpected(std::move(cluster.error()));
        }
        const auto pods = platform::read_file(trace_, kFileBytesMax);
        if (!pods) {
            return tl::unexpected(pods.error());
        }
        auto tasks = simulate::parse_openb_tasks(trace_, *pods, *cluster);
        if (!tasks) {
            return tl::unexpected(std::move(tasks.error()));
        }
        nodes_ = std::move(*cluster);
        tasks_ = std::move(*tasks);
        return {};
    }

    void run_series(Session& session, Series& series, const std::vector<std::uint64_t>& seeds) {
        constexpr std::size_t kPercent = 100;
        constexpr std::string_view kClear = "\r\x1b[K";
        const bool has_progress = session.environment().is_out_terminal && !session.flags.is_quiet;
        std::ostream& err = session.environment().err;
        for (const std::uint64_t seed : seeds) {
            const std::string title = std::string(scheduler::name_of(series.policy)) + ", seed " +
                                      std::to_string(seed) + ": ";
            InflationOutcome outcome = simulate::run_inflation(
                nodes_, tasks_,
                {.policy = series.policy,
                 .knowledge = series.knowledge,
                 .seed = seed,
                 .arrived_percent = arrived_percent_,
                 .progress = [&](std::size_t done, std::size_t count) {
                     if (has_progress) {
                         err << kClear << title << done * kPercent / count << " %" << std::flush;
                     }
                     is_stopped_ = is_stopped_ || signals_->next().has_value();
                     return !is_stopped_;
                 }});
            if (has_progress) {
                err << kClear << std::flush;
            }
            if (!outcome.is_complete) {
                return;
            }
            series.runs.emplace_back(seed, std::move(outcome));
        }
    }

    void print(Session& session, const std::vector<Series>& all) const {
        Json list(rapidjson::kObjectType);
        JsonValue items(rapidjson::kArrayType);
        for (const Series& series : all) {
            if (!series.runs.empty()) {
                items.PushBack(to_json(series, arrived_percent_, list), list.GetAllocator());
            }
        }
        list.AddMember("items", items, list.GetAllocator());
        list.AddMember("complete", !is_stopped_, list.GetAllocator());
        print_list(session.out(), list, replay_listing(), session.look);
        if (is_stopped_) {
            session.warn("stopped; runs that were complete are counted");
        }
    }

    std::string trace_;
    std::string cluster_;
    std::string policies_ = "fill-value";
    std::string seeds_ = "42";
    std::string mix_;
    std::int64_t arrived_percent_ = 130;

    simulate::Cluster nodes_;
    std::vector<simulate::TraceTask> tasks_;
    const platform::SignalFd* signals_ = nullptr;
    bool is_stopped_ = false;
};

}  // namespace

std::vector<VerbRow> replay_verbs() {
    return {
        {"replay", "How full a cluster gets with a placement policy, by a trace",
         "--trace FILE --cluster FILE [flags]", "  reeve replay --trace pods.csv --cluster nodes.csv\n"
         "  reeve replay --trace pods.csv --cluster nodes.csv --policy fill-value,fgd,best-fit "
         "--seed 42-51\n"
         "  reeve replay --trace pods.csv --cluster nodes.csv -o json\n", make_verb<ReplayVerb>},
    };
}

}  // namespace reeve::cli
