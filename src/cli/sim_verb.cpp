// sim: what would follow if something else were done first.
#include <chrono>
#include <cstdlib>
#include <ostream>

#include "base/text.hpp"
#include "cli/client.hpp"
#include "cli/sim_flags.hpp"
#include "cli/verb.hpp"
#include "cli/words.hpp"

namespace reeve::cli {
namespace {

std::string count_of(const JsonValue& answer, std::string_view path) {
    return std::to_string(integer_at(answer, path).value_or(0));
}

/// "now", "in 3h", "never", ….
std::string start_in_words(const JsonValue& foreseen, const Look& look) {
    const std::string kind = text_at(foreseen, "kind");
    if (kind != "expected") {
        return kind == "not_reached" ? "not reached" : kind;
    }
    const std::string in = relative_time(text_at(foreseen, "expected_at"), look.now);
    return in.starts_with("in ") ? in : "now";
}

std::string nodes_in_words(const JsonValue& foreseen) {
    std::string text;
    if (const JsonValue* nodes = find(foreseen, "nodes")) {
        for (const JsonValue& node : nodes->GetArray()) {
            text += (text.empty() ? "" : ",") + printable(node.GetString());
        }
    }
    return text;
}

std::string change_in_words(const JsonValue& job) {
    const auto later = integer_at(job, "later_by_s");
    if (!later) {
        const std::string before = text_at(job, "before.kind");
        const std::string after = text_at(job, "after.kind");
        return before == after                                     ? "-"
               : after == "expected"                               ? "starts"
               : after == "not_reached" || before == "not_reached" ? "?"
                                                                   : after;
    }
    if (*later == 0) {
        return "same";
    }
    const std::chrono::seconds by(std::abs(*later));
    return format_duration(by) + (*later < 0 ? " sooner" : " later");
}

std::string duration_at(const JsonValue& totals, std::string_view path) {
    return format_duration(std::chrono::seconds(integer_at(totals, path).value_or(0)));
}

/// "75.0 %"; "-" where there is nothing to say.
std::string percent_at(const JsonValue& totals, std::string_view path) {
    const auto permille = integer_at(totals, path);
    return permille ? std::to_string(*permille / 10) + "." + std::to_string(*permille % 10) + " %"
                    : "-";
}

void print_totals(std::ostream& out, const JsonValue& answer, const Look& look) {
    const JsonValue& before = *find(answer, "before");
    const JsonValue& after = *find(answer, "after");
    const std::string horizon = duration_at(answer, "horizon_s");
    std::vector<std::vector<std::string>> rows = {
        {"", "BEFORE", "AFTER"}
    };
    const auto add = [&](const std::string& title, auto cell) {
        rows.push_back({title, cell(before), cell(after)});
    };
    const auto counted = [](const char* path) {
        return [path](const JsonValue& totals) { return count_of(totals, path); };
    };
    const auto lasted = [](const char* path) {
        return [path](const JsonValue& totals) {
            return integer_at(totals, "started_in_horizon").value_or(0) > 0
                       ? duration_at(totals, path)
                       : std::string("-");
        };
    };
    add("jobs that wait", counted("jobs"));
    add("of these start within " + horizon, counted("started_in_horizon"));
    add("their mean wait", lasted("wait_mean_s"));
    add("their longest wait", lasted("wait_max_s"));
    add("never able to start", counted("never"));
    add("held", counted("held"));
    add("queue is empty", [&](const JsonValue& totals) {
        const std::string at = text_at(totals, "queue_empty_at");
        const std::string in = relative_time(at, look.now);
        return at.empty() ? "-" : in.starts_with("in ") ? in : std::string("now");
    });
    add("GPUs in use until then",
        [](const JsonValue& totals) { return percent_at(totals, "gpu_permille"); });
    out << table_text(rows, look);
    out << "\n"
        << count_of(answer, "sooner") << " start sooner, " << count_of(answer, "later")
        << " later, " << count_of(answer, "unchanged") << " as before";
    for (const char* more : {"cancelled", "unknown"}) {
        if (integer_at(answer, more).value_or(0) > 0) {
            out << ", " << count_of(answer, more) << " " << more;
        }
    }
    out << "\n";
}

void print_hypothetical(std::ostream& out, const JsonValue& answer, const Look& look) {
    const JsonValue* jobs = find(answer, "hypothetical");
    if (jobs == nullptr || jobs->Empty()) {
        return;
    }
    std::vector<std::vector<std::string>> rows = {
        {"NEW JOB", "STARTS", "NODE"}
    };
    for (const JsonValue& job : jobs->GetArray()) {
        const JsonValue& after = *find(job, "after");
        rows.push_back(
            {printable(text_at(job, "name")), start_in_words(after, look), nodes_in_words(after)});
    }
    out << "\n" << table_text(rows, look);
}

void print_jobs(std::ostream& out, const JsonValue& answer, const Look& look) {
    const JsonValue* jobs = find(answer, "jobs");
    if (jobs == nullptr || jobs->Empty()) {
        return;
    }
    std::vector<std::vector<std::string>> rows = {
        {"ID", "NAME", "USER", "BEFORE", "AFTER", "CHANGE", "NODE"}
    };
    for (const JsonValue& job : jobs->GetArray()) {
        const JsonValue& after = *find(job, "after");
        rows.push_back(
            {text_at(job, "id"), shortened(printable(text_at(job, "name")), 16),
             shortened(printable(text_at(job, "user")), 10),
             start_in_words(*find(job, "before"), look), start_in_words(after, look),
             change_in_words(job), nodes_in_words(after)});
    }
    out << "\n" << table_text(rows, look);
    const auto total = static_cast<std::uint64_t>(integer_at(answer, "jobs_total").value_or(0));
    if (total > jobs->Size()) {
        out << "… and " << total - jobs->Size() << " more; --all shows them\n";
    }
}

void print_assumptions(std::ostream& out, const JsonValue& answer) {
    for (const char* run : {"before", "after"}) {
        if (flag_at(answer, std::string(run) + ".is_cut_short")) {
            out << "cut short " << run << " the changes: after "
                << count_of(answer, std::string(run) + ".starts")
                << " starts the time for a simulation was over\n";
        }
    }
    if (flag_at(answer, "has_more_queued")) {
        out << "the queue is longer; its first 20,000 jobs were looked at\n";
    }
    out << "\nNothing was changed. As of revision " << text_at(answer, "as_of.revision")
        << ", if nothing else happens and all that runs\ntakes its whole time limit; what has none "
           "counts as "
        << duration_at(answer, "assumed_run_s") << " (scheduler.assumed_run).\n";
}

class SimVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override { flags_.add_to(app); }

