// logs, wait: what a job says, and how it ends.
#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/job_watch.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

constexpr std::int64_t kTailBytes = 4 << 20;  // Looked through for the last lines.

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
        app.add_flag("-f,--follow", follows_, "Go on as it grows, until the job ends");
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
        const std::string query = query_of(*target);
        const std::string path = "/api/v1/jobs/" + std::to_string(target->job) + "/logs?" + query;
        auto next = print_so_far(session, **client, path);
        if (!next || !follows_) {
            return next ? Result<int>(0) : tl::unexpected(std::move(next.error()));
        }
        LogFollow follow{.job = target->job, .query = query, .from = *next};
        follow.write = [&](std::string_view bytes) { session.out() << bytes << std::flush; };
        follow.interrupted = [&] { return session.out().good() ? Go::kOn : Go::kStop; };
        const auto followed = follow_log(**client, follow);
        return followed ? Result<int>(0) : tl::unexpected(followed.error());
    }

  private:
    [[nodiscard]] std::string query_of(const Target& target) const {
        std::string query = "rank=" + std::to_string(rank_);
        query += target.element ? "&element=" + std::to_string(*target.element) : "";
        query += attempt_ > 0 ? "&attempt=" + std::to_string(attempt_) : "";
        query += shows_stderr_ ? "&stream=stderr" : "";
        return query;
    }

    /// Prints what is there, page by page. Gives the offset behind it.
    [[nodiscard]] Result<std::string> print_so_far(
        Session& session, Client& client, const std::string& path) const {
        std::string offset = tail_ >= 0 ? std::to_string(-kTailBytes) : "0";
        const std::string base = path + "&limit=" + std::to_string(kTailBytes) + "&offset=";
        while (true) {
            const auto page = client.get_bytes(base + offset);
            if (!page) {
                return tl::unexpected(page.error());
            }
            session.out()
                << (tail_ >= 0 ? last_lines(page->body, static_cast<std::size_t>(tail_))
                               : std::string_view(page->body));
            session.out() << std::flush;
            if (!page->next_offset.empty()) {
                offset = page->next_offset;
            }
            if (page->body.empty() || tail_ >= 0 || !session.out().good()) {
                return offset;
            }
        }
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
        int status = 0;
        for (const Target& target : *targets) {
            const auto ended = wait(session, **client, target);
            if (!ended) {
                return ended;
            }
            status = *ended == 0 ? status : *ended;
        }
        return status;
    }

  private:
    [[nodiscard]] Result<int> wait(Session& session, Client& client, const Target& target) const {
        int status = 0;
        std::string state;
        const auto look = [&](const Json& job) {
            state = text_at(job, "state");
            const bool is_running = state == "running" || state == "stopping";
            if (is_end_state(state)) {
                status = exit_status_of(job);
                session.note(to_string(target) + " " + state + ": " + printable(end_in_words(job)));
                return Go::kStop;
            }
            return until_ == "running" && is_running ? Go::kStop : Go::kOn;
        };
        const auto watched = watch(client, target, look, [] { return Go::kOn; });
        return watched ? Result<int>(status) : tl::unexpected(watched.error());
    }

    TargetFlags targets_;
    std::string until_ = "ended";
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
         "  reeve wait -l sweep=7\n",                         make_verb<WaitVerb>},
    };
}

}  // namespace reeve::cli
