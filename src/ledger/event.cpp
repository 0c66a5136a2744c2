#include "ledger/event.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include "model/job_end.hpp"

namespace reeve::ledger {
namespace {

constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::size_t kLineBytes = 320;  // Of most events; more only costs a second allocation.

template <class Integer>
void append_number(std::string& out, Integer number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

/// `number`, not negative, with zeros in front up to `width` digits.
void append_padded(std::string& out, std::int64_t number, std::size_t width) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    const auto count = static_cast<std::size_t>(end - digits.data());
    out.append(width > count ? width - count : 0, '0');
    out.append(digits.data(), end);
}

struct Date {
    std::int64_t year = 0;
    std::int64_t month = 0;  // 1..12
    std::int64_t day = 0;    // 1..31
};

/// The Gregorian date that lies `days` after 1970-01-01. Counts in years that begin in March, so
/// that a leap day is a year's last, and in eras of 400 years, which all have 146,097 days.
Date date_of(std::int64_t days) {
    constexpr std::int64_t kDaysPerEra = 146'097;
    constexpr std::int64_t kDaysToEpoch = 719'468;  // From 0000-03-01.
    const std::int64_t shifted = days + kDaysToEpoch;
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - (kDaysPerEra - 1)) / kDaysPerEra;
    const std::int64_t day_of_era = shifted - era * kDaysPerEra;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return {
        .year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1};
}

void append_utc(std::string& out, Instant at) {
    const std::int64_t all = at.since_epoch().count();
    std::int64_t microseconds = all % kMicrosecondsPerSecond;
    std::int64_t seconds = all / kMicrosecondsPerSecond;
    if (microseconds < 0) {
        microseconds += kMicrosecondsPerSecond;
        --seconds;
    }
    std::int64_t days = seconds / kSecondsPerDay;
    std::int64_t of_day = seconds % kSecondsPerDay;
    if (of_day < 0) {
        of_day += kSecondsPerDay;
        --days;
    }
    const Date date = date_of(days);
    if (date.year < 0) {
        out += '-';
    }
    append_padded(out, date.year < 0 ? -date.year : date.year, 4);
    out += '-';
    append_padded(out, date.month, 2);
    out += '-';
    append_padded(out, date.day, 2);
    out += 'T';
    append_padded(out, of_day / 3600, 2);
    out += ':';
    append_padded(out, of_day / 60 % 60, 2);
    out += ':';
    append_padded(out, of_day % 60, 2);
    out += '.';
    append_padded(out, microseconds, 6);
    out += 'Z';
}

constexpr bool needs_escape(char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

void append_escaped(std::string& out, char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    switch (c) {
        case '"':  out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default:   {
            const auto byte = static_cast<unsigned char>(c);
            out += "\\u00";
            out += kHex[byte >> 4U];
            out += kHex[byte & 0xFU];
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    std::size_t plain = 0;  // From here on nothing had to be escaped.
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (needs_escape(text[i])) {
            out.append(text, plain, i - plain);
            append_escaped(out, text[i]);
            plain = i + 1;
        }
    }
    out.append(text, plain);
    out += '"';
}

/// A JSON object that is being written.
class Object {
  public:
    explicit Object(std::string& out) : out_(out) { out_ += '{'; }

    std::string& key(std::string_view name) {
        if (!is_first_) {
            out_ += ',';
        }
        is_first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
        return out_;
    }

    void text(std::string_view name, std::string_view value) { append_quoted(key(name), value); }

    void text_if_any(std::string_view name, std::string_view value) {
        if (!value.empty()) {
            text(name, value);
        }
    }

    template <class Integer>
    void number(std::string_view name, Integer value) {
        append_number(key(name), value);
    }

    template <class Integer>
    void number_if_any(std::string_view name, const std::optional<Integer>& value) {
        if (value) {
            number(name, *value);
        }
    }

    void truth_if(std::string_view name, bool value) {
        if (value) {
            key(name) += "true";
        }
    }

    void time_if_any(std::string_view name, Instant value) {
        if (value != model::kNever) {
            std::string& out = key(name);
            out += '"';
            append_utc(out, value);
            out += '"';
        }
    }

    void end() { out_ += '}'; }

  private:
    std::string& out_;
    bool is_first_ = true;
};

template <class Function>
std::string name_by(const Function& function, auto id) {
    return function ? function(id) : std::string();
}

template <class Record>
const Record& record_of(const Put<Record>& put) {
    return put.after ? *put.after : put.before.value();
}

/// Writes the line of one change, up to what its kind has, and hands over the event.
class Line {
  public:
    Line(const Change& change, const Names& names) : change_(change), names_(names) {}

    Event operator()(const JobPut& put) const {
        const model::JobRecord& job = record_of(put);
        const std::string user = name_by(names_.user, job.user);
        Event event = begin(kind_of(put), "job/" + to_string(job.id), user);
        Object payload(event.json);
        if (put.texts) {
            payload.text("name", put.texts->name);
        }
        payload.text("state", word_of(model::state_of(job.counts)));
        payload.text("user", user);
        payload.text("project", name_by(names_.project, job.project));
        payload.number("priority", job.priority);
        put_counts(payload, job);
        payload.time_if_any("ended_at", job.ended_at);
        if (const std::optional<model::JobEnd> end = model::end_of(job)) {
            payload.text("reason", word_of(end->reason));
            payload.text_if_any("message", end->message);
        }
        finish(event, payload);
        return event;
    }

    Event operator()(const ElementPut& put) const {
        const model::ElementRecord& element = record_of(put);
        const std::string user = name_by(names_.user, put.user);
        const std::string word = put.after ? std::string(word_of(element.state)) : "removed";
        Event event =
            begin("element." + word, "element/" + to_string(element.key, put.is_array), user);
        Object payload(event.json);
        payload.number("job", element.key.job.value());
        payload.text("state", word_of(element.state));
        payload.text("user", user);
        payload.text("project", name_by(names_.project, put.project));
        payload.number("attempt", element.attempt);
        if (element.node != NodeId(0)) {
            payload.text("node", name_by(names_.node, element.node));
        }
        if (element.intent) {
            payload.text("intent", word_of(*element.intent));
        }
        put_end(payload, element);
        finish(event, payload);
        return event;
    }

    Event operator()(const Put<model::AllocationRecord>& put) const {
        const model::AllocationRecord& allocation = record_of(put);
        const std::string word = put.after ? std::string(word_of(allocation.state)) : "removed";
        const JobId job = allocation.task.element.job;
        Event event = begin(
            "allocation." + word, "allocation/" + std::to_string(allocation.id.value()),
            name_by(names_.owner, job));
        Object payload(event.json);
        payload.number("job", job.value());
        payload.text("task", to_string(allocation.task));
        payload.text("node", name_by(names_.node, allocation.node));
        payload.text("project", name_by(names_.project, allocation.project));
        payload.number("gpus", allocation.grant.gpus.size());
        payload.truth_if("quarantined", allocation.owner == model::AllocationOwner::kUnknown);
        payload.truth_if("external", allocation.owner == model::AllocationOwner::kExternal);
        finish(event, payload);
        return event;
    }

    Event operator()(const NodePut& put) const {
        const model::NodeRecord& node = record_of(put);
        if (put.incident) {
            return incident_on(node.name, *put.incident);
        }
        Event event = begin(kind_of_node(put), "node/" + node.name, "");
        Object payload(event.json);
        payload.number("cpu_millicores", node.host.cpu_millicores);
        payload.number("memory_mib", node.host.memory_mib);
        payload.number("gpus", node.gpus.size());
        payload.truth_if("drained", node.is_drained);
        payload.text_if_any("reason", node.drain_reason);
        finish(event, payload);
        return event;
    }

    Event operator()(const Put<model::ProjectRecord>& put) const {
        const model::ProjectRecord& project = record_of(put);
        Event event =
            begin(put.after ? "project.changed" : "project.removed", "project/" + project.name, "");
        Object payload(event.json);
        if (project.parent) {
            payload.text("parent", name_by(names_.project, *project.parent));
        }
        payload.number_if_any("gpu_milli_max", project.quota.gpu_milli);
        payload.number_if_any("cpu_millicores_max", project.quota.cpu_millicores);
        payload.number_if_any("memory_mib_max", project.quota.memory_mib);
        payload.number_if_any("running_elements_max", project.quota.running_elements);
        payload.number_if_any("pending_elements_max", project.quota.pending_elements);
        payload.number("share", project.share);
        payload.number("guaranteed_gpu_milli", project.guaranteed_gpu_milli);
        finish(event, payload);
        return event;
    }

    Event operator()(const Put<model::BookingRecord>& put) const {
        const model::BookingRecord& booking = record_of(put);
        Event event = begin(kind_of_booking(put), "reservation/" + booking.name, "");
        Object payload(event.json);
        payload.time_if_any("start", booking.from);
        payload.time_if_any("end", booking.until);
        if (booking.project) {
            payload.text("project", name_by(names_.project, *booking.project));
        }
        payload.truth_if("maintenance", !booking.project);
        payload.number("nodes", booking.parts.size());
        finish(event, payload);
        return event;
    }

    /// Interning, idempotency, and who controlled a job: what that did has events of its own.
    template <class Record>
    Event operator()(const Put<Record>& /*put*/) const {
        return {.rev = change_.rev, .kind = "internal"};
    }

  private:
    static std::string kind_of(const JobPut& put) {
        if (!put.after) {
            return "job.removed";
        }
        if (!put.before) {
            return "job.submitted";
        }
        const bool ends =
            put.before->ended_at == model::kNever && put.after->ended_at != model::kNever;
        return ends ? "job.ended" : "job.changed";
    }

    /// Of a task that is disturbed it tells that task's owner alone.
    [[nodiscard]] Event incident_on(const std::string& node, const GpuIncident& incident) const {
        const std::string owner =
            incident.task ? name_by(names_.owner, incident.task->element.job) : std::string();
        Event event = begin(std::string(kind_of(incident.kind)), "gpu/" + incident.uuid, owner);
        Object payload(event.json);
        payload.text("node", node);
        if (incident.kind == GpuIncidentKind::kXid) {
            payload.number("xid", incident.xid);
        }
        if (incident.task) {
            payload.number("job", incident.task->element.job.value());
            payload.text("task", to_string(*incident.task));
        }
        payload.text_if_any("message", incident.text);
        finish(event, payload);
        return event;
    }

    static std::string_view kind_of(GpuIncidentKind kind) {
        switch (kind) {
            case GpuIncidentKind::kXid:       return "gpu.xid";
            case GpuIncidentKind::kLost:      return "gpu.lost";
            case GpuIncidentKind::kRestored:  return "gpu.restored";
            case GpuIncidentKind::kContested: return "gpu.conflict";
        }
        return "gpu.changed";  // Only if it was cast from a number.
    }

    static std::string kind_of_node(const Put<model::NodeRecord>& put) {
        if (!put.after) {
            return "node.removed";
        }
        return put.before ? "node.changed" : "node.added";
    }

    [[nodiscard]] std::string kind_of_booking(const Put<model::BookingRecord>& put) const {
        if (put.after) {
            return put.before ? "reservation.used" : "reservation.added";
        }
        const bool is_by_itself = change_.source.empty() && change_.actor == "reeve";
        return !is_by_itself                     ? "reservation.removed"
               : put.before->until <= change_.at ? "reservation.ended"
                                                 : "reservation.released";
    }

    /// The states that have elements, with how many; of a job with one element its state says it.
    static void put_counts(Object& payload, const model::JobRecord& job) {
        if (!job.is_array) {
            return;
        }
        Object counts(payload.key("elements"));
        for (std::size_t i = 0; i < model::kElementStates; ++i) {
            const auto state = static_cast<model::ElementState>(i);
            if (job.counts[state] > 0) {
                counts.number(word_of(state), job.counts[state]);
            }
        }
        counts.end();
    }

    static void put_end(Object& payload, const model::ElementRecord& element) {
        if (!element.end_reason) {
            return;
        }
        payload.text("reason", word_of(*element.end_reason));
        if (*element.end_reason == model::EndReason::kExitCode) {
            payload.number("exit_code", element.exit_code);
        }
        if (element.signal != 0) {
            payload.number("signal", element.signal);
        }
        payload.text_if_any("message", element.message);
    }

    [[nodiscard]] Event begin(std::string kind, std::string_view object, std::string user) const {
        Event event{.rev = change_.rev, .kind = std::move(kind), .user = std::move(user)};
        std::string& out = event.json;
        out.reserve(kLineBytes);
        Object line(out);
        line.number("revision", change_.rev.value());
        out += ",\"time\":\"";
        append_utc(out, change_.at);
        out += '"';
        line.text("kind", event.kind);
        line.text("object", object);
        line.text("actor", change_.actor);
        line.text_if_any("source", change_.source);
        line.text_if_any("request_id", change_.request_id);
        line.key("payload");
        return event;
    }

    static void finish(Event& event, Object& payload) {
        payload.end();
        event.json += '}';
    }

    const Change& change_;
    const Names& names_;
};

}  // namespace

Event event_of(const Change& change, const Names& names) {
    return std::visit(Line(change, names), change.body);
}

std::string format_utc(Instant at) {
    std::string out;
    append_utc(out, at);
    return out;
}

std::string json_quoted(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    append_quoted(out, text);
    return out;
}

}  // namespace reeve::ledger
