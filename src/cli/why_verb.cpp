// why: every reason why a job does not run now, and what would start it.
#include <chrono>
#include <optional>
#include <ostream>
#include <string>

#include "base/text.hpp"
#include "cli/job_watch.hpp"
#include "cli/verb.hpp"
#include "model/job_spec.hpp"

namespace reeve::cli {
namespace {

std::string holder_in_words(const JsonValue& holder) {
    const std::string job = text_at(holder, "job");
    const std::string user = text_at(holder, "user");
    const std::string project = text_at(holder, "project");
    std::string words = job.empty() ? "held by another user" : "held by job " + job;
    if (find(holder, "external") != nullptr) {
        const std::string process = text_at(holder, "process");
        words = "used outside the queue" + (process.empty() ? "" : " by " + process);
    }
    if (!user.empty() || !project.empty()) {
        words += " (" + user + (user.empty() || project.empty() ? "" : ", ") + project + ")";
    }
    return words;
}

/// Of several, how many more; and of those that no time limit ends how many, for they decide.
std::string others_of(const JsonValue& holders) {
    rapidjson::SizeType endless = 0;
    for (rapidjson::SizeType i = 1; i < holders.Size(); ++i) {
        const bool has_end = !text_at(holders[i], "until").empty();
        endless += !has_end && find(holders[i], "job") != nullptr ? 1U : 0U;
    }
    const rapidjson::SizeType more = holders.Size() - 1;
    std::string words = ", and " + std::to_string(more) + " more";
    if (endless > 0) {
        words += endless == more ? " without a time limit"
                                 : ", " + std::to_string(endless) + " of them without a time limit";
    }
    return words;
}

/// Who has what is missing, and until when.
std::string holding_of(const JsonValue& blocker, const Look& look) {
    const JsonValue* holder = find(blocker, "holder");
    std::string words = holder == nullptr ? "" : holder_in_words(*holder);
    const std::string until = text_at(blocker, "until");
    if (!until.empty()) {
        words += (words.empty() ? "ends " : ", ends ") + relative_time(until, look.now) +
                 " at the latest";
    }
    const JsonValue* holders = find(blocker, "holders");
    if (holders != nullptr && holders->IsArray() && holders->Size() > 1) {
        words += others_of(*holders);
    }
    return words;
}

std::vector<std::string> blocker_row(const JsonValue& blocker, bool is_binding, const Look& look) {
    const std::string kind = text_at(blocker, "kind");
    const std::string text = text_at(blocker, "text");
    const std::string node = text_at(blocker, "node");
    return {
        is_binding ? "BINDING" : "ALSO",
        painted(kind, is_binding ? Tone::kBad : Tone::kPlain, look), printable(node),
        printable(text.empty() ? reason_in_words(kind) : text),
        printable(holding_of(blocker, look))};
}

std::vector<std::string> change_row(const JsonValue& change, bool is_first) {
    const std::string flags = text_at(change, "flags");
    const std::string command = text_at(change, "command");
    std::string how = "with";
    std::string what = flags;
    if (flags.empty()) {
        how = command.empty() ? "if" : "after";
        what = command.empty() ? text_at(change, "text") : command;
    }
    return {is_first ? "  would start now" : "", is_first ? how : "or " + how, printable(what)};
}

/// What of the timeline since the attempt began is a stop of some kind. The first one begins the
/// grace, the last one says what for.
struct Stops {
    const JsonValue* first = nullptr;
    const JsonValue* last = nullptr;
};

Stops stops_in(const JsonValue& timeline, const JsonValue& job) {
    const std::string began = text_at(job, "started_at");
    const JsonValue* entries = find(timeline, "items");
    Stops stops;
    for (rapidjson::SizeType i = 0; entries != nullptr && i < entries->Size(); ++i) {
        const JsonValue& entry = (*entries)[i];
        const std::string kind = text_at(entry, "kind");
        const bool is_stop =
            kind.ends_with(".stop") || kind.ends_with(".requeue") || kind.ends_with(".preempt");
        if (is_stop && text_at(entry, "at") >= began) {
            stops.first = stops.first == nullptr ? &entry : stops.first;
            stops.last = &entry;
        }
    }
    return stops;
}

/// By whom a stop was asked for, and what for.
std::string asked_in_words(const JsonValue& stop, const Look& look) {
    const std::string kind = text_at(stop, "kind");
    const std::string actor = text_at(stop, "actor");
    std::string words;
    if (kind.ends_with(".requeue")) {
        words = ", to be queued again";
    } else if (kind.ends_with(".preempt")) {
        words = " for another job, to be queued again";
    }
    words += " (asked for";
    words += actor.empty() ? "" : " by " + printable(actor);
    return words + " " + relative_time(text_at(stop, "at"), look.now) + ")";
}

/// What is stopped since then, and has so long until it is killed.
std::string kill_in_words(Instant since, std::chrono::seconds grace, const Look& look) {
    if (since + grace <= look.now) {
        return "; it is being killed";
    }
    const auto left = std::chrono::ceil<std::chrono::seconds>(since + grace - look.now);
    return "; it is killed in " + format_duration(left) + " if it has not ended by then";
}

/// Who stops it, since when, and when it is killed if it does not end before.
Result<std::string> stop_in_words(
    Client& client, const Target& target, const JsonValue& job, const Look& look) {
    const std::string path = "/api/v1/jobs/" + std::to_string(target.job);
    const auto timeline = client.get(path + "/timeline");
    const auto whole = timeline ? client.get(path + "?include=spec") : Result<Json>(Json());
    if (!timeline || !whole) {
        return tl::unexpected(timeline ? whole.error() : timeline.error());
    }
    const model::Execution usual;
    const std::chrono::seconds grace(
        integer_at(*whole, "spec.stop.grace_s").value_or(usual.stop_grace_s));
    const std::chrono::seconds limit(integer_at(job, "time_limit_s").value_or(0));
    const auto started = parse_time(text_at(job, "started_at"));
    std::string words = "It is being stopped";
    std::optional<Instant> since;
    bool is_forced = false;
    const Stops stops = stops_in(*timeline, job);
    if (stops.last != nullptr) {
        since = parse_time(text_at(*stops.first, "at"));
        is_forced = text_at(*stops.last, "message") == "without grace";
        words += asked_in_words(*stops.last, look);
    } else if (started && limit.count() > 0 && *started + limit <= look.now) {
        since = *started + limit;
        words += ": its time limit of " + format_duration(limit) + " was reached";
    }
    if (since) {
        words += kill_in_words(*since, is_forced ? std::chrono::seconds(0) : grace, look);
    }
    return words + ".";
}

class WhyVerb final : public Verb {
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
            if (auto done = explain(session, **client, target); !done) {
                return tl::unexpected(std::move(done.error()));
            }
        }
        return 0;
    }

