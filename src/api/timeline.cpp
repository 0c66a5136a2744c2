#include "api/timeline.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/job_json.hpp"
#include "model/job_end.hpp"

namespace reeve::api {
namespace {

using model::ControlRecord;
using model::ElementRecord;
using model::ElementState;
using model::JobControl;

bool is_stop(JobControl control) {
    return control == JobControl::kStop || control == JobControl::kStopForced;
}

bool is_requeue(JobControl control) {
    return control == JobControl::kRequeue;
}

bool is_preemption(JobControl control) {
    return control == JobControl::kPreempt;
}

/// Which controls may have ended the attempt; null if it ended by itself.
bool (*what_ended(const ElementRecord& attempt))(JobControl) {
    if (attempt.state == ElementState::kCancelled) {
        return is_stop;
    }
    if (attempt.intent == model::StopIntent::kRequeue) {
        return is_requeue;
    }
    return attempt.intent == model::StopIntent::kPreempt ? is_preemption : nullptr;
}

class Timeline {
  public:
    explicit Timeline(const TimelinePage& page) : page_(page) {}

    void add_submitted() {
        const model::JobRecord& record = page_.job.record;
        add(record.submitted_at, "job.submitted", job_name(),
            [&](JsonText& json) { json.field("actor", page_.job.user); });
    }

    void add(const ControlRecord& control) {
        const bool is_of_element = control.index.has_value();
        const std::string kind =
            (is_of_element ? "element." : "job.") + std::string(word_of(control.control));
        const std::string object = is_of_element ? element_name(*control.index) : job_name();
        add(control.at, kind, object, [&](JsonText& json) {
            json.field("actor", control.actor);
            if (control.control == JobControl::kStopForced) {
                json.field("message", "without grace");
            }
        });
    }

    void add(const ElementRecord& attempt) {
        if (attempt.scheduled_at != model::kNever) {
            add_step(attempt, attempt.scheduled_at, "element.scheduled", [](JsonText&) {});
        }
        if (attempt.started_at != model::kNever) {
            add_step(attempt, attempt.started_at, "element.running", [](JsonText&) {});
        }
        if (attempt.ended_at != model::kNever) {
            // An attempt that another one follows has no end state of its own.
            const std::string kind = model::is_end(attempt.state)
                                         ? "element." + std::string(word_of(attempt.state))
                                         : "element.requeued";
            add_step(
                attempt, attempt.ended_at, kind, [&](JsonText& json) { write_end(json, attempt); });
        }
    }

    void add_ended() {
        const model::JobRecord& record = page_.job.record;
        add(record.ended_at, "job.ended", job_name(), [&](JsonText& json) {
            if (model::state_of(record.counts) == ElementState::kCancelled) {
                write_actor(json, last(record.ended_at, [](const ControlRecord& control) {
                                return is_stop(control.control);
                            }));
            }
            // Of one element that had attempts, its own end has said it.
            const bool has_attempts = page_.job.element || !page_.attempts.empty();
            const auto end = record.is_array ? model::end_of(record)
                             : has_attempts  ? std::nullopt
                                             : model::end_of_never_started(record);
            if (end) {
                json.field("reason", word_of(end->reason));
                if (!end->message.empty()) {
                    json.field("message", end->message);
                }
            }
        });
    }

    void write(JsonText& json) && {
        for (const auto& [at, entry] : entries_) {
            json.raw(entry);
        }
    }

  private:
    template <class Rest>
    void add(Instant at, std::string_view kind, const std::string& object, const Rest& rest) {
        JsonText json;
        json.begin_object();
        json.field("at", at);
        json.field("kind", kind);
        json.field("object", object);
        rest(json);
        json.end_object();
        entries_.emplace(at, json.take());
    }

    template <class Rest>
    void add_step(
        const ElementRecord& attempt, Instant at, std::string_view kind, const Rest& rest) {
        add(at, kind, element_name(attempt.key.index), [&](JsonText& json) {
            json.field("attempt", attempt.attempt);
            if (const auto* node = find_node(page_.view, attempt.node)) {
                json.field("node", node->record.name);
            }
            rest(json);
        });
    }

    void write_end(JsonText& json, const ElementRecord& attempt) const {
        if (const auto asked_by = what_ended(attempt)) {
            write_actor(json, last(attempt.ended_at, [&](const ControlRecord& control) {
                            return asked_by(control.control) &&
                                   control.index.value_or(attempt.key.index) == attempt.key.index;
                        }));
        }
        if (attempt.end_reason) {
            json.field("reason", word_of(*attempt.end_reason));
            if (*attempt.end_reason == model::EndReason::kExitCode) {
                json.field("exit_code", attempt.exit_code);
            }
        }
        if (attempt.signal != 0) {
            json.field("signal", attempt.signal);
        }
        if (!attempt.message.empty()) {
            json.field("message", attempt.message);
        }
    }

    /// The last control up to `at` that `is_it`.
    template <class Predicate>
    [[nodiscard]] const ControlRecord* last(Instant at, const Predicate& is_it) const {
        const auto& controls = page_.controls;
        const auto found = std::find_if(controls.rbegin(), controls.rend(), [&](const auto& any) {
            return any.at <= at && is_it(any);
        });
        return found == controls.rend() ? nullptr : &*found;
    }

    static void write_actor(JsonText& json, const ControlRecord* control) {
        if (control != nullptr) {
            json.field("actor", control->actor);
        }
    }

    [[nodiscard]] std::string job_name() const { return "job/" + to_string(page_.job.record.id); }

    [[nodiscard]] std::string element_name(std::uint32_t index) const {
        const model::JobRecord& record = page_.job.record;
        return "element/" + model::to_string({.job = record.id, .index = index}, record.is_array);
    }

    const TimelinePage& page_;
    std::multimap<Instant, std::string> entries_ = {};  // Equal times: as they were added.
};

}  // namespace

void write_timeline(JsonText& json, const TimelinePage& page) {
    Timeline timeline(page);
    if (page.is_first) {
        timeline.add_submitted();
        for (const ControlRecord& control : page.controls) {
            timeline.add(control);
        }
    }
    for (const ElementRecord& attempt : page.attempts) {
        timeline.add(attempt);
    }
    if (page.is_last && page.job.record.ended_at != model::kNever) {
        timeline.add_ended();
    }
    std::move(timeline).write(json);
}

}  // namespace reeve::api
