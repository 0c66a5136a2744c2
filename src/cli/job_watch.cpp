#include "cli/job_watch.hpp"

#include "cli/words.hpp"

namespace reeve::cli {
namespace {

constexpr int kTicksPerLook = 25;  // Of 200 ms: a look every 5 s even if no event comes.

/// `job` as what is known of an element of it that never left the queue. Errors: kNotFound.
Result<Json> of_waiting(Client& client, const Target& target, Json job) {
    const auto why = client.get(
        "/api/v1/jobs/" + std::to_string(target.job) +
        "/why?element=" + std::to_string(*target.element));
    if (!why) {
        return tl::unexpected(why.error());
    }
    const std::string state = text_at(*why, "state");
    auto& memory = job.GetAllocator();
    for (const char* name : {"index", "state"}) {
        job.RemoveMember(name);
    }
    job.AddMember("index", *target.element, memory);
    job.AddMember("state", JsonValue(state.c_str(), memory), memory);
    if (const JsonValue* position = find(*why, "position")) {
        job.AddMember("position", JsonValue(*position, memory), memory);
    }
    if (const std::string reason = text_at(*why, "binding.kind"); !reason.empty()) {
        job.AddMember("reason", JsonValue(reason.c_str(), memory), memory);
    }
    if (state == "cancelled" && !job.HasMember("end_reason")) {  // Others of the job ran.
        job.AddMember("end_reason", "cancelled", memory);
    }
    return job;
}

/// The first element whose newest attempt failed, by index; null if there is none. `elements` has
/// a row for each attempt, later ones later.
const JsonValue* first_failure(const JsonValue& elements) {
    const JsonValue* newest = nullptr;
    const auto has_failed = [&newest] {
        const std::string state = newest == nullptr ? "" : text_at(*newest, "state");
        return state == "failed" || state == "timed_out";
    };
    for (const JsonValue& element : elements.GetArray()) {
        const bool is_same =
            newest != nullptr && integer_at(*newest, "index") == integer_at(element, "index");
        if (!is_same && has_failed()) {
            return newest;
        }
        newest = &element;
    }
    return has_failed() ? newest : nullptr;
}

void print_part(LogPrinter& printer, const JsonValue& part, const char* offset_field) {
    const auto offset = integer_at(part, offset_field);
    const bool is_text = find(part, "base64") == nullptr;
    printer.print(
        offset.value_or(printer.next()),
        is_text ? text_at(part, "text") : decode_base64(text_at(part, "base64")));
}

/// Each member of `element` in place of the job's own.
void put_members(const JsonValue& element, Json& job) {
    auto& memory = job.GetAllocator();
    for (const auto& member : element.GetObject()) {
        JsonValue name(member.name, memory);
        job.RemoveMember(member.name);
        job.AddMember(name, JsonValue(member.value, memory), memory);
    }
}

}  // namespace

Result<std::string> end_of(Client& client, const Target& target, const Json& job) {
    std::string words = end_in_words(job);
    const bool has_failed = integer_at(job, "elements.failed").value_or(0) > 0 ||
                            integer_at(job, "elements.timed_out").value_or(0) > 0;
    const bool is_array =
        integer_at(job, "elements.total").value_or(1) > 1 || find(job, "array") != nullptr;
    if (!is_array || target.element || !has_failed || !is_end_state(text_at(job, "state"))) {
        return words;
    }
    const auto elements =
        client.get_all("/api/v1/jobs/" + std::to_string(target.job) + "/elements", 1'000'000);
    if (!elements) {
        return tl::unexpected(elements.error());
    }
    if (const JsonValue* failed = first_failure((*elements)["items"])) {
        words += ": " + std::to_string(target.job) + "_" + text_at(*failed, "index") + " " +
                 end_in_words(*failed);
    }
    return words;
}

Result<Json> get_target(Client& client, const Target& target) {
    const std::string path = "/api/v1/jobs/" + std::to_string(target.job);
    auto job = client.get(path);
    if (!job || !target.element) {
        return job;
    }
    const bool is_array = integer_at(*job, "elements.total").value_or(1) > 1;
    if (is_array) {  // These are of the job as a whole.
        job->RemoveMember("position");
        job->RemoveMember("reason");
    }
    const std::int64_t wanted = *target.element;
    const auto take = [&](const Json& page) {
        for (const auto& element : page["items"].GetArray()) {
            const std::int64_t index = integer_at(element, "index").value_or(0);
            if (index > wanted) {
                return Go::kStop;
            }
            if (index == wanted) {  // The newest attempt is the last one.
                put_members(element, *job);
            }
        }
        return Go::kOn;
    };
    // From it on: after whatever attempts the one before it has.
    const std::string after =
        wanted == 0 ? "" : "?cursor=" + std::to_string(wanted - 1) + ".4294967295";
    if (auto read = client.each_page(path + "/elements" + after, take); !read) {
        return tl::unexpected(std::move(read.error()));
    }
    return job->HasMember("index") || !is_array ? std::move(job)
                                                : of_waiting(client, target, std::move(*job));
}

Result<bool> watch(
    Client& client,
    const Target& target,
    const std::function<Go(const Json&)>& look,
    const std::function<Go()>& interrupted) {
    Result<bool> done = true;
    const auto see = [&]() -> Go {
        auto job = get_target(client, target);
        if (!job) {
            done = tl::unexpected(std::move(job.error()));
            return Go::kStop;
        }
        return look(*job);
    };
    int ticks = 0;
    Client::Follow follow;
    follow.target = "/api/v1/events?job=" + std::to_string(target.job);
    follow.on_open = see;  // Only now: what happens from here on is told.
    follow.on_event = [&](const Event& /*any*/) { return see(); };
    follow.on_tick = [&]() -> Go {
        if (interrupted() == Go::kStop) {
            done = false;
            return Go::kStop;
        }
        return ++ticks % kTicksPerLook == 0 ? see() : Go::kOn;
    };
    auto followed = client.follow(follow);
    return followed ? done : tl::unexpected(std::move(followed.error()));
}

Result<bool> follow_log(Client& client, const LogFollow& follow, LogPrinter& printer) {
    bool has_ended = false;
    Client::Follow stream;
    stream.target = "/api/v1/jobs/" + std::to_string(follow.job) + "/logs?follow=1" +
                    (follow.query.empty() ? "" : "&" + follow.query);
    stream.last_event_id = printer.next() == 0 ? "" : std::to_string(printer.next());
    stream.on_event = [&](const Event& event) -> Go {
        has_ended = event.name == "end";
        if (const auto part = parse_json(event.data); part && (has_ended || event.name == "log")) {
            print_part(printer, *part, has_ended ? "next" : "offset");
        }
        const bool is_stopped = follow.interrupted() == Go::kStop;
        return has_ended || is_stopped ? Go::kStop : Go::kOn;
    };
    stream.on_tick = follow.interrupted;
    auto followed = client.follow(stream);
    return followed ? Result<bool>(has_ended) : tl::unexpected(std::move(followed.error()));
}

Result<std::optional<std::int64_t>> wait_for_attempt_after(
    Client& client,
    const Target& target,
    std::int64_t attempt,
    const std::function<Go()>& interrupted) {
    std::optional<std::int64_t> later;
    const auto look = [&](const Json& job) {
        const std::int64_t newest = integer_at(job, "attempt").value_or(attempt);
        later = newest > attempt ? std::optional(newest) : std::nullopt;
        return later || is_end_state(text_at(job, "state")) ? Go::kStop : Go::kOn;
    };
    const auto watched = watch(client, target, look, interrupted);
    return watched ? Result<std::optional<std::int64_t>>(later) : tl::unexpected(watched.error());
}

std::string decode_base64(std::string_view text) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        if (c == '=') {
            break;
        }
        const std::size_t value = kAlphabet.find(c);
        if (value == std::string_view::npos) {
            return "";
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xFFU);
        }
    }
    return bytes;
}

}  // namespace reeve::cli
