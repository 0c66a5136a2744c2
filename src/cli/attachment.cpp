#include "cli/attachment.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <ostream>

#include "cli/job_watch.hpp"
#include "cli/log_pages.hpp"

namespace reeve::cli {
namespace {

constexpr int kExitInterrupted = 130;  // 128 + SIGINT.
constexpr std::size_t kElementsMax = 1'000'000;
constexpr int kSecondLooks = 20;  // For the second Ctrl-C, each 100 ms.

}  // namespace

int Attachment::interrupts() {
    while (signals_()) {
        ++interrupts_;
    }
    return interrupts_;
}

void Attachment::see(const Json& job) {
    const std::string state = text_at(job, "state");
    has_ended_ = is_end_state(state);
    newest_ = std::max(newest_, integer_at(job, "attempt").value_or(1));
    has_newest_started_ = !text_at(job, "started_at").empty();
    if (has_ended_) {
        status_ = exit_status_of(job);
        if (status_ != 0) {
            session_.note("Job " + std::to_string(job_) + " " + printable(end_in_words(job)));
        }
        return;
    }
    const std::string reason = text_at(job, "reason");
    if (!reason.empty() && reason != reason_ && session_.environment().is_out_terminal) {
        session_.note("  waits: " + reason_in_words(reason));
    }
    reason_ = reason;
}

Result<bool> Attachment::watch_until(Until until) {
    const auto look = [&](const Json& job) {
        see(job);
        const bool is_there = until == Until::kStarted ? has_started() : newest_ > attempt_;
        return has_ended_ || is_there ? Go::kStop : Go::kOn;
    };
    return watch(client_, {job_, {}}, look, [&] { return interrupts() > 0 ? Go::kStop : Go::kOn; });
}

Result<bool> Attachment::show_log() {
    LogFollow log{.job = job_, .query = "attempt=" + std::to_string(attempt_)};
    log.interrupted = [&] { return interrupts() > 0 ? Go::kStop : look_for_errors(); };
    LogPrinter printer(session_.out());
    auto goes_on = follow_log(client_, log, printer);
    return errors_shown_ ? goes_on : tl::unexpected(errors_shown_.error());
}

void Attachment::split_output() {
    errors_.emplace(session_.environment().err);
}

Result<void> Attachment::show_errors() {
    if (!errors_) {
        return {};
    }
    return print_log(
        client_,
        "/api/v1/jobs/" + std::to_string(job_) +
            "/logs?stream=stderr&attempt=" + std::to_string(attempt_),
        *errors_, [] { return true; });
}

Go Attachment::look_for_errors() {
    constexpr auto kPause = std::chrono::milliseconds(500);
    const auto now = session_.clock();
    if (!errors_ || now - errors_looked_at_ < kPause) {
        return Go::kOn;
    }
    errors_looked_at_ = now;
    if (auto shown = show_errors(); !shown && shown.error().code != ErrorCode::kUnavailable) {
        errors_shown_ = std::move(shown);
        return Go::kStop;
    }
    return Go::kOn;
}

Result<bool> Attachment::show_attempt() {
    auto goes_on = has_ended_ ? Result<bool>(true) : watch_until(Until::kStarted);
    if (attempt_ > 1 && goes_on && *goes_on && has_started()) {
        session_.note(
            "Job " + std::to_string(job_) + ", attempt " + std::to_string(attempt_) + ":");
    }
    if (goes_on && *goes_on && has_started()) {
        goes_on = show_log();
    }
    if (auto shown = goes_on && *goes_on && has_started() ? show_errors() : Result<void>();
        !shown) {
        return tl::unexpected(std::move(shown.error()));
    }
    if (goes_on && *goes_on && !has_ended_ && newest_ == attempt_) {
        goes_on = watch_until(Until::kEnded);
    }
    return goes_on;
}

Result<int> Attachment::follow() {
    auto goes_on = show_attempt();
    while (goes_on && *goes_on && newest_ > attempt_) {  // It is tried again.
        ++attempt_;
        if (errors_) {
            split_output();  // From its beginning.
        }
        goes_on = show_attempt();
    }
    if (!goes_on) {
        return tl::unexpected(std::move(goes_on.error()));
    }
    return *goes_on ? Result<int>(status_) : let_go();
}

Result<int> Attachment::follow_array() {
    const auto look = [&](const Json& job) {
        has_ended_ = is_end_state(text_at(job, "state"));
        status_ = has_ended_ ? exit_status_of(job) : status_;
        return has_ended_ ? Go::kStop : Go::kOn;
    };
    const auto goes_on =
        watch(client_, {job_, {}}, look, [&] { return interrupts() > 0 ? Go::kStop : Go::kOn; });
    if (!goes_on) {
        return tl::unexpected(goes_on.error());
    }
    return *goes_on ? tell_elements() : let_go();
}

Result<int> Attachment::tell_elements() {
    const auto elements =
        client_.get_all("/api/v1/jobs/" + std::to_string(job_) + "/elements", kElementsMax);
    const JsonValue* items = elements ? find(*elements, "items") : nullptr;
    std::map<std::int64_t, const JsonValue*> newest;  // Later attempts come later.
    for (rapidjson::SizeType i = 0; items != nullptr && i < items->Size(); ++i) {
        newest[integer_at((*items)[i], "index").value_or(0)] = &(*items)[i];
    }
    int status = 0;
    for (const auto& [index, element] : newest) {
        const int own = exit_status_of(*element);
        status = status == 0 ? own : status;
        session_.note(
            std::to_string(job_) + "_" + std::to_string(index) + " " + text_at(*element, "state") +
            ": " + printable(end_in_words(*element)));
    }
    if (!elements) {
        return tl::unexpected(elements.error());
    }
    return status == 0 ? status_ : status;
}

Result<int> Attachment::let_go() {
    const std::string number = std::to_string(job_);
    session_.note("\nCtrl-C again stops job " + number + "; it goes on otherwise.");
    for (int i = 0; i < kSecondLooks && interrupts() < 2; ++i) {
        pause_for(std::chrono::milliseconds(100));
    }
    if (interrupts() < 2) {
        session_.note("Detached. Follow it again: reeve logs -f " + number);
        return kExitInterrupted;
    }
    const auto stopped = client_.post("/api/v1/jobs/" + number + ":stop", "{}");
    if (!stopped) {
        return tl::unexpected(stopped.error());
    }
    session_.note("Job " + number + " is told to stop.");
    return kExitInterrupted;
}

}  // namespace reeve::cli
