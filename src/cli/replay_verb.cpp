// replay: a trace through the scheduler, on this machine alone.
#include <algorithm>
#include <array>
#include <optional>

#include "cli/inflation_experiment.hpp"
#include "cli/progress_bar.hpp"
#include "cli/replay_flags.hpp"
#include "cli/replay_json.hpp"
#include "cli/verb.hpp"
#include "platform/files.hpp"
#include "platform/signals.hpp"
#include "simulate/project_rules.hpp"
#include "simulate/replay.hpp"
#include "simulate/report.hpp"
#include "simulate/scaling.hpp"
#include "simulate/shares.hpp"
#include "simulate/trace_format.hpp"

namespace reeve::cli {
namespace {

constexpr mode_t kReportMode = 0644;

/// "a, b, c" of a table whose rows have names.
template <class Rows>
std::string names_of(const Rows& rows) {
    std::string names;
    for (const auto& row : rows) {
        names += (names.empty() ? "" : ", ") + std::string(row.name);
    }
    return names;
}

/// Errors: kInvalid: the folder that `file` is to be written to is not there.
Result<void> check_folder(const std::string& flag, const std::string& file) {
    const std::size_t slash = file.rfind('/');
    const std::string folder =
        slash == std::string::npos ? "." : file.substr(0, std::max<std::size_t>(slash, 1));
    if (platform::path_exists(folder)) {
        return {};
    }
    return fail(ErrorCode::kInvalid, flag + ": there is no folder " + folder);
}

class ReplayVerb final : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("--trace", trace_, "File with the jobs")->required();
        app.add_option("--cluster", cluster_, "Node list (CSV), or in short: 750x8xA100, 1x256cpu")
            ->required();
        app.add_option(
            "--format", format_,
            "Of the trace: " + names_of(simulate::trace_formats()) + " (else by its first line)");
        app.add_option(
            "--policy", policies_, names_of(scheduler::kPolicies) + "; several with commas");
        app.add_option(
            "--backfill", backfills_,
            names_of(scheduler::kBackfills) + " (easy); several with commas");
        app.add_option(
            "--seed", seeds_, "Of the random policy and --shuffle (42); inflation: 42,43 or 42-51");
        app.add_option(
               "--speed-up", speed_up_, "Jobs come N times as fast, and run as long as ever")
            ->check(CLI::Range(1, 1'000'000));
        app.add_option("--scale-nodes", scale_nodes_, "1/N: every Nth node of the cluster alone");
        app.add_flag("--shuffle", is_shuffled_, "Which job comes when is made up, by --seed");
        app.add_option("--html", html_, "Write a report with pictures to this file");
        app.add_option("--csv", csv_, "Write a row for each job to this file");
        app.add_option(
            "--shares-csv", shares_csv_, "Write who held how many GPUs, over time, to this file");
        add_sharing_options(app);
        app.add_flag("--jobs", has_jobs_, "Each job in the JSON, too");
        app.add_option(
            "--experiment", experiment_, "replay, or inflation (of pod lists without times)");
        app.add_option(
               "--arrived", arrived_percent_, "Inflation: all demand, in % of the GPUs (130)")
            ->check(CLI::Range(1, 1000));
        app.add_option("--mix", mix_, "Inflation: classes are learnt (default) or listed (of fgd)");
    }

    Result<int> run(Session& session) override {
        if (const auto read = read_input(); !read) {
            return tl::unexpected(read.error());
        }
        const auto is_inflation = choose_inflation();
        if (!is_inflation) {
            return tl::unexpected(is_inflation.error());
        }
        if (*is_inflation) {
            constexpr std::int64_t kUsualPercent = 130;
            return run_inflation_experiment(
                session, input_,
                {.arrived_percent = arrived_percent_.value_or(kUsualPercent), .mix = mix_});
        }
        if (const auto checked = check_replay(); !checked) {
            return tl::unexpected(checked.error());
        }
        const auto workload = read_workload();
        if (!workload) {
            return tl::unexpected(workload.error());
        }
        return replay(session, *workload);
    }

