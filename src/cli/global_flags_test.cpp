// --verbose, --ascii, --no-input: the flags of all verbs.
#include <algorithm>
#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/ascii_output.hpp"
#include "cli/environment.hpp"
#include "cli/verb_call.hpp"
#include "cli/verbose_transport.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

using Words = std::vector<std::string>;

std::string in_ascii(const std::string& text, AsciiBuffer::Style style) {
    std::ostringstream out;
    std::ostringstream err;
    {
        AsciiOutput ascii(out, err);
        ascii.turn_on();
        ascii.set_style(style);
        out << text.substr(0, text.size() / 2);
        out << text.substr(text.size() / 2) << std::flush;
        err << text;
    }
    out << "é";
    EXPECT_TRUE(std::ranges::all_of(err.str(), [](char c) {
        return static_cast<signed char>(c) >= 0;
    })) << err.str();
    EXPECT_TRUE(out.str().ends_with("é"));
    return out.str().substr(0, out.str().size() - 2);
}

TEST(Ascii, HasWordsForWhatPeopleRead) {
    using enum AsciiBuffer::Style;

    struct Case {
        std::string text;
        AsciiBuffer::Style style;
        std::string want;
    };

    const std::vector<Case> cases = {
        {"TARGET… “a” 2 × ✓", kWords, "TARGET... \"a\" 2 x +"              },
        {"größe 日本 😀",     kWords, "gr??e ?? ?"                         },
        {"\x1b[2Ja\n",        kWords, "\x1b[2Ja\n"                         },
        {"a\xC3",             kWords, "a?"                                 },
        {"\xC3\xC3\xA9\x80-", kWords, "?\?\?-"                             },
        {"\xF0\x9F(",         kWords, "?("                                 },
        {R"({"a":"é😀…"})",   kJson,  R"({"a":"\u00e9\ud83d\ude00\u2026"})"},
        {"a: \"é😀\"",        kYaml,  R"(a: "\u00e9\U0001f600")"           },
    };
    for (const Case& one : cases) {
        EXPECT_EQ(in_ascii(one.text, one.style), one.want);
    }
}

struct Made {
    int code = 0;
    std::string out;
    std::string err;
};

Made reeve(const Words& words, bool is_in_terminal = false) {
    std::ostringstream out;
    std::ostringstream err;
    const CliEnvironment environment{
        .version = "1é", .out = out, .err = err, .is_in_terminal = is_in_terminal};
    const int code = run_cli(words, environment);
    return {code, out.str(), err.str()};
}

bool is_ascii(const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<signed char>(c) >= 0; });
}

TEST(As, IsAUsersName) {
    for (const char* name : {"a b", "-x=", ".a", "a\r\nX-Other: b", "ö"}) {
        const Made made = reeve({"q", "--as", name, "-s", "unix:/nonexistent/reeve.sock"});
        EXPECT_EQ(made.code, 2) << name;
        EXPECT_NE(made.err.find("is no user's name, which has 1 to 64 of"), std::string::npos)
            << made.err;
    }
    EXPECT_EQ(reeve({"--as", "ada", "gpu", "sim", "list", "--state", "/x"}).code, 8)
        << "this one has no simulation; the flag is no fault";
}

TEST(Ascii, IsOfHelpErrorsAndDocuments) {
    for (const Words& words : {
             Words{"--ascii", "--help"},
             Words{"--ascii", "q", "--help"},
             Words{"run", "--ascii", "--help"},
             Words{"help", "stop", "--ascii"},
             Words{"--ascii", "project", "--help"},
             Words{"--ascii", "nösuch"},
             Words{"--ascii", "-s", "unix:/ü"},
             Words{"version", "--ascii"},
    }) {
        const Made made = reeve(words);
        EXPECT_TRUE(is_ascii(made.out + made.err)) << made.out << made.err;
        EXPECT_FALSE((made.out + made.err).empty());
    }
    EXPECT_FALSE(is_ascii(reeve({"--help"}).out));
    const Made document = reeve({"version", "--ascii", "-o", "jsonl"});
    EXPECT_EQ(
        document.out, R"({"schema":"reeve.version/v1","version":"1\u00e9"})"
                      "\n");
}

