// reservation: add, list, show, rm.
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "base/utc.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kNodesNamed = 3;  // In a list; then how many more.

/// Without the fraction of a second.
std::string second_at(const JsonValue& value, const char* field) {
    const std::string text = text_at(value, field);
    const auto at = parse_utc(text);
    return at ? format_seconds(*at) : text;
}

std::string whom(const JsonValue& reservation) {
    return flag_at(reservation, "maintenance") ? "nobody (maintenance)"
                                               : text_at(reservation, "project");
}

/// "n1, n2", "n1 (2 GPUs, drained)".
std::string node_in_words(const JsonValue& node) {
    std::string more;
    const JsonValue* gpus = find(node, "gpus");
    if (gpus != nullptr && gpus->IsArray()) {
        more = std::to_string(gpus->Size()) + (gpus->Size() == 1 ? " GPU" : " GPUs");
    }
    if (const std::string state = text_at(node, "state"); state != "ready") {
        more += (more.empty() ? "" : ", ") + state;
    }
    return text_at(node, "name") + (more.empty() ? "" : " (" + more + ")");
}

std::string nodes_in_words(const JsonValue& reservation, std::size_t named_max) {
    std::string words;
    const JsonValue* nodes = find(reservation, "nodes");
    if (nodes == nullptr || !nodes->IsArray()) {
        return words;
    }
    std::size_t named = 0;
    for (const JsonValue& node : nodes->GetArray()) {
        if (named == named_max) {
            return words + " and " + std::to_string(nodes->Size() - named) + " more";
        }
        words += (named == 0 ? "" : ", ") + node_in_words(node);
        ++named;
    }
    return words;
}

/// "job 12 of ann on n1 until 2026-…": what runs into it.
std::string obstacle_in_words(const JsonValue& obstacle) {
    const std::string job = text_at(obstacle, "job");
    return (job.empty() ? "another job" : "job " + job + " of " + text_at(obstacle, "user")) +
           " on " + text_at(obstacle, "node") + " until " + second_at(obstacle, "until") +
           (flag_at(obstacle, "has_time_limit") ? "" : " (without a time limit: a guess)");
}

std::size_t obstacle_count(const JsonValue& reservation) {
    const JsonValue* obstacles = find(reservation, "in_the_way");
    return obstacles == nullptr || !obstacles->IsArray() ? 0 : obstacles->Size();
}

/// The one that ends last, and how many more.
std::string obstacles_in_words(const JsonValue& reservation) {
    const std::size_t count = obstacle_count(reservation);
    if (count == 0) {
        return "-";
    }
    const JsonValue& last = (*find(reservation, "in_the_way"))[0];
    return obstacle_in_words(last) +
           (count > 1 ? " and " + std::to_string(count - 1) + " more" : "");
}

Column computed(std::string title, std::string (*cell)(const JsonValue&), std::string path) {
    return Column{
        .title = std::move(title),
        .cell = [cell](const JsonValue& row, const Look&) { return cell(row); },
        .path = std::move(path)};
}

Listing reservation_listing() {
    Listing listing;
    listing.kind = "reservation";
    listing.columns = {
        plain("RESERVATION", "name"),
        plain("STATE", "state"),
        computed("FOR", whom, "project"),
        computed(
            "START", [](const JsonValue& row) { return second_at(row, "start"); }, "start"),
        computed(
            "END", [](const JsonValue& row) { return second_at(row, "end"); }, "end"),
        computed(
            "NODES", [](const JsonValue& row) { return nodes_in_words(row, kNodesNamed); }, ""),
        wide(plain("MADE BY", "made_by")),
        computed("IN THE WAY", obstacles_in_words, ""),
    };
    listing.name = [](const JsonValue& reservation) { return text_at(reservation, "name"); };
    listing.nothing = "nothing is reserved";
    return listing;
}

void print_reservation(Session& session, const Json& reservation) {
    std::ostream& out = session.out();
    if (print_document(out, reservation, "reservation", session.look.format)) {
        return;
    }
    const auto line = [&](const char* title, const std::string& text) {
        out << title << printable(text) << "\n";
    };
    line(
        "reservation  ", text_at(reservation, "name") + ", " + text_at(reservation, "state") +
                             (flag_at(reservation, "used") ? ", used" : ""));
    line("for          ", whom(reservation));
    line("from         ", second_at(reservation, "start"));
    line("until        ", second_at(reservation, "end"));
    line("nodes        ", nodes_in_words(reservation, SIZE_MAX));
    const std::string release = second_at(reservation, "release_at");
    if (!release.empty()) {
        line("released     ", "at " + release + " unless its project uses it before");
    }
    line("made by      ", text_at(reservation, "made_by"));
    for (std::size_t i = 0; i < obstacle_count(reservation); ++i) {
        line(
            i == 0 ? "in the way   " : "             ",
            obstacle_in_words(
                (*find(reservation, "in_the_way"))[static_cast<rapidjson::SizeType>(i)]));
    }
}

