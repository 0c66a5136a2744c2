// when: when a job starts, as things are.
#include <ostream>

#include "base/text.hpp"
#include "cli/client.hpp"
#include "cli/job_watch.hpp"
#include "cli/targets.hpp"
#include "cli/verb.hpp"
#include "cli/words.hpp"

namespace reeve::cli {
namespace {

std::string tasks_in_words(std::int64_t count) {
    return std::to_string(count) + (count == 1 ? " task" : " tasks");
}

/// What is taken for granted, one line each.
void print_assumptions(std::ostream& out, const JsonValue& when) {
    out << "  if nobody submits or stops anything, and all that runs or starts before takes its "
           "whole "
           "time limit\n";
    const std::int64_t endless = integer_at(when, "without_limit").value_or(0);
    if (endless > 0) {
        const std::chrono::seconds assumed(integer_at(when, "assumed_run_s").value_or(0));
        out << "  of that, " << tasks_in_words(endless) << (endless == 1 ? " has" : " have")
            << " none and count" << (endless == 1 ? "s" : "") << " as " << format_duration(assumed)
            << " (scheduler.assumed_run)\n";
    }
}

/// "now", "in 2h (2026-11-30T14:05:00Z)".
std::string moment(const std::string& at, const Look& look) {
    const std::string in = relative_time(at, look.now);
    const bool is_now = in.empty() || !in.starts_with("in ");
    if (is_now) {
        return "now";
    }
    return in + " (" + (look.is_terminal ? shown_time(at, look) : at.substr(0, 19) + "Z") + ")";
}

/// The interval, what it rests on, and how good earlier ones were.
void print_forecast(std::ostream& out, const JsonValue& forecast, const Look& look) {
    const auto number = [&](const char* name) { return integer_at(forecast, name).value_or(0); };
    const std::string from = moment(text_at(forecast, "from"), look);
    const std::string until = moment(text_at(forecast, "until"), look);
    out << "starts " << (from == until ? from : "from " + from + " to " + until) << ", with "
        << number("confidence_percent") << " % confidence\n  from " << number("samples")
        << " samples of run times at revision " << number("revision") << ", "
        << format_duration(std::chrono::seconds(number("age_s"))) << " old";
    const std::int64_t past = number("past_forecasts");
    constexpr std::int64_t kHundred = 100;
    if (past > 0) {
        out << "; of " << past << " past forecasts " << kHundred * number("past_inside") / past
            << " % were inside";
    }
    out << "\n  by time limits alone it ";
}

void print_expected(std::ostream& out, const JsonValue& when, const Look& look) {
    const JsonValue* forecast = find(when, "forecast");
    if (forecast != nullptr) {
        print_forecast(out, *forecast, look);
    }
    out << "starts " << moment(text_at(when, "expected_at"), look);
    if (const JsonValue* nodes = find(when, "nodes"); nodes != nullptr && !nodes->Empty()) {
        const char* separator = " on ";
        for (const JsonValue& node : nodes->GetArray()) {
            out << separator << printable(node.GetString());
            separator = ", ";
        }
    }
    const std::int64_t before = integer_at(when, "starts_before").value_or(0);
    out << (before == 0 ? std::string() : ", after " + tasks_in_words(before) + " of others")
        << "\n";
    print_assumptions(out, when);
    if (forecast == nullptr) {
        out << "  that is by time limits alone: there are no samples of run times with it yet\n";
    }
}

class WhenVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override { targets_.add_to(app); }

    Result<int> run(Session& session) override {
        const auto list = targets_.parse();
        auto client = session.client();
        if (!list || !client) {
            return tl::unexpected(list ? client.error() : list.error());
        }
        const auto targets = look_up_or_last(**client, *list);
        if (!targets) {
            return tl::unexpected(targets.error());
        }
        if (targets->empty()) {
            session.note("No job matches.");
        }
        for (const Target& target : *targets) {
            if (target.element) {
                return fail(
                    ErrorCode::kInvalid,
                    "when is said of a whole job, of its first element to start; write: reeve "
                    "when " +
                        std::to_string(target.job));
            }
            const auto when =
                (**client).get("/api/v1/jobs/" + std::to_string(target.job) + "/when");
            if (!when) {
                return tl::unexpected(when.error());
            }
            if (!print_document(session.out(), *when, "when", session.look.format)) {
                print(session.out(), target, *when, session.look);
            }
        }
        return 0;
    }

  private:
    static void print(
        std::ostream& out, const Target& target, const JsonValue& when, const Look& look) {
        const std::string kind = text_at(when, "kind");
        const std::string id = to_string(target);
        out << id << "  ";
        if (kind == "expected") {
            print_expected(out, when, look);
        } else if (kind == "not_pending") {
            out << "does not wait: it is " << printable(text_at(when, "state")) << "\n";
        } else if (kind == "held") {
            out << "not before it is released: reeve release " << id << "\n";
        } else if (kind == "dependency") {
            const std::string other = text_at(when, "after");
            out << "not before job " << other << " has ended: reeve when " << other << "\n";
        } else if (kind == "too_far") {
            out << "cannot be said: too much is before it in the queue (2,000 jobs are looked "
                   "at)\n";
        } else {
            out << "never, as nodes and quotas are now: reeve why " << id << "\n";
        }
    }

    TargetFlags targets_;
};

}  // namespace

std::vector<VerbRow> when_verbs() {
    return {
        {"when", "When a job starts, as things are", "[TARGET…]",
         "  reeve when 1842\n  reeve when @pending\n  reeve when last -o json\n", make_verb<WhenVerb>},
    };
}

}  // namespace reeve::cli
