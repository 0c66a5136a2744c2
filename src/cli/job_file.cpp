#include "cli/job_file.hpp"

#include <string>

#include "cli/yaml_json.hpp"

namespace reeve::cli {

Result<std::vector<model::JobSpec>> parse_job_file(std::string_view yaml) {
    const auto documents = json_of_yaml(yaml, {"command", "env", "labels"});
    if (!documents) {
        return tl::unexpected<Error>(documents.error());
    }
    std::vector<model::JobSpec> jobs;
    for (std::size_t i = 0; i < documents->size(); ++i) {
        auto spec = model::parse_job_spec((*documents)[i]);
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
