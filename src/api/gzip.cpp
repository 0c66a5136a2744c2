#include "api/gzip.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include <zlib.h>

#include "base/text.hpp"

namespace reeve::api {
namespace {

constexpr int kGzipWindow = MAX_WBITS + 16;  // zlib's way to ask for gzip's head and tail.
constexpr int kMemoryLevel = 8;

std::string_view trimmed(std::string_view text) {
    const std::size_t from = text.find_first_not_of(" \t");
    const std::size_t to = text.find_last_not_of(" \t");
    return from == text.npos ? "" : text.substr(from, to - from + 1);
}

bool is_word(std::string_view text, std::string_view word) {
    return std::ranges::equal(text, word, [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == b;
    });
}

/// "q=0", "Q=0.000": not at all.
bool is_refusal(std::string_view parameter) {
    return parameter.size() >= 3 && is_word(parameter.substr(0, 2), "q=") &&
           parameter.substr(2).find_first_not_of("0.") == parameter.npos;
}

std::optional<std::string> gzip(const std::string& text) {
    z_stream stream = {};
    if (deflateInit2(
            &stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        return std::nullopt;
    }
    std::string out(deflateBound(&stream, text.size()), '\0');
    // zlib only reads what it is given, and says so by a macro in newer versions alone.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const bool is_whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return is_whole ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
    bool takes_any = false;
    for (const std::string& entry : split(accept_encoding, ',')) {
        const std::string_view coding = entry;
        const std::size_t semicolon = std::min(coding.find(';'), coding.size());
        const std::string_view name = trimmed(coding.substr(0, semicolon));
        const bool is_taken =
            semicolon == coding.size() || !is_refusal(trimmed(coding.substr(semicolon + 1)));
        if (is_word(name, "gzip") || is_word(name, "x-gzip")) {
            return is_taken;
        }
        takes_any = takes_any || (name == "*" && is_taken);
    }
    return takes_any;
}

void compress(HttpResponse& response, bool accepts) {
    constexpr std::size_t kMost = std::size_t{1} << 30U;  // zlib counts in 32 bits.
    const bool has_tag = std::ranges::any_of(
        response.headers, [](const auto& header) { return header.first == "ETag"; });
    if (response.problem || has_tag || response.content_type != "application/json" ||
        response.body.size() < kGzipLeast || response.body.size() > kMost) {
        return;
    }
    response.headers.emplace_back("Vary", "Accept-Encoding");
    if (!accepts) {
        return;
    }
    if (auto packed = gzip(response.body)) {  // Else there is no memory for it.
        response.body = *std::move(packed);
        response.headers.emplace_back("Content-Encoding", "gzip");
    }
}

}  // namespace reeve::api