class ReservationListVerb final : public Verb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto all =
            client ? (*client)->get("/api/v1/reservations") : tl::unexpected(client.error());
        if (!all) {
            return tl::unexpected(all.error());
        }
        const auto shown = print_list(session.out(), *all, reservation_listing(), session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }
};

std::string path_of(const std::string& name) {
    return "/api/v1/reservations/" + escaped(name);
}

class ReservationShowVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("NAME", name_, "Reservation")->required();
    }

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto one = client ? (*client)->get(path_of(name_)) : tl::unexpected(client.error());
        if (!one) {
            return tl::unexpected(one.error());
        }
        print_reservation(session, *one);
        return 0;
    }

  private:
    std::string name_;
};

class ReservationRemoveVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("NAME", names_, "Reservations")->required();
    }

    Result<int> run(Session& session) override {
        auto client = session.client();
        if (!client) {
            return tl::unexpected(client.error());
        }
        for (const std::string& name : names_) {
            const auto gone = (*client)->remove(path_of(name));
            if (!gone) {
                return tl::unexpected(gone.error());
            }
            if (!print_document(session.out(), *gone, "reservation", session.look.format)) {
                session.note("reservation " + name + " is removed");
            }
        }
        return 0;
    }

  private:
    std::vector<std::string> names_;
};

/// "2026-12-01T08:00", "2026-12-01 08:00:30Z": with seconds and "Z", if it has a time's beginning.
std::string completed(std::string text) {
    constexpr std::size_t kDate = 10;
    constexpr std::size_t kMinutes = 16;
    constexpr std::size_t kSeconds = 19;
    if (text.size() > kDate && text[kDate] == ' ') {
        text[kDate] = 'T';
    }
    text += text.size() == kMinutes ? ":00" : "";
    return text + (text.size() == kSeconds ? "Z" : "");
}

/// Errors: kInvalid, with what would be accepted.
Result<Instant> time_of(const char* flag, const std::string& text, Instant now) {
    if (text.starts_with('+')) {
        const auto later = parse_duration(std::string_view(text).substr(1));
        if (later) {
            return now + *later;
        }
    }
    if (const auto at = parse_utc(completed(text))) {
        return *at;
    }
    return fail(
        ErrorCode::kInvalid, std::string(flag) + ": '" + text +
                                 "' is no time; write it in UTC, 2026-12-01T08:00, or as a while "
                                 "from now, +2h");
}

std::string json_list(const std::vector<std::string>& texts) {
    std::string json;
    for (const std::string& text : texts) {
        json += (json.empty() ? "" : ",") + quoted_json(text);
    }
    return "[" + json + "]";
}

class ReservationAddVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("NAME", name_, "What to call it")->required();
        app.add_option("--start", start_, "2026-12-01T08:00 in UTC, +2h; without it: now");
        app.add_option("--end", end_, "Likewise");
        app.add_option("--for", for_, "Instead of --end: 4h");
        app.add_option("-p,--project", project_, "Whose jobs may use it, with all below it");
        app.add_flag("--maintenance", is_maintenance_, "Instead of a project: nobody's");
        app.add_option("--nodes", nodes_, "By name: n1,n2")->delimiter(',');
        app.add_option("--count", count_, "Instead of --nodes: so many, chosen now");
        app.add_option("--on", on_, "With --count: of those that an expression names");
        app.add_option("--gpus", gpus_, "So many GPUs of each node, not all of it");
        app.add_option(
            "--release-after", release_after_,
            "Released if its project has not used it so long after its start: 15m (as without "
            "it); 0: never");
        app.add_flag(
            "--ignore-running", is_ignoring_running_,
            "Also if something runs into it, and goes on");
    }

    Result<int> run(Session& session) override {
        const auto text = body(session.look.now);
        auto client = session.client();
        if (!text || !client) {
            return tl::unexpected(text ? client.error() : text.error());
        }
        const auto made = (*client)->post("/api/v1/reservations", *text);
        if (!made) {
            return tl::unexpected(made.error());
        }
        print_reservation(session, *made);
        return 0;
    }

  private:
    [[nodiscard]] Result<std::string> body(Instant now) const {
        if (project_.empty() != is_maintenance_) {
            return fail(
                ErrorCode::kInvalid,
                "say for whom: --project NAME, or --maintenance, one of the two");
        }
        if (nodes_.empty() == !count_) {
            return fail(
                ErrorCode::kInvalid, "say of what: --nodes n1,n2, or --count 2, one of the two");
        }
        const auto times = times_json(now);
        const auto release = release_json();
        if (!times || !release) {
            return tl::unexpected(times ? release.error() : times.error());
        }
        std::string json = R"({"name":)" + quoted_json(name_) + *times;
        json +=
            is_maintenance_ ? R"(,"maintenance":true)" : R"(,"project":)" + quoted_json(project_);
        json += nodes_.empty() ? R"(,"node_count":)" + std::to_string(*count_)
                               : R"(,"nodes":)" + json_list(nodes_);
        json += on_.empty() ? "" : R"(,"on":)" + quoted_json(on_);
        json += gpus_ ? R"(,"gpus":)" + std::to_string(*gpus_) : "";
        json += *release;
        json += is_ignoring_running_ ? R"(,"ignore_running":true)" : "";
        return json + "}";
    }

    [[nodiscard]] Result<std::string> times_json(Instant now) const {
        if (end_.empty() == for_.empty()) {
            return fail(
                ErrorCode::kInvalid, "say until when: --end TIME, or --for 4h, one of the two");
        }
        const bool is_now = start_.empty() || start_ == "now";
        const auto start = is_now ? Result<Instant>(now) : time_of("--start", start_, now);
        if (!start) {
            return tl::unexpected(start.error());
        }
        Result<Instant> end = *start;
        if (for_.empty()) {
            end = time_of("--end", end_, now);
        } else if (const auto duration = parse_duration(for_)) {
            end = *start + *duration;
        } else {
            return fail(ErrorCode::kInvalid, "--for: " + duration.error().message);
        }
        if (!end) {
            return tl::unexpected(end.error());
        }
        return (is_now ? "" : R"(,"start":")" + format_seconds(*start) + "\"") + R"(,"end":")" +
               format_seconds(*end) + "\"";
    }

    [[nodiscard]] Result<std::string> release_json() const {
        if (release_after_.empty()) {
            return "";
        }
        const auto after = release_after_ == "0" ? Result<std::chrono::seconds>(0)
                                                 : parse_duration(release_after_);
        if (!after) {
            return fail(ErrorCode::kInvalid, "--release-after: " + after.error().message);
        }
        return R"(,"release_after_s":)" + std::to_string(after->count());
    }

    std::string name_;
    std::string start_;
    std::string end_;
    std::string for_;
    std::string project_;
    std::vector<std::string> nodes_;
    std::optional<std::int64_t> count_;
    std::string on_;
    std::optional<std::int64_t> gpus_;
    std::string release_after_;
    bool is_maintenance_ = false;
    bool is_ignoring_running_ = false;
};

}  // namespace

std::vector<VerbRow> reservation_verbs() {
    return {
        {"reservation list", "What is reserved, for whom, and what is in the way",  "[flags]",
         "  reeve reservation list\n",                                                                                                 make_verb<ReservationListVerb>  },
        {"reservation show", "One reservation",                                     "NAME",         "  reeve reservation show demo\n",
         make_verb<ReservationShowVerb>                                                                                                                                },
        {"reservation add",  "Keep nodes for a project, or for nobody, for a time", "NAME [flags]",
         "  reeve reservation add demo --project vision --count 2 --start 2026-12-01T08:00 --for "
         "10h\n"
         "  reeve reservation add fans --maintenance --nodes jw3,jw4 --start +1d --for 2h\n"
         "  reeve reservation add course --project lab --nodes jw2 --gpus 2 --end "
         "2026-12-24T18:00\n",                                                                                                         make_verb<ReservationAddVerb>   },
        {"reservation rm",   "Remove reservations; what runs goes on",              "NAME…",
         "  reeve reservation rm demo\n",                                                                                              make_verb<ReservationRemoveVerb>},
    };
}

}  // namespace reeve::cli
