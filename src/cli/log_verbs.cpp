// logs, wait: what a job says, and how it ends.
#include <chrono>
#include <optional>
#include <ostream>
#include <sstream>

#include "base/text.hpp"
#include "cli/job_watch.hpp"
#include "cli/log_pages.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

/// The last `lines` lines of `text`.
std::string_view last_lines(std::string_view text, std::size_t lines) {
    if (lines == 0) {
        return text.substr(text.size());
    }
    std::size_t at = text.size();
    if (text.ends_with('\n')) {
        --at;
    }
    for (std::size_t i = 0; i < lines; ++i) {
        const std::size_t newline = at == 0 ? text.npos : text.rfind('\n', at - 1);
        if (newline == std::string_view::npos) {
            return text;
        }
        at = newline;
    }
    return text.substr(at + 1);
}

class LogsVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        targets_.add_to(app);
        app.add_flag(
            "-f,--follow", follows_, "Go on as it grows, try after try, until the job ends");
        app.add_option("-n,--tail", tail_, "Last lines only")->check(CLI::Range(0, 1'000'000));
        app.add_option("--rank", rank_, "Of this task of a gang")->check(CLI::Range(0, 65535));
        app.add_option("--attempt", attempt_, "Of this try (default: the newest)")
            ->check(CLI::Range(1, 1'000'000));
        app.add_flag("--stderr", shows_stderr_, "Standard error, of a job with --split-output");
    }

    Result<int> run(Session& session) override {
        auto list = targets_.parse();
        auto client = session.client();
        if (!list || !client) {
            return tl::unexpected(list ? client.error() : list.error());
        }
        list->is_last = list->is_last || *list == TargetList{};
        const auto target = look_up_one(**client, *list);
        if (!target) {
            return tl::unexpected(target.error());
        }
        const auto attempt = attempt_of(**client, *target);
        if (!attempt) {
            return tl::unexpected(attempt.error());
        }
        return show(session, **client, *target, *attempt).map([] { return 0; });
    }

  private:
    /// What there is, and then, if it is to be followed, what comes.
    [[nodiscard]] Result<void> show(
        Session& session, Client& client, const Target& target, std::int64_t attempt) const {
        const std::string query = query_of(target, attempt);
        const std::string path = "/api/v1/jobs/" + std::to_string(target.job) + "/logs?" + query;
        LogPrinter printer(session.out());
        const auto goes_on = [&] { return session.out().good(); };
        const auto printed = tail_ < 0 ? print_log(client, path, printer, goes_on)
                                       : print_tail(session, client, path, printer);
        if (!printed) {
            return tl::unexpected(name_element(printed.error(), target));
        }
        auto done = printer.next() == 0 ? tell_why_empty(session, client, target) : Result<void>();
        if (!done || !follows_) {
            return done;
        }
        done = follow(session, client, {.job = target.job, .query = query}, printer);
        return done && attempt_ == 0 ? follow_later(session, client, target, attempt) : done;
    }

    /// Which one to show; 0: the newest. Who follows has to know which one that is.
    [[nodiscard]] Result<std::int64_t> attempt_of(Client& client, const Target& target) const {
        if (attempt_ > 0 || !follows_) {
            return attempt_;
        }
        const auto job = get_target(client, target);
        return job ? Result<std::int64_t>(integer_at(*job, "attempt").value_or(1))
                   : tl::unexpected(job.error());
    }

    [[nodiscard]] static Result<void> follow(
        const Session& session, Client& client, LogFollow log, LogPrinter& printer) {
        log.interrupted = [&] { return session.out().good() ? Go::kOn : Go::kStop; };
        const auto followed = follow_log(client, log, printer);
        return followed ? Result<void>() : tl::unexpected(followed.error());
    }

    /// What comes after `attempt`, try by try, until the job has ended for good.
    [[nodiscard]] Result<void> follow_later(
        const Session& session, Client& client, const Target& target, std::int64_t attempt) const {
        const auto interrupted = [&] { return session.out().good() ? Go::kOn : Go::kStop; };
        while (session.out().good()) {
            const auto newest = wait_for_attempt_after(client, target, attempt, interrupted);
            if (!newest || !*newest) {
                return newest ? Result<void>() : tl::unexpected(newest.error());
            }
            while (attempt < **newest) {
                ++attempt;
                session.note(to_string(target) + ", attempt " + std::to_string(attempt) + ":");
                LogPrinter printer(session.out());
                if (auto followed = follow(
                        session, client, {.job = target.job, .query = query_of(target, attempt)},
                        printer);
                    !followed) {
                    return followed;
                }
            }
        }
        return {};
    }

    [[nodiscard]] std::string query_of(const Target& target, std::int64_t attempt) const {
        std::string query = "rank=" + std::to_string(rank_);
        query += target.element ? "&element=" + std::to_string(*target.element) : "";
        query += attempt > 0 ? "&attempt=" + std::to_string(attempt) : "";
        query += shows_stderr_ ? "&stream=stderr" : "";
        return query;
    }

    /// The error, with how to name an element if it is that none was named.
    [[nodiscard]] static Error name_element(Error error, const Target& target) {
        if (!target.element && error.message.find(" is an array") != std::string::npos) {
            error.message += "; write: reeve logs " + to_string(target) + "_1";
        }
        return error;
    }

    [[nodiscard]] static Result<bool> has_one_log(Client& client, const Target& target) {
        return client.get("/api/v1/jobs/" + std::to_string(target.job) + "?include=spec")
            .map([](const Json& job) { return !flag_at(job, "spec.split_output"); });
    }

    /// Errors: kNotFound: there is no such attempt.
    [[nodiscard]] Result<void> tell_why_empty(
        const Session& session, Client& client, const Target& target) const {
        const auto job = get_target(client, target);
        if (!job) {
            return tl::unexpected(job.error());
        }
        const std::string name = to_string(target);
        const std::int64_t newest = integer_at(*job, "attempt").value_or(1);
        if (attempt_ > newest) {
            return fail(
                ErrorCode::kNotFound, "there is no attempt " + std::to_string(attempt_) + " of " +
                                          name + "; the newest is " + std::to_string(newest));
        }
        const std::string state = text_at(*job, "state");
        const auto has_one = shows_stderr_ ? has_one_log(client, target) : Result<bool>(false);
        if (!has_one) {
            return tl::unexpected(has_one.error());
        }
        if (*has_one) {
            session.note(
                name + " has one log for both: its standard error is in `reeve logs " + name +
                "`. --split-output at its submission makes two.");
            return {};
        }
        if (!text_at(*job, "started_at").empty()) {
            session.note(name + " has printed nothing" + (is_end_state(state) ? "." : " yet."));
        } else if (is_end_state(state)) {
            const std::string end = end_in_words(*job);
            session.note(name + " never started: " + printable(end.empty() ? state : end) + ".");
        } else {
            const std::string reason = reason_in_words(text_at(*job, "reason"));
            session.note(
                name + " has not started: it is " + state +
                (reason.empty() ? "" : " (" + printable(reason) + ")") + "; `reeve why " + name +
                "` says more.");
        }
        return {};
    }

    /// Prints the last lines of what is there; what was dropped among them is a line, too.
    [[nodiscard]] Result<void> print_tail(
        const Session& session,
        Client& client,
        const std::string& path,
        LogPrinter& printer) const {
        std::ostringstream text;
        LogPrinter pages(text);
        std::int64_t offset = -kLogPageBytes;  // Looked through for the last lines.
        bool goes_on = true;
        while (goes_on) {
            const auto page = log_page_at(client, path, offset);
            if (!page) {
                return tl::unexpected(page.error());
            }
            const std::int64_t begin = page->next - static_cast<std::int64_t>(page->bytes.size());
            const bool is_hole = page->hole && page->bytes.empty() && begin == page->hole->end;
            if (offset < 0) {
                pages.begin_at(is_hole ? page->hole->begin : begin);
            }
            pages.print(begin, page->bytes);
            goes_on = page->next != offset &&
                      (is_hole || (page->hole && page->next <= page->hole->begin));
            offset = page->next;
        }
        session.out() << last_lines(text.view(), static_cast<std::size_t>(tail_)) << std::flush;
        printer.begin_at(pages.next());
        return {};
    }

    TargetFlags targets_;
    bool follows_ = false;
    bool shows_stderr_ = false;
    int tail_ = -1;  // -1: all.
    int rank_ = 0;
    int attempt_ = 0;  // 0: the newest.
};

class WaitVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        targets_.add_to(app);
        app.add_option("--for", until_, "ended (default), running or succeeded")
            ->check(CLI::IsMember({"ended", "running", "succeeded"}));
        app.add_option("--timeout", timeout_, "Give up after so long, such as 10m (exit status 8)");
    }

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
        std::optional<std::chrono::microseconds> until;
        if (!timeout_.empty()) {
            const auto patience = parse_duration(timeout_);
            if (!patience || patience->count() <= 0) {
                return fail(
                    ErrorCode::kInvalid,
                    "--timeout: '" + timeout_ + "' is not a duration of 1s or more, such as 10m");
            }
            until = session.clock() + *patience;
        }
        int status = 0;
        for (const Target& target : *targets) {
            const auto ended = wait(session, **client, target, until);
            if (!ended) {
                return ended;
            }
            status = *ended == 0 ? status : *ended;
        }
        return status;
    }

  private:
    [[nodiscard]] Result<int> wait(
        Session& session,
        Client& client,
        const Target& target,
        const std::optional<std::chrono::microseconds>& until) const {
        int status = 0;
        std::string state;
        Result<std::string> end = "";
        const auto look = [&](const Json& job) {
            state = text_at(job, "state");
            const bool is_running = state == "running" || state == "stopping";
            if (is_end_state(state)) {
                status = exit_status_of(job);
                end = end_of(client, target, job);
                return Go::kStop;
            }
            return until_ == "running" && is_running ? Go::kStop : Go::kOn;
        };
        const auto watched = watch(client, target, look, [&] {
            return until && session.clock() >= *until ? Go::kStop : Go::kOn;
        });
        if (!watched || !end) {
            return tl::unexpected(watched ? end.error() : watched.error());
        }
        if (!*watched) {
            return fail(
                ErrorCode::kUnavailable, to_string(target) + " is still " + state + " after " +
                                             timeout_ + " (--timeout); it goes on");
        }
        tell_end(session, target, state, *end);
        return status;
    }

    static void tell_end(
        const Session& session,
        const Target& target,
        const std::string& state,
        const std::string& end) {
        if (is_end_state(state)) {
            session.note(
                to_string(target) + " " + state + (end.empty() ? "" : ": " + printable(end)));
        }
    }

    TargetFlags targets_;
    std::string until_ = "ended";
    std::string timeout_;  // "": for as long as it takes.
};

}  // namespace

std::vector<VerbRow> log_verbs() {
    return {
        {"logs", "The output of a job",                      "[TARGET] [flags]",
         "  reeve logs -f 1842           as it grows\n"
         "  reeve logs 1842_7 --tail 20  the last lines of one element\n"
         "  reeve logs last --attempt 1  of its first try\n", make_verb<LogsVerb>},
        {"wait", "Wait for jobs; the exit status is theirs", "TARGET… [flags]",
         "  reeve wait 1842 && echo done\n  reeve wait 1842 --for running\n"
         "  reeve wait -l sweep=7 --timeout 2h\n",            make_verb<WaitVerb>},
    };
}

}  // namespace reeve::cli
