#include "api/request_parser.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace reeve::api {
namespace {

using Progress = RequestParser::Progress;

struct Outcome {
    std::vector<Progress> progress = {};  // Without kNeedMore.
    std::size_t consumed = 0;
};

/// Feeds `text` in pieces of `piece` bytes, as a connection does, until one request is complete.
Outcome feed(RequestParser& parser, const std::string& text, std::size_t piece) {
    Outcome outcome;
    std::string waiting;
    std::size_t given = 0;
    while (true) {
        const RequestParser::Step step = parser.put(waiting);
        waiting.erase(0, step.consumed);
        outcome.consumed += step.consumed;
        if (step.progress == Progress::kNeedMore) {
            if (given == text.size()) {
                return outcome;
            }
            waiting += text.substr(given, piece);
            given = std::min(text.size(), given + piece);
            continue;
        }
        outcome.progress.push_back(step.progress);
        if (step.progress != Progress::kHead) {
            return outcome;
        }
        parser.limit_body(10);
    }
}

TEST(RequestParser, SaysTheSameHoweverTheBytesCome) {
    struct Case {
        const char* name;
        std::string text;
        std::vector<Progress> want;
    };

    const std::string host = "Host: a\r\n";
    const std::vector<Case> cases = {
        {"no body", "GET / HTTP/1.1\r\n" + host + "\r\n", {Progress::kHead, Progress::kComplete}},
        {"HTTP/1.0 needs no host",
         "GET / HTTP/1.0\r\n\r\n", {Progress::kHead, Progress::kComplete}},
        {"a body",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc",
         {Progress::kHead, Progress::kComplete}},
        {"half a body",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nab",
         {Progress::kHead}},
        {"chunks",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         {Progress::kHead, Progress::kComplete}},
        {"chunks over the limit",
         "POST / HTTP/1.1\r\n" + host +
             "Transfer-Encoding: chunked\r\n\r\n8\r\nabcdefgh\r\n8\r\nabcdefgh\r\n0\r\n\r\n", {Progress::kHead, Progress::kBodyTooLarge}},
        {"no host", "GET / HTTP/1.1\r\n\r\n", {Progress::kBad}},
        {"two hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", {Progress::kBad}},
        {"two lengths",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
         {Progress::kBad}},
        {"length and chunks",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         {Progress::kBad}},
        {"an encoding that we do not speak",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n",
         {Progress::kBad}},
        {"a negative length",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n",
         {Progress::kBad}},
        {"another version", "GET / HTTP/2.0\r\n" + host + "\r\n", {Progress::kBad}},
        {"not HTTP", "\x16\x03\x01\x02 hello there, this is TLS\r\n\r\n", {Progress::kBad}},
        {"a head of one line too long",
         "GET /" + std::string(kHeadBytesMax, 'a') + " HTTP/1.1\r\n" + host + "\r\n",
         {Progress::kHeadTooLarge}},
    };
    for (const Case& c : cases) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, c.text.size()}) {
            SCOPED_TRACE(std::string(c.name) + " by " + std::to_string(piece));
            RequestParser parser;
            EXPECT_EQ(feed(parser, c.text, piece).progress, c.want);
        }
    }
}

TEST(RequestParser, LimitsTheHeadAsAWholeNotEachPiece) {
    const std::string line = "X-A: " + std::string(1000, 'a') + "\r\n";
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 15; ++i) {
        text += line;
    }
    RequestParser small;
    EXPECT_EQ(feed(small, text + "\r\n", line.size()).progress.front(), Progress::kHead);
    RequestParser large;
    text += line + line;
    EXPECT_EQ(
        feed(large, text + "\r\n", line.size()).progress,
        std::vector<Progress>{Progress::kHeadTooLarge});
}

TEST(RequestParser, TheRequestLineIsPartOfTheHead) {
    const std::string half(kHeadBytesMax / 2, 'a');
    const std::string line = "GET /" + half + " HTTP/1.1\r\n";
    RequestParser parser;
    EXPECT_EQ(
        feed(parser, line + "Host: a\r\nX-A: " + half + "\r\n\r\n", line.size()).progress,
        std::vector<Progress>{Progress::kHeadTooLarge});
}

TEST(RequestParser, LeavesTheNextRequestAlone) {
    const std::string first = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    RequestParser parser;
    const Outcome outcome = feed(parser, first + "GET /b HTTP/1.1\r\n", 1000);
    EXPECT_EQ(outcome.consumed, first.size());
    EXPECT_EQ(parser.take_body(), "hi");
}

TEST(RequestParser, ShowsWhatWasAsked) {
    RequestParser parser;
    const Outcome outcome = feed(
        parser,
        "PUT /x?y=1 HTTP/1.1\r\nhost: h:1\r\nidempotency-key: k\r\nif-match: \"7\"\r\nExpect: "
        "100-continue\r\n"
        "Connection: close\r\nContent-Length: 5\r\n\r\n",
        1000);
    ASSERT_EQ(outcome.progress, std::vector<Progress>{Progress::kHead});
    HttpRequest request;
    parser.fill(request);
    EXPECT_EQ(request.method, Method::kPut);
    EXPECT_EQ(request.target, "/x?y=1");
    EXPECT_EQ(request.fields.host, "h:1");
    EXPECT_EQ(request.fields.idempotency_key, "k");
    EXPECT_EQ(request.fields.if_match, "\"7\"");
    EXPECT_EQ(request.fields.origin, "");
    EXPECT_EQ(parser.content_length(), 5U);
    EXPECT_TRUE(parser.expects_continue());
    EXPECT_FALSE(parser.keeps_alive());
}

}  // namespace
}  // namespace reeve::api