    [[nodiscard]] bool takes_command() const override { return true; }

    [[nodiscard]] bool takes(Format format) const override {
        return format != Format::kCsv && format != Format::kName && Verb::takes(format);
    }

    void take_rest(
        const std::vector<std::string>& before, const std::vector<std::string>& after) override {
        before_ = before;
        command_ = after;
    }

    Result<int> run(Session& session) override {
        auto client = session.client();
        if (!client) {
            return tl::unexpected(std::move(client.error()));
        }
        const bool is_table = is_for_people(session.look.format);
        const auto body = flags_.body(
            **client, {.before = before_, .command = command_, .project = session.project()},
            is_table);
        if (!body) {
            return tl::unexpected(body.error());
        }
        const auto answer = (**client).post("/api/v1/simulations", *body);
        if (!answer) {
            return tl::unexpected(answer.error());
        }
        std::ostream& out = session.out();
        if (!print_document(out, *answer, "simulation", session.look.format)) {
            print_totals(out, *answer, session.look);
            print_hypothetical(out, *answer, session.look);
            print_jobs(out, *answer, session.look);
            print_assumptions(out, *answer);
        }
        return 0;
    }

  private:
    SimFlags flags_;
    std::vector<std::string> before_;
    std::vector<std::string> command_;
};

}  // namespace

std::vector<VerbRow> sim_verbs() {
    return {
        {"sim", "What would follow if something else were done first",
         "[changes] [run FLAGS [-- COMMAND]]", "  reeve sim run --gpus 2 -t 2h       when would this job start, and whom would it delay\n"
         "  reeve sim --count 8 run --gpus 1   the same of eight of them\n"
         "  reeve sim --drain jw3              what if that node took nothing new\n"
         "  reeve sim --add-nodes 2xjw3        two more nodes like it\n"
         "  reeve sim --add-nodes 2x8xH100:80G two nodes of eight such GPUs\n"
         "  reeve sim --quota vision:gpus=8 --backfill conservative\n"
         "  reeve sim --cancel 12 --priority 14=10 --time 15=2h\n"
         "  reeve sim --job '3x --gpus 4 -t 1d' --job job.yaml -o json\n", make_verb<SimVerb>},
    };
}

}  // namespace reeve::cli