  private:
    void add_sharing_options(CLI::App& app) {
        app.add_option(
            "--fair-share", sharing_.fair_share, "Half-life of what users have used: 7d (off)");
        app.add_option(
            "--ageing", sharing_.ageing, "So much waiting is worth a priority higher by one (off)");
        app.add_option(
            "--projects", projects_,
            "CSV of projects: project, parent, share, guaranteed_gpus, gpus, preemptible");
        app.add_option(
            "--preemption", sharing_.preemption,
            "For whom preemptible jobs are stopped: " + names_of(scheduler::kPreemptionModes) +
                " (project)");
        app.add_option(
            "--min-run", sharing_.min_run, "What was stopped and starts again is left alone (10m)");
        app.add_option("--grace", sharing_.grace, "What is stopped is gone so much later (1m)");
        app.add_flag("--preemptible", is_preemptible_, "All jobs are");
    }

    Result<void> read_input() {
        auto policies = parse_policies(policies_);
        auto seeds = parse_seeds(seeds_);
        if (!policies || !seeds) {
            return tl::unexpected(!policies ? policies.error() : seeds.error());
        }
        auto cluster = read_cluster(cluster_);
        if (!cluster) {
            return tl::unexpected(std::move(cluster.error()));
        }
        if (!scale_nodes_.empty()) {
            const auto nth = parse_node_scale(scale_nodes_);
            if (!nth) {
                return tl::unexpected(nth.error());
            }
            cluster = simulate::every_nth_node(*cluster, *nth);
        }
        auto text = read_trace_text(trace_);
        if (!text) {
            return tl::unexpected(std::move(text.error()));
        }
        input_ = {
            .trace_file = trace_,
            .trace_text = std::move(*text),
            .cluster_name = cluster_,
            .cluster = std::move(*cluster),
            .policies = std::move(*policies),
            .seeds = std::move(*seeds)};
        return {};
    }

    /// As --experiment says; else by what else was said; else by whether the trace has times.
    [[nodiscard]] Result<bool> choose_inflation() const {
        const bool has_its_flags = arrived_percent_.has_value() || !mix_.empty();
        if (!experiment_.empty() && experiment_ != "replay" && experiment_ != "inflation") {
            return fail(
                ErrorCode::kInvalid,
                "--experiment: replay or inflation was expected, not '" + experiment_ + "'");
        }
        if (experiment_ == "replay" && has_its_flags) {
            return fail(
                ErrorCode::kInvalid, "--arrived and --mix are of the inflation experiment only");
        }
        const bool is_inflation =
            experiment_ == "inflation" ||
            (experiment_.empty() &&
             (has_its_flags ||
              (format_.empty() && simulate::is_openb_without_times(input_.trace_text))));
        if (is_inflation) {
            if (const auto checked = check_inflation(); !checked) {
                return tl::unexpected(checked.error());
            }
        }
        return is_inflation;
    }

    [[nodiscard]] Result<void> check_inflation() const {
        const std::string of_replays =
            html_ + csv_ + shares_csv_ + backfills_ + projects_ + sharing_.all();
        if (is_preemptible_ || !of_replays.empty()) {
            return fail(
                ErrorCode::kInvalid,
                "--html, --csv, --shares-csv, --backfill, --projects, --preemptible, --fair-share, "
                "--ageing, --preemption, --min-run and --grace are of replays; the inflation "
                "experiment, which this is (--arrived, --mix, --experiment inflation, or a pod "
                "list without times), has no use for them");
        }
        if (is_shuffled_ || speed_up_ > 1) {
            return fail(
                ErrorCode::kInvalid,
                "--shuffle and --speed-up are of replays; the inflation experiment shuffles "
                "anyway, and has no times");
        }
        if (!format_.empty() && format_ != "openb") {
            return fail(
                ErrorCode::kInvalid, "--format: the inflation experiment reads pod lists of openb");
        }
        return {};
    }