    [[nodiscard]] bool takes(Format format) const override {
        return format != Format::kCsv && format != Format::kName && Verb::takes(format);
    }

  private:
    [[nodiscard]] static Result<void> explain(
        Session& session, Client& client, const Target& target) {
        const std::string path = "/api/v1/jobs/" + std::to_string(target.job);
        const std::string query =
            target.element ? "?element=" + std::to_string(*target.element) : "";
        const auto why = client.get(path + "/why" + query);
        if (!why) {
            return tl::unexpected(why.error());
        }
        std::ostream& out = session.out();
        if (print_document(out, *why, "why", session.look.format)) {
            return {};
        }
        const auto job = get_target(client, target);
        if (!job) {
            return tl::unexpected(job.error());
        }
        const std::string state = text_at(*why, "state");
        out << to_string(target) << " " << printable(text_at(*job, "name")) << "  "
            << printable(text_at(*job, "user")) << "/" << printable(text_at(*job, "project"))
            << "  " << painted(state, tone_of_state(state), session.look) << " "
            << time_of_job(*job, session.look.now) << "  asks for "
            << resources_in_words(find(*job, "resources")) << "\n";
        if (state == "stopping") {
            const auto words = stop_in_words(client, target, *job, session.look);
            if (!words) {
                return tl::unexpected(words.error());
            }
            out << "  " << *words << "\n";
            return {};
        }
        print_blockers(out, *why, *job, session.look);
        print_history(out, *why, session.look);
        return {};
    }

