// q, show: what waits and runs.
#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/job_watch.hpp"
#include "cli/row_changes.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kRowsShown = 1000;
constexpr std::string_view kKind = "job";

Tone tone_of_row(const JsonValue& row) {
    return tone_of_state(text_at(row, "state"));
}

std::string time_cell(const JsonValue& job, const Look& look) {
    return time_of_job(job, look.now);
}

std::string where_or_why(const JsonValue& job, const Look& /*look*/) {
    const std::string state = text_at(job, "state");
    if (is_end_state(state)) {
        return end_in_words(job);
    }
    const std::string reason = text_at(job, "reason");
    if (!reason.empty()) {
        return reason_in_words(reason);
    }
    const std::string node = text_at(job, "node");
    return node.empty() ? "" : "on " + node;
}

/// "120", "120_2" of an element.
std::string id_in_words(const JsonValue& job) {
    const std::string index = text_at(job, "index");
    return text_at(job, "id") + (index.empty() ? "" : "_" + index);
}

/// "8/100 done" of an array.
std::string elements_cell(const JsonValue& job, const Look& /*look*/) {
    if (find(job, "index") != nullptr) {
        return "";  // One element: how many of the others are done is not said of it.
    }
    std::int64_t done = 0;
    for (const char* state : {"succeeded", "failed", "cancelled", "timed_out"}) {
        done += integer_at(job, "elements." + std::string(state)).value_or(0);
    }
    return std::to_string(done) + "/" +
           std::to_string(integer_at(job, "elements.total").value_or(1));
}

Listing job_listing() {
    Listing listing;
    listing.kind = kKind;
    const auto asks = [](const JsonValue& job, const Look&) {
        return resources_in_words(find(job, "resources"));
    };
    const auto asks_gpus = [](const JsonValue& job, const Look&) {
        return gpus_in_words(find(job, "resources"));
    };
    const auto short_name = [](const JsonValue& job, const Look&) {
        constexpr std::size_t kNameWidth = 16;
        return shortened(text_at(job, "name"), kNameWidth);
    };
    const auto since = [](const JsonValue& job, const Look& look) {
        return time_in_words(text_at(job, "submitted_at"), look);
    };
    listing.columns = {
        Column{
               .title = "ID",
               .cell = [](const JsonValue& job, const Look&) { return id_in_words(job); },
               .path = "id"},
        narrowed(plain("NAME", "name"), {.cell = short_name}
        ),
        narrowed(plain("USER", "user"), {.leaves = 4}
        ),
        wide(plain("PROJECT", "project")),
        Column{
               .title = "STATE",
               .cell = [](const JsonValue& job, const Look&) { return text_at(job, "state"); },
               .tone = tone_of_row,
               .path = "state"},
        narrowed(plain("POS", "position"), {.leaves = 3}
        ),
        Column{.title = "TIME", .cell = time_cell, .narrow = {.leaves = 2}},
        wide(Column{.title = "SUBMITTED", .cell = since, .path = "submitted_at"}
        ),
        wide(plain("PRIORITY", "priority")),
        Column{.title = "DONE", .cell = elements_cell, .narrow = {.leaves = 1}},
        Column{.title = "ASKS FOR", .cell = asks, .narrow = {.cell = asks_gpus}},
        wide(plain("NODE", "node")),
        Column{.title = "WHERE, OR WHY NOT", .cell = where_or_why},
    };
    listing.name = id_in_words;
    listing.nothing = "No such job. `reeve run` submits one; `reeve q --all` shows ended ones too.";
    return listing;
}