    Result<void> check_replay() {
        auto backfills = parse_backfills(backfills_.empty() ? "easy" : backfills_);
        if (!backfills) {
            return tl::unexpected(backfills.error());
        }
        parsed_backfills_ = std::move(*backfills);
        auto options = with_sharing({}, sharing_);
        if (!options) {
            return tl::unexpected(options.error());
        }
        options_ = *options;
        if (input_.seeds.size() > 1) {
            return fail(
                ErrorCode::kInvalid,
                "--seed: a replay takes one; only the inflation experiment compares several");
        }
        for (const auto& [flag, file] : {
                 std::pair<std::string, std::string>("--html", html_),
                 {"--csv",        csv_       },
                 {"--shares-csv", shares_csv_}
        }) {
            if (file.empty()) {
                continue;
            }
            const std::array others = {trace_, cluster_, projects_, html_, csv_, shares_csv_};
            if (std::ranges::count(others, file) > 1) {
                std::string what = flag;
                what.append(": ").append(file).append(" is named twice");
                return fail(ErrorCode::kInvalid, std::move(what));
            }
            if (const auto there = check_folder(flag, file); !there) {
                return there;
            }
        }
        return {};
    }

    Result<simulate::Workload> read_workload() {
        const auto format = format_.empty()
                                ? simulate::detect_trace_format(trace_, input_.trace_text)
                                : simulate::find_trace_format(format_);
        if (!format) {
            return fail(ErrorCode::kInvalid, "--format: " + format.error().message);
        }
        format_ = (*format)->name;
        auto workload = (*format)->parse(trace_, input_.trace_text, input_.cluster);
        if (workload) {
            if (const auto read = read_projects(*workload); !read) {
                return tl::unexpected(read.error());
            }
        }
        if (workload && is_shuffled_) {
            simulate::shuffle_jobs(*workload, input_.seeds.front());
            workload->notes.push_back(
                "jobs come at the times of others, by seed " +
                std::to_string(input_.seeds.front()));
        }
        if (workload && speed_up_ > 1) {
            simulate::speed_up(*workload, speed_up_);
            workload->notes.push_back(
                "jobs come " + std::to_string(speed_up_) + " times as fast as in the trace");
        }
        return workload;
    }

    [[nodiscard]] Result<void> read_projects(simulate::Workload& workload) const {
        for (simulate::TraceJob& job : workload.jobs) {
            job.is_preemptible = job.is_preemptible || is_preemptible_;
        }
        if (projects_.empty()) {
            return {};
        }
        constexpr std::size_t kBytesMax = std::size_t{1} << 24U;
        const auto text = platform::read_file(projects_, kBytesMax);
        if (!text) {
            return fail(text.error().code, "--projects: " + text.error().message);
        }
        return simulate::read_project_rules(projects_, *text, workload);
    }

    Result<int> replay(const Session& session, const simulate::Workload& workload) {
        const Listing listing = replay_listing(input_.cluster.gpus > 0);
        if (auto checked = check_columns(listing, session.look); !checked) {
            return tl::unexpected(std::move(checked.error()));
        }
        const auto signals = platform::SignalFd::open();
        if (!signals) {
            return tl::unexpected(signals.error());
        }
        simulate::Report report{
            .trace = trace_,
            .format = format_,
            .cluster = cluster_ + (scale_nodes_.empty() ? "" : ", " + scale_nodes_ + " of it"),
            .machines = input_.cluster,
            .workload = workload};
        for (const std::string& note : workload.notes) {
            session.note(trace_ + ": " + note);
        }
        for (const scheduler::Policy policy : input_.policies) {
            for (const scheduler::Backfill backfill : parsed_backfills_) {
                if (report.is_complete) {
                    simulate::ReplayOptions options = options_;
                    options.policy = policy;
                    options.backfill = backfill;
                    add_run(session, report, std::move(options), *signals);
                }
            }
        }
        auto shown = print_list(session.out(), to_json(report, has_jobs_), listing, session.look);
        if (!shown) {
            return tl::unexpected(std::move(shown.error()));
        }
        if (const auto written = write_files(session, report); !written) {
            return tl::unexpected(written.error());
        }
        if (!report.is_complete) {
            session.warn("stopped; what was played until then is reported, and marked as partial");
        }
        return report.is_complete ? 0 : kInterrupted;
    }

