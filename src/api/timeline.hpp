#pragma once

#include <vector>

#include "api/json_text.hpp"
#include "controller/view.hpp"
#include "ledger/reader.hpp"
#include "model/records.hpp"

namespace reeve::api {

/// What a page of a job's timeline is made of. All references outlive it.
struct TimelinePage {
    const ledger::JobRow& job;
    const controller::View& view;
    const std::vector<model::ElementRecord>& attempts;  // Of this page.
    const std::vector<model::ControlRecord>& controls;  // All of the job, oldest first.
    bool is_first = true;
    bool is_last = true;
};

/// Writes the entries, schema TimelineEntry of api/openapi.yaml, oldest first: the submission and
/// what people asked of the job (on the first page), what happened to the attempts, the end (on the
/// last page). What a person caused names them.
void write_timeline(JsonText& json, const TimelinePage& page);

}  // namespace reeve::api
