// How times are shown: to a person by the clock on the wall, to a program as RFC 3339 in UTC.
#include <cstdlib>

#include <gtest/gtest.h>

#include "cli/verb_call.hpp"

namespace reeve::cli {
namespace {

/// What the verb prints for somebody in Berlin.
std::string in_berlin(
    const std::vector<std::string>& answers,
    std::string_view verb,
    const std::vector<std::string>& words,
    Out kind) {
    FakeTransport server;
    for (const std::string& answer : answers) {
        server.answer(200, answer);
    }
    ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    Call made = call(server, verb, words, kind);
    ::unsetenv("TZ");
    EXPECT_TRUE(made.code) << made.code.error().message;
    return made.out;
}

void expect(const std::string& text, const std::string& part, bool is_there = true) {
    EXPECT_EQ(text.find(part) != std::string::npos, is_there) << part << "\n" << text;
}

TEST(Times, OfAJobAndItsTimelineAreLocalOnATerminal) {
    const std::vector<std::string> answers = {
        R"({"id":7,"state":"queued","submitted_at":"2024-07-01T22:30:00.5Z"})",
        R"({"items":[{"at":"2024-07-01T22:30:00.5Z","kind":"job.submit","object":"job/7"}]})"};
    const std::string people = in_berlin(answers, "show", {"7"}, Out::kTerminal);
    expect(people, "  submitted  2024-07-02 00:30:00 CEST  ");
    expect(people, "\n  2024-07-02 00:30:00 CEST (");
    expect(people, " ago)  job/7");
    const std::string pipe = in_berlin(answers, "show", {"7"}, Out::kPipe);
    expect(pipe, "  submitted  2024-07-01T22:30:00.5Z  ");
    expect(pipe, "\n  2024-07-01T22:30:00.5Z  job/7");
    expect(pipe, "CEST", false);
}

TEST(Times, OfWideTablesAreLocalOnATerminal) {
    const std::vector<std::string> answers = {
        R"({"items":[{"id":7,"state":"queued","submitted_at":"2024-01-01T12:00:00Z"}]})"};
    expect(in_berlin(answers, "q", {"-o", "wide"}, Out::kTerminal), " 2024-01-01 13:00:00 CET (");
    expect(in_berlin(answers, "q", {"-o", "wide"}, Out::kPipe), "CET", false);
}

TEST(Times, OfProgramsAreUtcOnATerminalToo) {
    const std::vector<std::string> answers = {
        R"({"items":[{"id":7,"state":"queued","submitted_at":"2024-01-01T12:00:00Z"}]})"};
    for (const char* format : {"json", "jsonl", "yaml", "csv"}) {
        const std::string text = in_berlin(answers, "q", {"-o", format}, Out::kTerminal);
        expect(text, "2024-01-01T12:00:00Z");
        expect(text, "CET", false);
    }
}

TEST(Times, WhenAJobStartsIsLocalOnATerminal) {
    const std::vector<std::string> answers = {
        R"({"kind":"expected","expected_at":"2199-01-01T12:00:00Z"})"};
    expect(in_berlin(answers, "when", {"7"}, Out::kTerminal), " (2199-01-01 13:00:00 CET)");
    expect(in_berlin(answers, "when", {"7"}, Out::kPipe), " (2199-01-01T12:00:00Z)");
}

}  // namespace
}  // namespace reeve::cli
