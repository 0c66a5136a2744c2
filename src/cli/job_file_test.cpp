#include "cli/job_file.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

constexpr std::size_t kPageBytesMax = 1 << 20;

std::string page(const std::string& path) {
    return platform::read_file(std::string(REEVE_SOURCE_DIR) + path, kPageBytesMax).value();
}

/// The names that the parser accepts beside the unknown field "x" of `json`.
std::vector<std::string> accepted_in(const std::string& json) {
    constexpr std::string_view kAccepted = "(accepted: ";
    const std::string said = model::parse_job_spec(json).error().message;
    const std::size_t at = said.find(kAccepted);
    if (at == std::string::npos) {
        ADD_FAILURE() << said;
        return {};
    }
    std::vector<std::string> names;
    for (const std::string& name :
         split(said.substr(at + kAccepted.size(), said.size() - at - kAccepted.size() - 1), ',')) {
        names.push_back(name.starts_with(' ') ? name.substr(1) : name);
    }
    return names;
}

TEST(JobFilePage, DescribesEveryField) {
    struct Object {
        std::string prefix;
        std::string json;
    };

    const std::vector<Object> objects = {
        {"",           R"({"x":1})"              },
        {"resources.", R"({"resources":{"x":1}})"},
        {"array.",     R"({"array":{"x":1}})"    },
        {"retries.",   R"({"retries":{"x":1}})"  },
        {"stop.",      R"({"stop":{"x":1}})"     },
        {"",           R"({"after":[{"x":1}]})"  },
    };
    const std::string told = page("/docs/reference/job-file.md");
    const std::string example = page("/deploy/examples/job.yaml");
    for (const Object& object : objects) {
        for (const std::string& name : accepted_in(object.json)) {
            const bool has_rows = told.find("`" + name + ".") != std::string::npos;
            EXPECT_TRUE(has_rows || told.find("`" + object.prefix + name + "`") != told.npos)
                << object.prefix << name << " is not in the page";
            EXPECT_NE(example.find(name + ":"), std::string::npos)
                << object.prefix << name << " is not in the example";
        }
    }
}

TEST(JobFilePage, HasExamplesThatAreRead) {
    const auto jobs = parse_job_file(page("/deploy/examples/job.yaml"));
    ASSERT_TRUE(jobs) << jobs.error().message;
    ASSERT_EQ(jobs->size(), 2U);
    EXPECT_EQ((*jobs)[0].execution.argv.back(), "7");
    EXPECT_EQ((*jobs)[0].terms.gpus, (model::GpuAsk{2, 0, 20480, "a30"}));
    EXPECT_EQ((*jobs)[0].terms.array->running_max, 1U);
    EXPECT_EQ((*jobs)[1].terms.gpus.milli, 250);
    EXPECT_TRUE(parse_job_file(page("/deploy/examples/submit.yaml")));

    const std::string told = page("/docs/reference/job-file.md");
    constexpr std::string_view kFence = "```yaml\n";
    const std::size_t begin = told.find(kFence) + kFence.size();
    const auto shown = parse_job_file(told.substr(begin, told.find("```", begin) - begin));
    ASSERT_TRUE(shown) << shown.error().message;
    EXPECT_EQ(shown->size(), 2U);
}

TEST(JobFilePage, HasTheDefaultsThatThereAre) {
    const auto jobs = parse_job_file("command: [a]");
    ASSERT_TRUE(jobs);
    const model::JobTerms& terms = jobs->front().terms;
    EXPECT_EQ(terms.cpu_millicores, 1000);
    EXPECT_EQ(terms.retry_backoff_s, 10);
    EXPECT_EQ(jobs->front().execution.stop_grace_s, 30);
    EXPECT_EQ(model::signal_name(jobs->front().execution.stop_signal), "TERM");
    EXPECT_EQ(terms.project, "default");
}

}  // namespace
}  // namespace reeve::cli