class QueueVerb final : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        targets_.add_to(app);
        app.add_flag("-a,--all", shows_all_, "Ended jobs, too");
        app.add_option("--state", states_, "held, queued, running, … pending, done; by commas");
        app.add_option("-u,--user", selector_.user, "Of this user");
        app.add_option("-p,--project", selector_.project, "Of this project");
        app.add_flag(
            "-A,--all-projects", is_of_all_, "Of all projects, whatever REEVE_PROJECT says");
        app.add_option("-n,--name", selector_.name, "With this name");
        app.add_option("--limit", limit_, "Rows at most")->check(CLI::Range(1, 1'000'000));
        app.add_flag(
            "-w{2s},--watch{2s}", watch_,
            "Again every 2s, or --watch=10s; JSON lines of what changes where it is no terminal");
    }

    Result<int> run(Session& session) override {
        const auto list = targets_.parse();
        auto client = session.client();
        if (!list || !client) {
            return tl::unexpected(list ? client.error() : list.error());
        }
        if (is_of_all_ && !selector_.project.empty()) {
            return fail(
                ErrorCode::kInvalid,
                "-A means all projects, and -p one of them; give one of the two");
        }
        return watch_.empty() ? show_once(session, **client, *list)
                              : watch(session, **client, *list);
    }

  private:
    [[nodiscard]] Result<Json> ask(
        const Session& session, Client& client, const TargetList& list) const {
        return list.has_named() ? fetch(client, list) : select(session, client, list);
    }

    [[nodiscard]] Result<int> show_once(
        Session& session, Client& client, const TargetList& list) const {
        const auto jobs = ask(session, client, list);
        if (!jobs) {
            return tl::unexpected(jobs.error());
        }
        auto shown = print_list(session.out(), *jobs, job_listing(), session.look);
        if (!shown) {
            return tl::unexpected(std::move(shown.error()));
        }
        if (!text_at(*jobs, "next").empty()) {
            session.note("There are more; --limit shows them.");
        }
        if ((*jobs)["items"].Empty() && !selector_.user.empty()) {
            session.note(
                "No job of user '" + printable(selector_.user) + "' was found" +
                (shows_all_ || !states_.empty() ? "." : "; --all looks at ended ones, too."));
        }
        return 0;
    }

    /// Until somebody ends it, or nobody reads it any more.
    [[nodiscard]] Result<int> watch(
        Session& session, Client& client, const TargetList& list) const {
        const auto interval = parse_duration(watch_);
        if (!interval || interval->count() < 1) {
            return fail(
                ErrorCode::kInvalid, "--watch: '" + watch_ + "' is not a duration of 1s or more");
        }
        const Format format = session.look.format;
        const bool is_table = is_for_people(format);
        if (!is_table && format != Format::kJsonl) {
            return fail(
                ErrorCode::kInvalid,
                "--watch draws a table on a terminal, and else writes JSON lines; leave -o out, or "
                "say -o jsonl");
        }
        const bool is_drawn = session.look.is_terminal && is_table;
        RowChanges changes(schema_of(kKind));
        while (session.out()) {
            const auto jobs = ask(session, client, list);
            if (!jobs) {
                return tl::unexpected(jobs.error());
            }
            if (auto told = is_drawn ? draw(session, *jobs) : tell(session, client, *jobs, changes);
                !told) {
                return tl::unexpected(std::move(told.error()));
            }
            session.pause(*interval);
            if (auto settled = session.settle(); !settled) {
                return tl::unexpected(std::move(settled.error()));
            }
        }
        return 0;
    }

    [[nodiscard]] Result<void> draw(Session& session, const Json& jobs) const {
        session.out() << "\x1b[H\x1b[2J";  // Home, and clear.
        auto shown = print_list(session.out(), jobs, job_listing(), session.look);
        session.out() << (text_at(jobs, "next").empty() ? ""
                                                        : "There are more; --limit shows them.\n")
                      << "Every " << watch_ << ". Ctrl-C ends this.\n"
                      << std::flush;
        return shown;
    }

    /// What changed, as JSON lines. Of jobs that left the list, how they ended.
    [[nodiscard]] static Result<void> tell(
        Session& session, Client& client, const Json& jobs, RowChanges& changes) {
        for (const std::string& line : changes.take(jobs)) {
            session.out() << line << "\n";
        }
        for (const std::string& id : changes.gone()) {
            const auto job = client.get("/api/v1/jobs/" + id);
            if (job) {
                session.out() << to_compact(*job, schema_of(kKind)) << "\n";
            } else if (job.error().code != ErrorCode::kNotFound) {
                return tl::unexpected(job.error());
            }
        }
        session.out() << std::flush;
        return {};
    }

    /// What the targets and the flags say of the jobs that are meant.
    [[nodiscard]] Selector filters_of(const TargetList& list) const {
        Selector selector = list.selector.value_or(Selector{});
        selector.user = selector_.user;
        selector.project = selector_.project;
        selector.name = selector_.name;
        if (!states_.empty()) {
            selector.states = split(states_, ',');
        }
        return selector;
    }

    [[nodiscard]] Result<Json> select(
        const Session& session, Client& client, const TargetList& list) const {
        Selector selector = filters_of(list);
        if (selector.project.empty() && !is_of_all_) {
            selector.project = session.project();
        }
        if (selector.states.empty() && !shows_all_) {
            selector.states = live_states();
        }
        auto jobs = client.get_all(jobs_path(selector), limit_);
        const bool is_empty = jobs && find(*jobs, "items") != nullptr && (*jobs)["items"].Empty();
        if (!is_empty || selector.project.empty()) {
            return jobs;
        }
        auto found = expect_project(client, selector.project);
        return found ? std::move(jobs) : tl::unexpected(std::move(found.error()));
    }

    /// Errors: kNotFound, with the projects that there are.
    [[nodiscard]] static Result<void> expect_project(Client& client, const std::string& name) {
        const auto projects = client.get("/api/v1/projects");
        if (!projects) {
            return tl::unexpected(projects.error());
        }
        std::vector<std::string> names;
        const JsonValue* items = find(*projects, "items");
        for (rapidjson::SizeType i = 0; items != nullptr && i < items->Size(); ++i) {
            names.push_back(text_at((*items)[i], "name"));
        }
        return std::ranges::find(names, name) != names.end()
                   ? Result<void>()
                   : fail(ErrorCode::kNotFound, no_project_in_words(name, names));
    }

    [[nodiscard]] Result<Json> fetch(Client& client, const TargetList& list) const {
        TargetList filtered = list;
        filtered.selector = filters_of(list);
        filtered.selector =
            filtered.selector->is_empty() ? std::nullopt : std::move(filtered.selector);
        const auto targets = look_up(client, filtered);
        if (!targets) {
            return tl::unexpected(targets.error());
        }
        Json all(rapidjson::kObjectType);
        JsonValue items(rapidjson::kArrayType);
        for (const Target& target : *targets) {
            auto job = get_target(client, target);
            if (!job) {
                return job;
            }
            items.PushBack(JsonValue(*job, all.GetAllocator()), all.GetAllocator());
        }
        all.AddMember("items", items, all.GetAllocator());
        return all;
    }

    TargetFlags targets_;
    Selector selector_;
    std::string states_;
    std::string watch_;  // "": once.
    bool shows_all_ = false;
    bool is_of_all_ = false;
    std::size_t limit_ = kRowsShown;
};

