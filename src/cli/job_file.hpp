#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/job_spec.hpp"

namespace reeve::cli {

/// What the documents of a job file may say that they are; `reeve run --dry-run` writes it.
inline constexpr std::string_view kSpecKind = "job-spec";

inline constexpr std::size_t kJobFileBytesMax = 8U << 20U;
inline constexpr std::size_t kJobFileJobsMax = 1000;

/// The jobs of a YAML (or JSON) job file: documents of the shape of api/openapi.yaml's JobSpec,
/// separated by "---". Under command, env and labels a number is taken for its text.
/// Errors: kInvalid, naming document and field; kTooLarge.
[[nodiscard]] Result<std::vector<model::JobSpec>> parse_job_file(std::string_view yaml);

}  // namespace reeve::cli