TEST(Ascii, OfTheCommandIsTheCommands) {
    const Made made = reeve({"run", "--dry-run", "-o", "jsonl", "-C", "/d", "é", "--ascii"});
    EXPECT_NE(made.out.find(R"(["é","--ascii"])"), std::string::npos) << made.out << made.err;
}

TEST(Verbose, TellsRequestsAndAnswersAndNoBodies) {
    FakeTransport server;
    server.per_answer = std::chrono::microseconds(12'340);
    server.answer(200, R"({"id":7,"state":"queued"})");
    server.unavailable();
    server.answer(200, R"({"items":[]})");
    const Call made = call(server, "show", {"-v", "7", "-o", "name"});
    EXPECT_EQ(made.out, "7\n");
    EXPECT_EQ(
        made.err,
        "> GET /api/v1/jobs/7?include=spec\n"
        "< 200, 12.3 ms, GET /api/v1/jobs/7?include=spec, 25 bytes\n");
}

TEST(Verbose, KeepsTokensAndEnvironmentsToItself) {
    FakeTransport server;
    server.answer(422, R"({"code":"POLICY","detail":"no"})");
    std::vector<std::string> lines;
    VerboseTransport told(
        server, [] { return std::chrono::microseconds(0); },
        [&](const std::string& line) { lines.push_back(line); });
    HttpRequest request{.method = "POST", .target = "/api/v1/jobs", .body = "{secret}"};
    request.headers = {"Authorization: Bearer secret"};
    EXPECT_EQ(told.send(request)->status, 422);
    EXPECT_EQ(
        lines,
        (Words{"> POST /api/v1/jobs, 8 bytes", "< 422, 0.0 ms, POST /api/v1/jobs, 31 bytes"}));
    EXPECT_EQ(server.asked[0].headers, request.headers);
}

TEST(Verbose, TellsWhenAStreamIsOpen) {
    FakeTransport server;
    server.streams.push_back({
        .parts = {"a", "b"}
    });
    std::vector<std::string> lines;
    VerboseTransport told(
        server, [] { return std::chrono::microseconds(0); },
        [&](const std::string& line) { lines.push_back(line); });
    std::string text;
    StreamListener listener;
    listener.on_bytes = [&](std::string_view part) {
        text += part;
        EXPECT_EQ(lines.size(), 2U);
        return Go::kOn;
    };
    EXPECT_TRUE(told.stream({.target = "/x"}, listener));
    EXPECT_EQ(text, "ab");
    EXPECT_EQ(lines, (Words{"> GET /x", "< 200, 0.0 ms, GET /x"}));
}

TEST(NoInput, RefusesToReadTheTerminal) {
    const Made made = reeve({"run", "--no-input", "-f", "-"}, true);
    EXPECT_EQ(made.code, 2);
    EXPECT_NE(made.err.find("(-f FILE)"), std::string::npos) << made.err;
}

TEST(Given, AnEmptyVariableIsNotSet) {
    ASSERT_EQ(::setenv("REEVE_OUTPUT", "", 1), 0);
    EXPECT_EQ(reeve({"version"}).code, 0);
    ASSERT_EQ(::unsetenv("REEVE_OUTPUT"), 0);
}

TEST(Given, FilesThatCannotBeMeantAreRefused) {
    const std::string path = testing::TempDir() + "reeve-given-" + std::to_string(::getpid());
    ASSERT_TRUE(platform::write_file(path, "abc\nX-Other: 1\n", 0600));
    const Made token = reeve({"q", "--token-file", path, "-s", "http://127.0.0.1:1"});
    EXPECT_EQ(token.code, 2);
    EXPECT_NE(token.err.find(path + " has no token in it"), std::string::npos) << token.err;
    ASSERT_TRUE(platform::write_file(path + ".sh", "#!/bin/sh\r\necho\r\n", 0700));
    const Made script = reeve({"run", "--dry-run", path + ".sh"});
    EXPECT_EQ(script.code, 2);
    EXPECT_NE(script.err.find("lines that end in CRLF"), std::string::npos) << script.err;
    ::unlink(path.c_str());
    ::unlink((path + ".sh").c_str());
}

}  // namespace
}  // namespace reeve::cli
