// What a program reads of each verb: documents that say what they are.
#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "cli/job_file.hpp"
#include "cli/verb_call.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kEmpty = R"({"items":[],"as_of":{"revision":3}})";
constexpr const char* kOne = R"({"items":[{"id":7,"name":"x"}],"as_of":{"revision":3}})";

/// A verb, what the server answers it, and the kind of document that comes of that.
struct Case {
    std::string verb;
    Words words;
    Words answers;
    std::string kind;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all = {
        {"q",               {},                    {kOne},                              "job-list"            },
        {"q",               {"7"},                 {R"({"id":7})"},                     "job-list"            },
        {"show",            {"7"},                 {R"({"id":7})"},                     "job"                 },
        {"why",             {"7"},                 {R"({"state":"running"})"},          "why"                 },
        {"when",            {"7"},                 {R"({"kind":"held"})"},              "when"                },
        {"nodes",           {},                    {kOne},                              "node-list"           },
        {"node show",       {"jw1"},               {R"({"name":"jw1"})"},               "node"                },
        {"node drain",      {"jw1"},               {R"({"name":"jw1"})"},               "node"                },
        {"gpus",            {},                    {kOne},                              "gpu-list"            },
        {"gpu show",        {"GPU-1"},             {R"({"items":[{"uuid":"GPU-1"}]})"}, "gpu"                 },
        {"free",            {},                    {kEmpty},                            "free-list"           },
        {"top",             {},                    {kOne, kEmpty},                      "gpu-list"            },
        {"project list",    {},                    {kOne},                              "project-list"        },
        {"project show",    {"a"},                 {R"({"name":"a"})"},                 "project"             },
        {"project add",     {"a"},                 {R"({"name":"a"})"},                 "project"             },
        {"quarantine list", {},                    {kEmpty},                            "quarantine-task-list"},
        {"server backup",   {"/b"},                {R"({"path":"/b"})"},                "backup"              },
        {"version",         {},                    {},                                  "version"             },
        {"run",             {"--dry-run", "true"}, {},                                  "job-spec"            },
        {"run",             {"-d", "true"},        {R"({"id":7})"},                     "submission"          },
        {"sim",             {"--drain", "jw1"},    {R"({"jobs":[]})"},                  "simulation"          },
    };
    return all;
}

std::string printed(const Case& of, const std::string& format) {
    FakeTransport server;
    for (const std::string& answer : of.answers) {
        server.answer(200, answer);
    }
    Words words = {"-o", format};
    words.insert(words.end(), of.words.begin(), of.words.end());
    const Call made = call(server, of.verb, words);
    EXPECT_TRUE(made.code) << of.verb << ": " << made.code.error().message;
    return made.out;
}

TEST(Output, DocumentsBeginWithWhatTheyAre) {
    for (const Case& one : cases()) {
        SCOPED_TRACE(one.verb);
        const std::string schema = schema_of(one.kind);
        const auto json = parse_json(printed(one, "json"));
        ASSERT_TRUE(json);
        ASSERT_TRUE(json->IsObject());
        EXPECT_EQ(std::string(json->MemberBegin()->name.GetString()), "schema");
        EXPECT_EQ(text_at(*json, "schema"), schema);
        EXPECT_TRUE(printed(one, "yaml").starts_with("schema: \"" + schema + "\"\n"));
    }
}

TEST(Output, EachJsonLineSaysWhatItIs) {
    constexpr std::string_view kList = "-list";
    for (const Case& one : cases()) {
        SCOPED_TRACE(one.verb);
        const bool is_list = one.kind.ends_with(kList);
        const std::string kind =
            is_list ? one.kind.substr(0, one.kind.size() - kList.size()) : one.kind;
        std::istringstream lines(printed(one, "jsonl"));
        for (std::string line; std::getline(lines, line);) {
            EXPECT_TRUE(line.starts_with(R"({"schema":")" + schema_of(kind) + R"(",)")) << line;
            EXPECT_TRUE(parse_json(line));
        }
    }
}

TEST(Output, EachKindIsDescribed) {
    const auto page = platform::read_file(
        std::string(REEVE_SOURCE_DIR) + "/docs/reference/output.md", std::size_t{1} << 20U);
    ASSERT_TRUE(page);
    for (const Case& one : cases()) {
        EXPECT_NE(page->find("`" + one.kind + "`"), std::string::npos) << one.kind;
    }
}

TEST(Output, TheComponentsOfTheApiThatItNamesAreThere) {
    constexpr std::size_t kMost = std::size_t{8} << 20U;
    const std::string source = REEVE_SOURCE_DIR;
    const auto page = platform::read_file(source + "/docs/reference/output.md", kMost);
    const auto api = platform::read_file(source + "/api/openapi.yaml", kMost);
    ASSERT_TRUE(page && api);
    std::istringstream lines(*page);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);) {
        const std::size_t end = line.rfind("` |");
        const std::size_t begin = end == std::string::npos ? end : line.rfind('`', end - 1);
        if (begin == std::string::npos || !line.starts_with("| `")) {
            continue;
        }
        const std::string name = line.substr(begin + 1, end - begin - 1);
        if (name.front() >= 'A' && name.front() <= 'Z') {
            ++count;
            EXPECT_NE(api->find("\n    " + name + ":"), std::string::npos) << name;
        }
    }
    EXPECT_GE(count, 9U);
}

TEST(Output, ADryRunIsAJobFile) {
    FakeTransport server;
    const Call made = call(server, "run", {"--dry-run", "--gpus", "0.25", "-o", "yaml", "true"});
    const auto jobs = parse_job_file(made.out);
    ASSERT_TRUE(jobs) << jobs.error().message;
    ASSERT_EQ(jobs->size(), 1U);
    EXPECT_EQ(jobs->front().execution.argv, Words{"true"});
    const auto other = parse_job_file("schema: reeve.job/v1\ncommand: [x]\n");
    ASSERT_FALSE(other);
    EXPECT_EQ(
        other.error().message,
        "schema: this is a 'reeve.job/v1'; a job file is a reeve.job-spec/v1, or says nothing of "
        "it");
}

}  // namespace
}  // namespace reeve::cli
