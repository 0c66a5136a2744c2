#include "cli/job_file.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.hpp"
#include "cli/json.hpp"
#include "cli/render.hpp"
#include "cli/yaml_json.hpp"

namespace reeve::cli {

namespace {

std::string hint_on_command(const JsonValue& value) {
    std::string words;
    for (const std::string& word : split(value.IsString() ? value.GetString() : "", ' ')) {
        words += word.empty() ? "" : (words.empty() ? "" : ", ") + word;
    }
    return words.empty() ? "" : "write command: [" + words + "], or script: with a #! line";
}

std::string hint_on_array(const JsonValue& value) {
    const auto array = model::parse_array(value.IsString() ? value.GetString() : "");
    if (!array) {
        return "";
    }
    std::string hint = "write array: {first: " + std::to_string(array->first) +
                       ", last: " + std::to_string(array->last);
    hint += array->step > 1 ? ", step: " + std::to_string(array->step) : "";
    hint += array->running_max > 0 ? ", max_running: " + std::to_string(array->running_max) : "";
    return hint + "}";
}

std::string hint_on_time(const JsonValue& value) {
    const auto time = parse_duration(value.IsString() ? value.GetString() : "");
    return time ? "write time_limit_s: " + std::to_string(time->count()) : "";
}

/// Of a field that means something on the command line, or elsewhere in the file.
std::string hint_on_unknown(std::string_view field) {
    struct Row {
        std::string_view field;
        std::string_view hint;
    };

    constexpr auto kRows = std::to_array<Row>({
        {"gpus",        "write it under resources: {gpus: 1}"                },
        {"gpu",         "write it under resources: {gpus: 1}"                },
        {"gpu_model",   "write it under resources: {gpus: 1, gpu_model: a30}"},
        {"gpu_memory",  "write it under resources: {gpu_memory_mib: 10240}"  },
        {"cpus",        "write it under resources: {cpus: 4}"                },
        {"mem",         "write it under resources: {memory_mib: 8192}"       },
        {"memory",      "write it under resources: {memory_mib: 8192}"       },
        {"memory_mib",  "write it under resources: {memory_mib: 8192}"       },
        {"time",        "write time_limit_s, in seconds: time_limit_s: 14400"},
        {"time_limit",  "write time_limit_s, in seconds: time_limit_s: 14400"},
        {"environment", "write env: {NAME: VALUE}"                           },
        {"workdir",     "write working_dir"                                  },
    });
    const auto* const row = std::ranges::find(kRows, field, &Row::field);
    return row == kRows.end() ? "" : std::string(row->hint);
}

/// What to write in place of what `message` refuses in the job; "" if that is not known.
std::string hint_on(const std::string& json, const std::string& message) {
    struct Row {
        const char* field;
        std::string (*hint)(const JsonValue& value);
    };

    constexpr std::string_view kUnknown = "unknown field '";
    if (message.starts_with(kUnknown)) {
        const std::string_view rest = std::string_view(message).substr(kUnknown.size());
        return hint_on_unknown(rest.substr(0, rest.find('\'')));
    }
    const auto job = parse_json(json);
    for (const Row& row : {
             Row{"command",      hint_on_command},
             Row{"array",        hint_on_array  },
             Row{"time_limit_s", hint_on_time   },
    }) {
        const JsonValue* value = job ? find(*job, row.field) : nullptr;
        if (value != nullptr && message.starts_with(std::string(row.field) + ": ")) {
            return row.hint(*value);
        }
    }
    return "";
}

/// The document without its "schema", if it has one. Errors: kInvalid: it is of something else.
Result<std::string> without_schema(const std::string& document) {
    auto job = parse_json(document);
    if (!job || find(*job, "schema") == nullptr) {
        return document;
    }
    const std::string known = schema_of(kSpecKind);
    const std::string schema = text_at(*job, "schema");
    if (schema != known) {
        return fail(
            ErrorCode::kInvalid, "schema: this is a '" + schema + "'; a job file is a " + known +
                                     ", or says nothing of it");
    }
    job->RemoveMember("schema");
    return to_compact(*job);
}

/// One job. An error says what to write instead, where that is known.
Result<model::JobSpec> parse_document(const std::string& json) {
    const auto document = without_schema(json);
    auto spec = document ? model::parse_job_spec(*document) : tl::unexpected(document.error());
    const std::string hint = spec ? "" : hint_on(json, spec.error().message);
    return hint.empty() ? std::move(spec)
                        : fail(spec.error().code, spec.error().message + "; " + hint);
}

}  // namespace

Result<std::vector<model::JobSpec>> parse_job_file(std::string_view yaml) {
    const auto documents = json_of_yaml(yaml, {"command", "env", "labels"});
    if (!documents) {
        return tl::unexpected<Error>(documents.error());
    }
    std::vector<model::JobSpec> jobs;
    for (std::size_t i = 0; i < documents->size(); ++i) {
        auto spec = parse_document((*documents)[i]);
        if (!spec) {
            const std::string which =
                documents->size() > 1 ? "document " + std::to_string(i + 1) + ": " : "";
            return fail(spec.error().code, which + spec.error().message);
        }
        jobs.push_back(std::move(*spec));
    }
    if (jobs.empty() || jobs.size() > kJobFileJobsMax) {
        return jobs.empty() ? fail(ErrorCode::kInvalid, "there is no job in it")
                            : fail(ErrorCode::kTooLarge, "more than 1000 jobs; split the file");
    }
    return jobs;
}

}  // namespace reeve::cli