void print_times(std::ostream& out, const JsonValue& job, const Look& look) {
    for (const auto& [title, field] :
         {std::pair("submitted", "submitted_at"), std::pair("started", "started_at"),
          std::pair("ended", "ended_at")}) {
        if (const std::string at = text_at(job, field); !at.empty()) {
            out << "  " << title << std::string(11 - std::string_view(title).size(), ' ')
                << shown_time(at, look) << "  " << relative_time(at, look.now) << "\n";
        }
    }
}

void print_line(std::ostream& out, std::string_view title, const std::string& text) {
    if (!text.empty()) {
        out << "  " << title << std::string(title.size() < 11 ? 11 - title.size() : 1, ' ')
            << printable(text) << "\n";
    }
}

void print_gpus(std::ostream& out, const JsonValue& job) {
    const JsonValue* gpus = find(job, "gpus");
    if (gpus == nullptr || !gpus->IsArray()) {
        return;
    }
    for (const JsonValue& gpu : gpus->GetArray()) {
        const auto milli = integer_at(gpu, "milli").value_or(1000);
        std::string text =
            text_at(gpu, "node") + "  " + text_at(gpu, "model") + "  " + text_at(gpu, "uuid");
        text += milli < 1000 ? "  " + format_milli(milli) + " of it" : "";
        if (const auto memory = integer_at(gpu, "memory_mib")) {
            text += "  " + format_mib(*memory);
        }
        print_line(out, "gpu", text + (flag_at(gpu, "simulated") ? "  (simulated)" : ""));
    }
}

