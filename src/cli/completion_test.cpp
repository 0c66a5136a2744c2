// What the shells read for completion, and what they are answered.
#include <algorithm>

#include <gtest/gtest.h>

#include "cli/completion_scripts.hpp"
#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

TEST(Completion, EveryShellAsksTheProgram) {
    EXPECT_EQ(
        completion_shells(),
        (std::vector<std::string>{"bash", "zsh", "fish", "powershell", "elvish"}));
    for (const std::string& shell : completion_shells()) {
        SCOPED_TRACE(shell);
        const std::string_view script = completion_script(shell);
        EXPECT_NE(script.find("reeve __complete "), std::string_view::npos);
        EXPECT_NE(script.find("reeve completion " + shell), std::string_view::npos);
        EXPECT_TRUE(script.ends_with('\n'));
        for (const auto& [open, close] : {std::pair('{', '}'), std::pair('[', ']')}) {
            EXPECT_EQ(std::ranges::count(script, open), std::ranges::count(script, close));
        }
    }
    EXPECT_EQ(completion_script("tcsh"), "");
}

TEST(Completion, OfPowerShellHandsOnAnEmptyWordAndKeepsWhatBeginsSo) {
    const std::string_view script = completion_script("powershell");
    for (const char* part :
         {"Register-ArgumentCompleter -Native -CommandName reeve", "'\"\"'",
          "StartsWith($wordToComplete", "[System.Management.Automation.CompletionResult]::new("}) {
        EXPECT_NE(script.find(part), std::string_view::npos) << part;
    }
}

TEST(Completion, KnowsNodesGpusAndProjects) {
    struct Case {
        std::vector<std::string> words;
        const char* path;
        const char* answer;
        const char* want;
    };

    const std::vector<Case> cases = {
        {{"node", "drain", ""},
         "GET /api/v1/nodes",    R"({"items":[{"name":"jw1","state":"ready"}]})",
         "jw1\tready\n"},
        {{"gpu", "show", "GPU"},
         "GET /api/v1/gpus",     R"({"items":[{"uuid":"GPU-1","model":"A30"}]})",
         "GPU-1\tA30\n"},
        {{"project", "set", ""},
         "GET /api/v1/projects", R"({"items":[{"name":"vision"}]})",
         "vision\t\n"  },
    };
    for (const Case& one : cases) {
        FakeTransport server;
        server.answer(200, one.answer);
        const Call made = call(server, "__complete", {}, Out::kPipe, one.words);
        EXPECT_EQ(made.out, one.want);
        EXPECT_EQ(asked_of(server), std::vector<std::string>{one.path});
    }
}

TEST(Completion, KnowsTheValuesOfFlags) {
    FakeTransport server;
    server.answer(200, R"({"items":[{"name":"vision"}]})");
    EXPECT_EQ(
        call(server, "__complete", {}, Out::kPipe, {"run", "--project", ""}).out, "vision\t\n");
    const std::string states = call(server, "__complete", {}, Out::kPipe, {"q", "--state", ""}).out;
    EXPECT_NE(states.find("timed_out\tstate\n"), std::string::npos) << states;
    EXPECT_EQ(states.find("@me"), std::string::npos) << states;
    const std::string formats = call(server, "__complete", {}, Out::kPipe, {"run", "-o", ""}).out;
    EXPECT_NE(formats.find("jsonl\tformat\n"), std::string::npos) << formats;
    EXPECT_EQ(call(server, "__complete", {}, Out::kPipe, {"run", "--workdir", ""}).out, "");
}

}  // namespace
}  // namespace reeve::cli