    static void print_blockers(
        std::ostream& out, const JsonValue& why, const JsonValue& job, const Look& look) {
        const JsonValue* blockers = find(why, "blockers");
        if (blockers == nullptr || !blockers->IsArray() || blockers->Empty()) {
            const std::string end = end_in_words(job);
            const std::string node = text_at(job, "node");
            if (const std::string state = text_at(why, "state"); is_end_state(state)) {
                out << "  It has ended: " << printable(end.empty() ? state : end) << ".\n";
                return;
            }
            out << "  Nothing is in its way"
                << (node.empty() ? "" : ": it is on " + printable(node)) << ".\n";
            return;
        }
        if (const std::string position = text_at(why, "position"); !position.empty()) {
            out << "  position " << printable(position) << " in the queue\n";
        }
        print_reservation(out, find(why, "reservation"), look);
        const auto binding = integer_at(why, "binding_count").value_or(1);
        std::vector<std::vector<std::string>> rows;
        for (const JsonValue& blocker : blockers->GetArray()) {
            const bool is_binding = static_cast<std::int64_t>(rows.size()) < binding;
            rows.push_back(blocker_row(blocker, is_binding, look));
        }
        out << table_text(fits(rows, look) ? rows : narrowed_blockers(rows), look);
        print_changes(out, why, look);
    }

    /// Without the code of the kind, and with who holds it in the column of the text, which goes on
    /// in the next line.
    static std::vector<std::vector<std::string>> narrowed_blockers(
        const std::vector<std::vector<std::string>>& rows) {
        std::vector<std::vector<std::string>> narrow;
        narrow.reserve(rows.size());
        for (const auto& row : rows) {
            narrow.push_back({row[0], row[2], row[3] + (row[4].empty() ? "" : "; " + row[4])});
        }
        return narrow;
    }

    /// What would let it start now, a line for each.
    static void print_changes(std::ostream& out, const JsonValue& why, const Look& look) {
        const JsonValue* changes = find(why, "changes");
        if (changes == nullptr || !changes->IsArray()) {
            return;
        }
        std::vector<std::vector<std::string>> rows;
        bool is_new_job = false;
        for (const JsonValue& change : changes->GetArray()) {
            rows.push_back(change_row(change, rows.empty()));
            is_new_job = is_new_job || find(change, "set") != nullptr;
        }
        out << table_text(rows, look);
        if (is_new_job && find(why, "reservation") != nullptr) {
            out << "  (submit that, then stop this one, which gives up the room kept for it)\n";
        }
    }

    /// What it waited for until now, unless that is just what was said.
    static void print_history(std::ostream& out, const JsonValue& why, const Look& look) {
        const JsonValue* spans = find(why, "history");
        if (spans == nullptr || !spans->IsArray() || spans->Empty()) {
            return;
        }
        const bool waits = find(why, "position") != nullptr;
        if (waits && spans->Size() == 1) {
            return;
        }
        std::vector<std::vector<std::string>> rows;
        for (rapidjson::SizeType i = 0; i < spans->Size(); ++i) {
            const JsonValue& span = (*spans)[i];
            const bool is_last = i + 1 == spans->Size();
            const std::string since = text_at(span, "since");
            std::string end = text_at(is_last ? span : (*spans)[i + 1], is_last ? "seen" : "since");
            if (is_last && waits) {
                end.clear();
            }
            rows.push_back(
                {"  since " + relative_time(since, look.now),
                 "for " + time_between(since, end, look.now),
                 reason_in_words(text_at(span, "reason"))});
        }
        out << table_text(rows, look);
    }

    static void print_reservation(
        std::ostream& out, const JsonValue* reservation, const Look& look) {
        if (reservation == nullptr) {
            return;
        }
        out << "  room is kept for it on ";
        const char* separator = "";
        if (const JsonValue* nodes = find(*reservation, "nodes")) {
            for (const JsonValue& node : nodes->GetArray()) {
                out << separator << printable(node.GetString());
                separator = ", ";
            }
        }
        const JsonValue* assumed = find(*reservation, "assumed");
        out << ": it starts " << relative_time(text_at(*reservation, "starts_by"), look.now)
            << (assumed != nullptr && assumed->IsTrue()
                    ? ", if what has no time limit there ends by then"
                    : " at the latest")
            << "\n";
    }

    TargetFlags targets_;
};

}  // namespace

std::vector<VerbRow> why_verbs() {
    return {
        {"why", "Why a job does not run, and what would start it now", "[TARGET…]",
         "  reeve why 1842\n  reeve why @pending\n  reeve why last -o json\n", make_verb<WhyVerb>},
    };
}

}  // namespace reeve::cli
