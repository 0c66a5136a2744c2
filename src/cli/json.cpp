#include "cli/json.hpp"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <yaml-cpp/yaml.h>

namespace reeve::cli {
namespace {

constexpr std::string_view kSchema = "schema";

/// The value; an object with `schema` first, unless that is "".
template <class Writer>
void write(Writer& writer, const JsonValue& value, std::string_view schema) {
    if (schema.empty() || !value.IsObject()) {
        value.Accept(writer);
        return;
    }
    const auto write_text = [&writer](std::string_view text) {
        writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    };
    writer.StartObject();
    write_text(kSchema);
    write_text(schema);
    for (const auto& member : value.GetObject()) {
        member.name.Accept(writer);
        member.value.Accept(writer);
    }
    writer.EndObject();
}

void emit(YAML::Emitter& out, const JsonValue& value, std::string_view schema = {}) {
    if (value.IsObject()) {
        out << YAML::BeginMap;
        if (!schema.empty()) {
            out << YAML::Key << std::string(kSchema) << YAML::Value << YAML::DoubleQuoted
                << std::string(schema);
        }
        for (const auto& member : value.GetObject()) {
            out << YAML::Key << std::string(member.name.GetString(), member.name.GetStringLength())
                << YAML::Value;
            emit(out, member.value);
        }
        out << YAML::EndMap;
    } else if (value.IsArray()) {
        out << YAML::BeginSeq;
        for (const JsonValue& item : value.GetArray()) {
            emit(out, item);
        }
        out << YAML::EndSeq;
    } else if (value.IsString()) {
        out << YAML::DoubleQuoted << std::string(value.GetString(), value.GetStringLength());
    } else if (value.IsNull()) {
        out << YAML::Null;
    } else {
        out << to_compact(value);
    }
}

}  // namespace

namespace {

Result<Json> parsed(Json json, std::string_view text) {
    json.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (json.HasParseError()) {
        return fail(
            ErrorCode::kUnavailable,
            "the server's answer is not JSON; is it a Reeve server? (-s names another one)");
    }
    return json;
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
    return parsed(Json(), text);
}

Result<Json> parse_json(std::string_view text, Json::AllocatorType& memory) {
    return parsed(Json(&memory), text);
}

const JsonValue* find(const JsonValue& object, std::string_view path) {
    const JsonValue* at = &object;
    while (true) {
        const std::size_t dot = path.find('.');
        const std::string_view name = path.substr(0, dot);
        if (!at->IsObject()) {
            return nullptr;
        }
        const JsonValue key(  // As a value: as a bare pointer it would end at the path's end.
            rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size())));
        const auto member = at->FindMember(key);
        if (member == at->MemberEnd()) {
            return nullptr;
        }
        at = &member->value;
        if (dot == std::string_view::npos) {
            return at;
        }
        path.remove_prefix(dot + 1);
    }
}

std::string text_at(const JsonValue& object, std::string_view path) {
    const JsonValue* value = find(object, path);
    if (value == nullptr || value->IsNull()) {
        return "";
    }
    return value->IsString() ? std::string(value->GetString(), value->GetStringLength())
                             : to_compact(*value);
}

std::optional<std::int64_t> integer_at(const JsonValue& object, std::string_view path) {
    const JsonValue* value = find(object, path);
    return value != nullptr && value->IsInt64() ? std::optional(value->GetInt64()) : std::nullopt;
}

bool flag_at(const JsonValue& object, std::string_view path) {
    const JsonValue* value = find(object, path);
    return value != nullptr && value->IsBool() && value->GetBool();
}

std::string to_compact(const JsonValue& value, std::string_view schema) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    write(writer, value, schema);
    return {buffer.GetString(), buffer.GetSize()};
}

std::string to_pretty(const JsonValue& value, std::string_view schema) {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
    writer.SetIndent(' ', 2);
    write(writer, value, schema);
    return {buffer.GetString(), buffer.GetSize()};
}

std::string to_yaml(const JsonValue& value, std::string_view schema) {
    YAML::Emitter out;
    emit(out, value, schema);
    return out.c_str();
}

std::string quoted_json(std::string_view text) {
    return to_compact(JsonValue(
        rapidjson::StringRef(text.data(), static_cast<rapidjson::SizeType>(text.size()))));
}

}  // namespace reeve::cli
