#include "api/json_text.hpp"

#include <algorithm>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "base/assert.hpp"
#include "base/text.hpp"
#include "ledger/event.hpp"

namespace reeve::api {
namespace {

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
    rapidjson::StringBuffer output;  // Into which RapidJSON writes runs of bytes, not each alone.
    rapidjson::Writer<rapidjson::StringBuffer> json =
        rapidjson::Writer<rapidjson::StringBuffer>(output);

    // Only within items of which some fields are not wanted:
    ItemFields fields = {};
    bool chooses = false;
    bool drops = false;  // What is written now belongs to a field that is not wanted.
    int depth = 0;       // Of objects and arrays: 1 in an item itself.

    /// An object or array begins. False if it is dropped.
    bool enter() {
        depth += chooses ? 1 : 0;
        return !drops;
    }

    /// It ends. False if it was dropped; with the outermost one that was, the dropping ends.
    bool leave() {
        const bool was_dropped = drops;
        depth -= chooses ? 1 : 0;
        drops = drops && depth > 1;
        return !was_dropped;
    }
};

bool ItemFields::has(std::string_view name) const noexcept {
    return !is_choice_ || std::ranges::find(names_, name) != names_.end();
}

JsonText::JsonText() : writer_(std::make_unique<Writer>()) {}

JsonText::~JsonText() = default;

void JsonText::begin_object() {
    if (writer_->enter()) {
        writer_->json.StartObject();
    }
}

void JsonText::end_object() {
    if (writer_->leave()) {
        writer_->json.EndObject();
    }
}

void JsonText::begin_array() {
    if (writer_->enter()) {
        writer_->json.StartArray();
    }
}

void JsonText::end_array() {
    if (writer_->leave()) {
        writer_->json.EndArray();
    }
}

void JsonText::begin_items(ItemFields fields) {
    REEVE_ASSERT(!writer_->chooses, "a list has no lists of such items in it");
    begin_array();
    writer_->chooses = fields.is_choice();
    writer_->fields = std::move(fields);
    writer_->depth = 0;
}

void JsonText::end_items() {
    REEVE_ASSERT(writer_->depth == 0, "every item was closed");
    writer_->chooses = false;
    end_array();
}

bool JsonText::drops_value() {
    const bool dropped = writer_->drops;
    writer_->drops = dropped && writer_->depth > 1;
    return dropped;
}

void JsonText::key(std::string_view name) {
    if (writer_->drops) {
        return;
    }
    if (writer_->chooses && writer_->depth == 1 && !writer_->fields.has(name)) {
        writer_->drops = true;
        return;
    }
    writer_->json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}

void JsonText::value(std::string_view text) {
    if (drops_value()) {
        return;
    }
    if (is_utf8(text)) {
        writer_->json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        return;
    }
    const std::string clean = mended(text);
    writer_->json.String(clean.data(), static_cast<rapidjson::SizeType>(clean.size()));
}

void JsonText::value(double number) {
    if (!drops_value()) {
        writer_->json.Double(number);
    }
}

void JsonText::value(bool truth) {
    if (!drops_value()) {
        writer_->json.Bool(truth);
    }
}

void JsonText::value(Instant at) {
    value(ledger::format_utc(at));
}

void JsonText::raw(std::string_view json) {
    if (!drops_value()) {
        // The type only tells the writer that a value stands here; it is not looked at.
        writer_->json.RawValue(json.data(), json.size(), rapidjson::kObjectType);
    }
}

void JsonText::write_signed(std::int64_t number) {
    if (!drops_value()) {
        writer_->json.Int64(number);
    }
}

void JsonText::write_unsigned(std::uint64_t number) {
    if (!drops_value()) {
        writer_->json.Uint64(number);
    }
}

std::string JsonText::take() {
    REEVE_ASSERT(writer_->json.IsComplete(), "every object and array was closed");
    return {writer_->output.GetString(), writer_->output.GetSize()};
}

}  // namespace reeve::api
