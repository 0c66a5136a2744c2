#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/json_text.hpp"
#include "controller/forecast_sheet.hpp"
#include "controller/reason_log.hpp"
#include "controller/view.hpp"
#include "controller/when.hpp"
#include "controller/why.hpp"
#include "ledger/reader.hpp"
#include "model/records.hpp"

namespace reeve::api {

/// What is known of a job beside its row. Absent: left out of its JSON.
struct JobExtras {
    std::optional<std::uint64_t> position = {};
    std::optional<model::AllocationRecord> allocation = {};  // Of its one element.
    std::string reason = {};
    std::string spec_json = {};
};

/// The schemas Job, Element and Why of api/openapi.yaml.
void write_job(
    JsonText& json,
    const ledger::JobRow& job,
    const controller::View& view,
    const JobExtras& extras);

void write_element(
    JsonText& json,
    const model::ElementRecord& element,
    const controller::View& view,
    const std::optional<model::AllocationRecord>& allocation);

/// "history", if there is any.
void write_history(JsonText& json, const std::vector<controller::ReasonSpan>& spans);

/// "forecast", if samples say when it starts.
void write_forecast(
    JsonText& json,
    const controller::Outlook& outlook,
    const controller::ForecastSheet& sheet,
    const controller::View& view,
    Instant now);

/// The fields of when it starts, but as_of.
void write_when(
    JsonText& json,
    const ledger::JobRow& job,
    const controller::When& when,
    const controller::View& view);

/// The part of Why that comes after what it is about.
void write_reasons(JsonText& json, const controller::Waiter& waiter, const controller::Why& why);

void write_why(JsonText& json, const controller::Waiter& waiter, const controller::Why& why);

void write_as_of(JsonText& json, std::uint64_t incarnation, Revision rev, Instant now);
void write_position(JsonText& json, std::uint64_t position);

/// One word for why a pending job waits: of its first blocker.
[[nodiscard]] std::string reason_word(const controller::Why& why);

/// The allocation if the view still has it: of what lives.
[[nodiscard]] std::optional<model::AllocationRecord> live_allocation(
    const controller::View& view, const model::ElementRecord& element);

[[nodiscard]] const controller::NodeStatus* find_node(const controller::View& view, NodeId id);

}  // namespace reeve::api
