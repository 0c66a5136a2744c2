#include "api/gzip.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

#include "api/http_server_world.hpp"

namespace reeve::api {
namespace {

std::string unpacked(const std::string& packed) {
    z_stream stream = {};
    EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    std::string copy = packed;
    std::string out(1U << 20U, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(copy.data());
    stream.avail_in = static_cast<uInt>(copy.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) {
            return value;
        }
    }
    return "";
}

class GzipTest : public HttpServerTest {};

TEST(Gzip, IsTakenWhereTheClientSaysSo) {
    for (const char* yes :
         {"gzip", "GZIP", "x-gzip", "deflate, gzip;q=0.5, br", " gzip ; q=1.0", "*", "br, *;q=0.1",
          "gzip;q=0.001"}) {
        EXPECT_TRUE(accepts_gzip(yes)) << yes;
    }
    for (const char* no :
         {"", "identity", "br", "gzip;q=0", "gzip; Q=0.000", "*;q=0", "gzip;q=0, *", "gzipped",
          "deflate"}) {
        EXPECT_FALSE(accepts_gzip(no)) << no;
    }
}

TEST(Gzip, PacksJsonThatIsLargeEnough) {
    const std::string large(kGzipLeast, '7');
    HttpResponse packed{.body = large};
    compress(packed, true);
    EXPECT_EQ(header(packed, "Content-Encoding"), "gzip");
    EXPECT_EQ(header(packed, "Vary"), "Accept-Encoding");
    EXPECT_LT(packed.body.size(), large.size() / 10);
    EXPECT_EQ(unpacked(packed.body), large);

    HttpResponse plain{.body = large};
    compress(plain, false);
    EXPECT_EQ(plain.body, large);
    EXPECT_EQ(header(plain, "Vary"), "Accept-Encoding") << "a cache has to know";
    EXPECT_EQ(header(plain, "Content-Encoding"), "");
}

TEST(Gzip, LeavesTheRestAlone) {
    const std::string large(kGzipLeast, '7');
    const std::vector<HttpResponse> kept = {
        {.body = large.substr(1)},
        {.body = large, .content_type = "text/plain; charset=utf-8"},
        {.body = large, .headers = {{"ETag", "\"7\""}}},
        refuse(ErrorCode::kInvalid, large),
    };
    for (HttpResponse response : kept) {
        const std::string body = response.body;
        const std::size_t headers = response.headers.size();
        compress(response, true);
        EXPECT_EQ(response.body, body);
        EXPECT_EQ(response.headers.size(), headers);
    }
}

TEST_F(GzipTest, JsonIsPackedForThoseWhoAskForIt) {
    serve({});
    LoopbackClient client = connect();
    const std::string plain = client.ask(get("/middling"));
    EXPECT_EQ(plain.size() - plain.find("\r\n\r\n") - 4, 200'000U);
    EXPECT_TRUE(has(plain, "\r\nVary: Accept-Encoding\r\n"));
    const std::string fields = host + std::string("Accept-Encoding: gzip, br\r\n\r\n");
    const std::string packed = client.ask("GET /middling HTTP/1.1\r\n" + fields);
    EXPECT_TRUE(has(packed, "\r\nContent-Encoding: gzip\r\n"));
    EXPECT_LT(packed.size(), 10'000U);
    ASSERT_TRUE(client.send("HEAD /middling HTTP/1.1\r\n" + fields));
    EXPECT_TRUE(
        has(client.read_to("\r\n\r\n"),
            "Content-Length: " + std::to_string(packed.size() - packed.find("\r\n\r\n") - 4)));
}

TEST_F(GzipTest, WhatWouldHoldUpAnEventLoopIsNotPacked) {
    serve({});
    LoopbackClient client = connect();
    const std::string fields = host + std::string("Accept-Encoding: gzip\r\n\r\n");
    const std::string answer = client.ask("GET /large HTTP/1.1\r\n" + fields);
    EXPECT_FALSE(has(answer, "\r\nContent-Encoding: gzip\r\n"));
    EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, 3U << 20U);
}

}  // namespace
}  // namespace reeve::api
