#include "cli/inflation_experiment.hpp"

#include <cmath>
#include <optional>
#include <ostream>
#include <utility>

#include "cli/progress_bar.hpp"
#include "platform/signals.hpp"
#include "simulate/inflation.hpp"

namespace reeve::cli {
namespace {

using scheduler::Policy;
using simulate::InflationOutcome;
using simulate::Knowledge;

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

Listing inflation_listing() {
    Listing listing;
    listing.kind = "replay-inflation";
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

/// The runs of one call.
class Experiment {
  public:
    Experiment(
        Session& session,
        const ReplayInput& input,
        std::int64_t arrived_percent,
        const platform::SignalFd& signals)
        : session_(session), input_(input), arrived_percent_(arrived_percent), signals_(signals) {}

    Result<int> run(
        const std::vector<simulate::TraceTask>& tasks, const std::optional<Knowledge>& knowledge) {
        std::vector<Series> all;
        for (const Policy policy : input_.policies) {
            if (!is_stopped_) {
                all.push_back(
                    {.policy = policy, .knowledge = knowledge.value_or(usual_knowledge(policy))});
                run_series(all.back(), tasks);
            }
        }
        auto shown = print(all);
        return shown ? Result<int>(is_stopped_ ? kInterrupted : 0)
                     : tl::unexpected(std::move(shown.error()));
    }

  private:
    void run_series(Series& series, const std::vector<simulate::TraceTask>& tasks) {
        for (const std::uint64_t seed : input_.seeds) {
            ProgressBar bar(
                session_,
                std::string(scheduler::name_of(series.policy)) + ", seed " + std::to_string(seed));
            InflationOutcome outcome = simulate::run_inflation(
                input_.cluster, tasks,
                {.policy = series.policy,
                 .knowledge = series.knowledge,
                 .seed = seed,
                 .arrived_percent = arrived_percent_,
                 .progress = [&](std::size_t done, std::size_t count) {
                     bar.show(done, count);
                     is_stopped_ = is_stopped_ || signals_.next().has_value();
                     return !is_stopped_;
                 }});
            if (!outcome.is_complete) {
                return;
            }
            series.runs.emplace_back(seed, std::move(outcome));
        }
    }

    [[nodiscard]] Result<void> print(const std::vector<Series>& all) const {
        Json list(rapidjson::kObjectType);
        JsonValue items(rapidjson::kArrayType);
        for (const Series& series : all) {
            if (!series.runs.empty()) {
                items.PushBack(to_json(series, arrived_percent_, list), list.GetAllocator());
            }
        }
        list.AddMember("items", items, list.GetAllocator());
        list.AddMember("complete", !is_stopped_, list.GetAllocator());
        auto shown = print_list(session_.out(), list, inflation_listing(), session_.look);
        if (is_stopped_) {
            session_.warn("stopped; runs that were complete are counted");
        }
        return shown;
    }

    Session& session_;
    const ReplayInput& input_;
    std::int64_t arrived_percent_;
    const platform::SignalFd& signals_;
    bool is_stopped_ = false;
};

}  // namespace

Result<int> run_inflation_experiment(
    Session& session, const ReplayInput& input, const InflationFlags& flags) {
    const auto knowledge = parse_knowledge(flags.mix);
    if (!knowledge) {
        return tl::unexpected(knowledge.error());
    }
    if (input.cluster.gpus == 0) {
        return fail(
            ErrorCode::kInvalid,
            "--cluster: the inflation experiment fills GPUs, and no node has one");
    }
    const auto tasks =
        simulate::parse_openb_tasks(input.trace_file, input.trace_text, input.cluster);
    if (!tasks) {
        return tl::unexpected(tasks.error());
    }
    if (auto checked = check_columns(inflation_listing(), session.look); !checked) {
        return tl::unexpected(std::move(checked.error()));
    }
    const auto signals = platform::SignalFd::open();
    if (!signals) {
        return tl::unexpected(signals.error());
    }
    return Experiment(session, input, flags.arrived_percent, *signals).run(*tasks, *knowledge);
}

}  // namespace reeve::cli
