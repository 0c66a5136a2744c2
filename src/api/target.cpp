#include "api/target.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"

namespace reeve::api {
namespace {

bool is_target_character(char c) {
    return c > 0x20 && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\';
}

std::optional<unsigned> hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    const char low = static_cast<char>(c | 0x20);
    if (low >= 'a' && low <= 'f') {
        return static_cast<unsigned>(low - 'a') + 10U;
    }
    return std::nullopt;
}

/// The byte that "%41" at the front of `text` stands for; nothing if it is broken, or a NUL.
std::optional<char> escaped_byte(std::string_view text) {
    if (text.size() < 3) {
        return std::nullopt;
    }
    const auto high = hex_value(text[1]);
    const auto low = hex_value(text[2]);
    if (!high || !low || (*high == 0 && *low == 0)) {
        return std::nullopt;
    }
    return static_cast<char>(*high * 16U + *low);
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
    if (target.empty() || target.front() != '/' ||
        !std::ranges::all_of(target, is_target_character)) {
        return fail(ErrorCode::kInvalid, "the request target is not a path");
    }
    Target parsed;
    const std::size_t question = target.find('?');
    std::string_view path = target.substr(1, question == target.npos ? question : question - 1);
    if (question != target.npos) {
        parsed.query = target.substr(question + 1);
    }
    parsed.segments.reserve(kSegmentsMax);
    while (true) {
        const std::size_t slash = path.find('/');
        if (parsed.segments.size() == kSegmentsMax) {
            return fail(ErrorCode::kNotFound, "there is nothing at this path");
        }
        parsed.segments.push_back(path.substr(0, slash));
        if (slash == path.npos) {
            return parsed;
        }
        path.remove_prefix(slash + 1);
    }
}

Result<std::string> percent_decoded(std::string_view text, PlusIs plus) {
    std::string decoded;
    decoded.reserve(text.size());
    while (!text.empty()) {
        std::size_t used = 1;
        if (text.front() == '%') {
            const auto byte = escaped_byte(text);
            if (!byte) {
                return fail(
                    ErrorCode::kInvalid, "the request target has a broken %-escape, or a NUL");
            }
            decoded += *byte;
            used = 3;
        } else {
            decoded += text.front() == '+' && plus == PlusIs::kSpace ? ' ' : text.front();
        }
        text.remove_prefix(used);
    }
    if (!is_utf8(decoded)) {
        return fail(ErrorCode::kInvalid, "the request target is not UTF-8");
    }
    return decoded;
}

Result<std::vector<Parameter>> parse_query(std::string_view query) {
    std::vector<Parameter> parameters;
    while (!query.empty()) {
        const std::size_t ampersand = query.find('&');
        const std::string_view part = query.substr(0, ampersand);
        query.remove_prefix(ampersand == query.npos ? query.size() : ampersand + 1);
        if (part.empty()) {
            continue;
        }
        if (parameters.size() == kParametersMax) {
            return fail(ErrorCode::kInvalid, "too many query parameters, 32 at most");
        }
        const std::size_t equals = part.find('=');
        Result<std::string> name = percent_decoded(part.substr(0, equals), PlusIs::kSpace);
        Result<std::string> value = percent_decoded(
            equals == part.npos ? std::string_view() : part.substr(equals + 1), PlusIs::kSpace);
        if (!name || !value) {
            return tl::unexpected<Error>(name ? value.error() : name.error());
        }
        parameters.emplace_back(std::move(*name), std::move(*value));
    }
    return parameters;
}

}  // namespace reeve::api