    void add_run(
        const Session& session,
        simulate::Report& report,
        simulate::ReplayOptions options,
        const platform::SignalFd& signals) const {
        ProgressBar bar(
            session, std::string(scheduler::name_of(options.policy)) + ", " +
                         std::string(scheduler::name_of(options.backfill)));
        options.seed = input_.seeds.front();
        options.progress = [&](std::size_t done, std::size_t all) {
            bar.show(done, all);
            return !signals.next().has_value();
        };
        bar.show(0, 1);
        simulate::ReplayOutcome outcome =
            simulate::run_replay(report.machines, report.workload, options);
        report.is_complete = outcome.is_complete;
        simulate::ReplaySummary summary =
            simulate::summarize(report.machines, report.workload, outcome);
        report.runs.push_back(
            {.policy = options.policy,
             .backfill = options.backfill,
             .seed = options.seed,
             .outcome = std::move(outcome),
             .summary = summary});
    }

    [[nodiscard]] Result<void> write_files(
        const Session& session, const simulate::Report& report) const {
        using Make = std::string (*)(const simulate::Report&);
        for (const auto& [file, make] : {
                 std::pair<std::string, Make>(html_, simulate::report_html),
                 {csv_,        simulate::jobs_csv  },
                 {shares_csv_, simulate::shares_csv}
        }) {
            if (file.empty()) {
                continue;
            }
            if (auto written = platform::write_file_atomic(file, make(report), kReportMode);
                !written) {
                return written;
            }
            session.note("wrote " + file);
        }
        return {};
    }

    std::string trace_;
    std::string cluster_;
    std::string format_;
    std::string policies_ = "fill-value";
    std::string backfills_;
    std::string seeds_ = "42";
    std::string html_;
    std::string csv_;
    std::string shares_csv_;
    std::string projects_;
    SharingFlags sharing_;
    bool is_preemptible_ = false;
    bool has_jobs_ = false;
    std::string experiment_;
    std::optional<std::int64_t> arrived_percent_;
    std::string mix_;
    std::int64_t speed_up_ = 1;
    std::string scale_nodes_;
    bool is_shuffled_ = false;

    ReplayInput input_;
    std::vector<scheduler::Backfill> parsed_backfills_;
    simulate::ReplayOptions options_;  // Of all runs; without policy and backfill.
};

}  // namespace

std::vector<VerbRow> replay_verbs() {
    return {
        {"replay", "What the scheduler would have made of a trace, on any cluster",
         "--trace FILE --cluster FILE|SPEC [flags]", "  reeve replay --trace jobs.csv --cluster 4x8xA100\n"
         "  reeve replay --trace philly.csv --cluster 550x4xP100 --policy fill-value,best-fit "
         "--html report.html\n"
         "  reeve replay --trace lublin_256.swf --cluster 1x256cpu --backfill "
         "none,easy,conservative\n"
         "  reeve replay --trace pods.csv --cluster nodes.csv --csv jobs-out.csv -o json\n"
         "  reeve replay --trace jobs.csv --cluster 4x8xA100 --fair-share 7d --projects "
         "projects.csv --preemption any\n"
         "  reeve replay --trace pods.csv --cluster nodes.csv --experiment inflation --seed "
         "42-51\n", make_verb<ReplayVerb>},
    };
}

}  // namespace reeve::cli
