#include "cli/kubectl_words.hpp"

#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>

#include "cli/environment.hpp"
#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

TEST(KubectlWords, BecomeOurs) {
    struct Case {
        Words theirs;
        Words ours;
    };

    const std::vector<Case> cases = {
        {{"get", "jobs"},                   {"q"}                   },
        {{"get", "job", "7", "-o", "wide"}, {"q", "7", "-o", "wide"}},
        {{"get", "job/7"},                  {"q", "7"}              },
        {{"get", "nodes"},                  {"nodes"}               },
        {{"get", "gpu"},                    {"gpus"}                },
        {{"get", "projects"},               {"project", "list"}     },
        {{"describe", "job", "7"},          {"show", "7"}           },
        {{"describe", "node", "jw2"},       {"node", "show", "jw2"} },
        {{"describe", "gpu/GPU-1"},         {"gpu", "show", "GPU-1"}},
        {{"delete", "jobs", "-l", "a=b"},   {"stop", "-l", "a=b"}   },
    };
    for (const Case& one : cases) {
        EXPECT_TRUE(is_kubectl_verb(one.theirs.front()));
        EXPECT_EQ(from_kubectl(one.theirs).value(), one.ours);
    }
    EXPECT_FALSE(is_kubectl_verb("q"));
}

TEST(KubectlWords, OfWhatIsNotHereSayWhatIs) {
    EXPECT_EQ(
        from_kubectl({"get", "pods"}).error().message,
        "`reeve get` takes jobs, nodes, gpus or projects, and not 'pods'");
    EXPECT_EQ(
        from_kubectl({"delete", "7"}).error().message,
        "`reeve delete` takes job, and not '7'; that is: reeve delete job 7");
    EXPECT_EQ(from_kubectl({"delete"}).error().message, "`reeve delete` takes job");
}

int reeve(const Words& words, std::string& out, std::string& err) {
    std::ostringstream to_out;
    std::ostringstream to_err;
    const CliEnvironment environment{.out = to_out, .err = to_err};
    const int code = run_cli(words, environment);
    out = to_out.str();
    err = to_err.str();
    return code;
}

TEST(KubectlWords, AreVerbsOfTheCommandLine) {
    std::string out;
    std::string err;
    EXPECT_EQ(reeve({"get", "--help"}, out, err), 0);
    EXPECT_NE(out.find("reeve get jobs [flags]   is: reeve q\n"), std::string::npos) << out;
    EXPECT_EQ(reeve({"get", "pods"}, out, err), 2);
    EXPECT_EQ(reeve({"-s", "unix:/nonexistent/x", "get", "jobs", "-A"}, out, err), 8) << err;
    EXPECT_EQ(reeve({"describe", "job", "--help"}, out, err), 0);
    EXPECT_NE(out.find("Usage: reeve show"), std::string::npos) << out;
    EXPECT_EQ(reeve({"descrbe", "7"}, out, err), 2);
    EXPECT_NE(err.find("did you mean `reeve describe job`?"), std::string::npos) << err;
}

TEST(QueueVerb, OfAllProjectsLooksPastTheEnvironment) {
    ::setenv("REEVE_PROJECT", "vision", 1);
    FakeTransport server;
    server.answer(200, R"({"items":[]})");
    EXPECT_TRUE(call(server, "q", {"-A"}).code);
    server.answer(200, R"({"items":[{"id":7}]})");
    EXPECT_TRUE(call(server, "q", {}).code);
    ::unsetenv("REEVE_PROJECT");
    EXPECT_EQ(asked_of(server)[0].find("project="), std::string::npos);
    EXPECT_NE(asked_of(server)[1].find("project=vision"), std::string::npos);
    EXPECT_EQ(
        call(server, "q", {"-A", "-p", "x"}).code.error().message,
        "-A means all projects, and -p one of them; give one of the two");
}

}  // namespace
}  // namespace reeve::cli