/// What holds the limits, and what of its GPUs nothing holds: then it is up to the job.
std::string enforcement_in_words(const JsonValue& job) {
    const std::string enforcement = text_at(job, "enforcement");
    const JsonValue* gpus = find(job, "gpus");
    const bool has_gpus = gpus != nullptr && gpus->IsArray() && !gpus->Empty();
    bool is_shared = false;
    for (rapidjson::SizeType i = 0; has_gpus && i < gpus->Size(); ++i) {
        is_shared = is_shared || integer_at((*gpus)[i], "milli").value_or(1000) < 1000;
    }
    std::string words = enforcement == "none" ? "limits not enforced: no cgroups" : enforcement;
    if (enforcement.empty() || (!is_shared && (!has_gpus || enforcement != "none"))) {
        return words;
    }
    const std::string what = enforcement != "none" ? "memory of the GPU"
                             : is_shared           ? "GPUs and their memory"
                                                   : "GPUs";
    return words + "; " + what +
           ": cooperative, nothing but the job's own setting keeps it to what "
           "it was given";
}

std::vector<std::string> timeline_row(const JsonValue& entry, const Look& look) {
    const std::string at = text_at(entry, "at");
    const std::string node = text_at(entry, "node");
    const std::string actor = text_at(entry, "actor");
    const auto attempt = integer_at(entry, "attempt").value_or(1);
    const std::string where = node.empty() ? "" : "on " + node;
    const std::string which = attempt > 1 ? "attempt " + std::to_string(attempt) : "";
    std::string what = end_in_words(entry, "reason");
    // Whoever asked for a requeue did not end it: "exited with 3, asked for by ann".
    const bool is_requeued = text_at(entry, "kind").ends_with(".requeued");
    const std::string by = is_requeued ? "asked for by " : "by ";
    const std::string between = what.empty() ? "" : is_requeued ? ", " : " ";
    what += actor.empty() ? "" : between + by + actor;
    std::string text;
    for (const std::string& part : {where, which, what}) {
        text += (text.empty() || part.empty() ? "" : ", ") + part;
    }
    return {
        "  " + (look.is_terminal ? time_in_words(at, look) : printable(at)),
        printable(text_at(entry, "object")), printable(text_at(entry, "kind")), printable(text)};
}

class ShowVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override { targets_.add_to(app); }

    Result<int> run(Session& session) override {
        const auto list = targets_.parse();
        auto client = session.client();
        if (!list || !client) {
            return tl::unexpected(list ? client.error() : list.error());
        }
        const auto targets = look_up_some(**client, *list);
        if (!targets) {
            return tl::unexpected(targets.error());
        }
        for (const Target& target : *targets) {
            if (auto shown = show(session, **client, target); !shown) {
                return tl::unexpected(std::move(shown.error()));
            }
        }
        return 0;
    }

    [[nodiscard]] bool takes(Format format) const override {
        return format != Format::kCsv && Verb::takes(format);
    }

  private:
    [[nodiscard]] static Result<void> show(Session& session, Client& client, const Target& target) {
        const std::string path = "/api/v1/jobs/" + std::to_string(target.job);
        auto job = target.element ? get_target(client, target) : client.get(path + "?include=spec");
        if (!job) {
            return tl::unexpected(std::move(job.error()));
        }
        std::ostream& out = session.out();
        if (print_document(out, *job, kKind, session.look.format)) {
            return {};
        }
        if (session.look.format == Format::kName) {
            out << to_string(target) << "\n";
            return {};
        }
        const auto end = end_of(client, target, *job);
        if (!end) {
            return tl::unexpected(end.error());
        }
        print_job(out, *job, {target, *end}, session.look);
        if (auto told = tell_log(out, client, *job, target); !told) {
            return told;
        }
        const auto timeline = client.get_all(path + "/timeline", kRowsShown);
        if (!timeline) {
            return tl::unexpected(timeline.error());
        }
        std::vector<std::vector<std::string>> rows;
        for (const JsonValue& entry : (*timeline)["items"].GetArray()) {
            rows.push_back(timeline_row(entry, session.look));
        }
        out << "  timeline\n" << table_text(rows, session.look);
        return {};
    }

    /// Says what is gone of the log, if anything is.
    [[nodiscard]] static Result<void> tell_log(
        std::ostream& out, Client& client, const JsonValue& job, const Target& target) {
        const bool is_array = integer_at(job, "elements.total").value_or(1) > 1;
        if (text_at(job, "started_at").empty() || (is_array && !target.element)) {
            return {};
        }
        const auto page = client.get_bytes(
            "/api/v1/jobs/" + std::to_string(target.job) + "/logs?limit=1" +
            (target.element ? "&element=" + std::to_string(*target.element) : ""));
        if (!page && page.error().code != ErrorCode::kNotFound) {
            return tl::unexpected(page.error());
        }
        const auto hole = page ? parse_hole(page->log_dropped) : std::nullopt;
        print_line(
            out, "log",
            !page  ? "gone: " + page.error().message
            : hole ? "too long: " + std::to_string(hole->size()) +
                         " bytes of its middle were dropped (node.log_max)"
                   : "");
        return {};
    }

    /// What is shown, and how it ended.
    struct Shown {
        Target target;
        std::string end;
    };

    /// "100 (urgent)", if it was asked for by that name; "" of 0.
    static std::string priority_in_words(const JsonValue& job) {
        const std::string number = text_at(job, "priority");
        const std::string asked = text_at(job, "spec.priority");
        if (asked.empty() || asked == number) {
            return number == "0" ? "" : number;
        }
        return number + " (" + asked + ")";
    }

    static void print_job(
        std::ostream& out, const JsonValue& job, const Shown& shown, const Look& look) {
        const Target& target = shown.target;
        const std::string state = text_at(job, "state");
        out << to_string(target) << " " << printable(text_at(job, "name")) << "  "
            << painted(state, tone_of_state(state), look) << "\n";
        print_line(out, "user", text_at(job, "user") + ", project " + text_at(job, "project"));
        print_line(out, "asks for", resources_in_words(find(job, "resources")));
        print_line(out, "on nodes", text_at(job, "on"));
        const auto limit = integer_at(job, "time_limit_s");
        print_line(out, "time limit", limit ? format_duration(std::chrono::seconds(*limit)) : "");
        print_line(out, "priority", priority_in_words(job));
        const std::string reason = text_at(job, "reason");
        print_line(
            out, "waits",
            reason.empty() ? ""
                           : reason_in_words(reason) + " (reeve why " + to_string(target) + ")");
        print_line(out, "position", text_at(job, "position"));
        print_line(out, "end", shown.end);
        print_line(out, "node", text_at(job, "node"));
        print_gpus(out, job);
        print_line(out, "limits", enforcement_in_words(job));
        const auto attempt = integer_at(job, "attempt").value_or(1);
        print_line(out, "attempt", attempt > 1 ? std::to_string(attempt) : "");
        if (integer_at(job, "elements.total").value_or(1) > 1) {
            print_line(
                out, "elements",
                elements_cell(job, look) + " done, " + text_at(job, "elements.running") +
                    " running");
        }
        print_times(out, job, look);
        if (const JsonValue* labels = find(job, "labels");
            labels != nullptr && labels->IsObject()) {
            for (const auto& label : labels->GetObject()) {
                print_line(
                    out, "label",
                    std::string(label.name.GetString()) + "=" + label.value.GetString());
            }
        }
        if (const JsonValue* spec = find(job, "spec")) {
            print_line(out, "spec", to_compact(*spec));
        }
    }

    TargetFlags targets_;
};

}  // namespace

std::vector<VerbRow> queue_verbs() {
    return {
        {"q",    "What waits and runs, newest first",        "[TARGET…] [flags]",
         "  reeve q                      all that waits and runs\n"
         "  reeve q @me -o wide          what is mine, with more columns\n"
         "  reeve q -w                   again every 2s; --watch=10s for another pace\n"
         "  reeve q --state done -o json ended jobs, for a program\n", make_verb<QueueVerb>},
        {"show", "All about a job, and what happened to it", "TARGET…",
         "  reeve show 1842\n  reeve show 1842_7            one element of an array\n"
         "  reeve show last -o yaml\n",                                make_verb<ShowVerb> },
    };
}

}  // namespace reeve::cli
