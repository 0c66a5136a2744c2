#include "api/json_text.hpp"

#include <rapidjson/writer.h>

#include "base/assert.hpp"
#include "base/text.hpp"
#include "ledger/event.hpp"

namespace reeve::api {
namespace {

/// What RapidJSON wants of an output, over a string that can be moved out.
struct StringOutput {
    using Ch = char;

    void Put(char c) { text.push_back(c); }  // NOLINT(readability-identifier-naming): RapidJSON's

    void Flush() {}  // NOLINT(readability-identifier-naming): RapidJSON's

    std::string text;
};

/// `text` with each byte that is not part of a valid sequence replaced by U+FFFD.
std::string mended(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::size_t length = 1;
        while (length <= 4 && length <= text.size() && !is_utf8(text.substr(0, length))) {
            ++length;
        }
        if (length > 4 || length > text.size()) {
            out += "\xEF\xBF\xBD";
            text.remove_prefix(1);
        } else {
            out += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return out;
}

}  // namespace

struct JsonText::Writer {
    StringOutput output;
    rapidjson::Writer<StringOutput> json = rapidjson::Writer<StringOutput>(output);
};

JsonText::JsonText() : writer_(std::make_unique<Writer>()) {}

JsonText::~JsonText() = default;

void JsonText::begin_object() {
    writer_->json.StartObject();
}

void JsonText::end_object() {
    writer_->json.EndObject();
}

void JsonText::begin_array() {
    writer_->json.StartArray();
}

void JsonText::end_array() {
    writer_->json.EndArray();
}

void JsonText::key(std::string_view name) {
    writer_->json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}

void JsonText::value(std::string_view text) {
    if (is_utf8(text)) {
        writer_->json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        return;
    }
    const std::string clean = mended(text);
    writer_->json.String(clean.data(), static_cast<rapidjson::SizeType>(clean.size()));
}

void JsonText::value(double number) {
    writer_->json.Double(number);
}

void JsonText::value(bool truth) {
    writer_->json.Bool(truth);
}

void JsonText::value(Instant at) {
    value(ledger::format_utc(at));
}

void JsonText::raw(std::string_view json) {
    // The type only tells the writer that a value stands here; it is not looked at.
    writer_->json.RawValue(json.data(), json.size(), rapidjson::kObjectType);
}

void JsonText::write_signed(std::int64_t number) {
    writer_->json.Int64(number);
}

void JsonText::write_unsigned(std::uint64_t number) {
    writer_->json.Uint64(number);
}

std::string JsonText::take() {
    REEVE_ASSERT(writer_->json.IsComplete(), "every object and array was closed");
    return std::move(writer_->output.text);
}

}  // namespace reeve::api
