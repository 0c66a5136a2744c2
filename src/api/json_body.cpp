#include "api/json_body.hpp"

#include <algorithm>
#include <set>

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "base/text.hpp"
#include "model/spec_rules.hpp"

namespace reeve::api {
namespace {

using Value = rapidjson::Value;

// Iterative, so that depth costs heap and not the stack of the thread.
constexpr unsigned kParseFlags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

std::string_view text_of(const Value& value) {
    return {value.GetString(), value.GetStringLength()};
}

tl::unexpected<Error> wanted(std::string_view name, const std::string& what) {
    return fail(ErrorCode::kInvalid, std::string(name) + ": expects " + what);
}

std::optional<std::int64_t> whole_number(const Value& value, JsonBody::Range range) {
    const std::optional<std::int64_t> number = value.IsInt64() ? std::optional(value.GetInt64())
                                               : value.IsDouble()
                                                   ? model::whole_of(value.GetDouble())
                                                   : std::nullopt;
    return number && *number >= range.least && *number <= range.most ? number : std::nullopt;
}

/// Characters, of valid UTF-8: bytes that do not continue one.
std::size_t characters_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

bool is_text(const Value& value, std::size_t characters_max) {
    return value.IsString() && characters_of(text_of(value)) <= characters_max &&
           text_of(value).find('\0') == std::string_view::npos;
}

Result<void> check_fields(const Value& object, std::initializer_list<std::string_view> known) {
    std::set<std::string_view> seen;
    for (const auto& member : object.GetObject()) {
        const std::string_view name = text_of(member.name);
        if (std::ranges::find(known, name) == known.end()) {
            const std::vector<std::string> names(known.begin(), known.end());
            const std::string near = nearest(name, names);
            return fail(
                ErrorCode::kInvalid, "there is no field \"" + std::string(name.substr(0, 64)) +
                                         "\" here" +
                                         (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
        }
        if (!seen.insert(name).second) {
            return fail(ErrorCode::kInvalid, "the field \"" + std::string(name) + "\" comes twice");
        }
    }
    return {};
}

}  // namespace

struct JsonBody::State {
    std::shared_ptr<const rapidjson::Document> document = {};  // Owns what `value` is in.
    const Value* value = nullptr;

    [[nodiscard]] const Value* find(std::string_view name) const {
        const Value key(
            rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size())));
        const auto found = value->FindMember(key);
        return found == value->MemberEnd() ? nullptr : &found->value;
    }
};

Result<JsonBody> JsonBody::parse(
    std::string_view text, std::initializer_list<std::string_view> known) {
    auto document = std::make_shared<rapidjson::Document>();
    if (text.empty()) {
        document->SetObject();
    } else {
        document->Parse<kParseFlags>(text.data(), text.size());
    }
    if (document->HasParseError()) {
        return fail(
            ErrorCode::kInvalid, "the body is not JSON: byte " +
                                     std::to_string(document->GetErrorOffset()) + ": " +
                                     rapidjson::GetParseError_En(document->GetParseError()));
    }
    if (!document->IsObject()) {
        return fail(ErrorCode::kInvalid, "the body has to be a JSON object");
    }
    if (auto checked = check_fields(*document, known); !checked) {
        return tl::unexpected<Error>(std::move(checked.error()));
    }
    const Value* value = document.get();
    return JsonBody(std::make_shared<const State>(std::move(document), value));
}

Result<std::optional<std::int64_t>> JsonBody::integer(std::string_view name, Range range) const {
    const Value* value = state_->find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    const auto number = whole_number(*value, range);
    if (!number) {
        return wanted(
            name, "a whole number from " + std::to_string(range.least) + " to " +
                      std::to_string(range.most));
    }
    return number;
}

Result<std::optional<bool>> JsonBody::truth(std::string_view name) const {
    const Value* value = state_->find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->IsBool()) {
        return wanted(name, "true or false");
    }
    return value->GetBool();
}

Result<std::optional<std::string>> JsonBody::text(
    std::string_view name, std::size_t characters_max) const {
    const Value* value = state_->find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!is_text(*value, characters_max)) {
        return wanted(
            name,
            "a string of " + std::to_string(characters_max) + " characters at most, without NUL");
    }
    return std::string(text_of(*value));
}

Result<std::optional<JsonBody>> JsonBody::object(
    std::string_view name, std::initializer_list<std::string_view> known) const {
    const Value* value = state_->find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->IsObject()) {
        return wanted(name, "an object");
    }
    if (auto checked = check_fields(*value, known); !checked) {
        return tl::unexpected<Error>(std::move(checked.error()));
    }
    return JsonBody(std::make_shared<const State>(state_->document, value));
}

Result<std::vector<std::int64_t>> JsonBody::integers(
    std::string_view name, Range range, std::size_t count_max) const {
    const Value* value = state_->find(name);
    const bool is_list =
        value != nullptr && value->IsArray() && !value->Empty() && value->Size() <= count_max;
    if (!is_list) {
        return wanted(name, "a list of 1 to " + std::to_string(count_max) + " whole numbers");
    }
    std::vector<std::int64_t> numbers;
    numbers.reserve(value->Size());
    for (const Value& item : value->GetArray()) {
        const auto number = whole_number(item, range);
        if (!number) {
            return wanted(
                name, "whole numbers from " + std::to_string(range.least) + " to " +
                          std::to_string(range.most));
        }
        numbers.push_back(*number);
    }
    return numbers;
}

Result<std::vector<std::string>> JsonBody::texts(
    std::string_view name, std::size_t characters_max, std::size_t count_max) const {
    std::vector<std::string> texts;
    const Value* value = state_->find(name);
    if (value == nullptr) {
        return texts;
    }
    const bool is_good = value->IsArray() && value->Size() <= count_max &&
                         std::ranges::all_of(value->GetArray(), [&](const Value& item) {
                             return is_text(item, characters_max);
                         });
    if (!is_good) {
        return wanted(
            name, "a list of " + std::to_string(count_max) + " strings at most, of " +
                      std::to_string(characters_max) + " characters at most, without NUL");
    }
    for (const Value& item : value->GetArray()) {
        texts.emplace_back(text_of(item));
    }
    return texts;
}

Result<std::vector<JsonBody>> JsonBody::objects(
    std::string_view name,
    std::initializer_list<std::string_view> known,
    std::size_t count_max) const {
    std::vector<JsonBody> objects;
    const Value* value = state_->find(name);
    if (value == nullptr) {
        return objects;
    }
    if (!value->IsArray() || value->Size() > count_max) {
        return wanted(name, "a list of " + std::to_string(count_max) + " objects at most");
    }
    for (const Value& item : value->GetArray()) {
        const std::string where = std::string(name) + "[" + std::to_string(objects.size()) + "]";
        if (!item.IsObject()) {
            return wanted(where, "an object");
        }
        if (auto checked = check_fields(item, known); !checked) {
            checked.error().message = where + ": " + checked.error().message;
            return tl::unexpected<Error>(std::move(checked.error()));
        }
        objects.push_back(JsonBody(std::make_shared<const State>(state_->document, &item)));
    }
    return objects;
}

std::optional<std::string> JsonBody::json(std::string_view name) const {
    const Value* value = state_->find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    value->Accept(writer);
    return std::string(buffer.GetString(), buffer.GetSize());
}

}  // namespace reeve::api
