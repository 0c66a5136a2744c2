#include "api/contract_check.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "api/openapi_document.hpp"
#include "base/assert.hpp"

namespace reeve::api {
namespace {

using rapidjson::Document;
using rapidjson::Value;

/// RapidJSON checks by JSON Schema draft 4, which has no `const`: {"const": x} is {"enum": [x]}.
void make_draft_4(Value& value, Document::AllocatorType& allocator) {
    if (value.IsArray()) {
        for (Value& item : value.GetArray()) {
            make_draft_4(item, allocator);
        }
    }
    if (!value.IsObject()) {
        return;
    }
    for (auto& member : value.GetObject()) {
        make_draft_4(member.value, allocator);
    }
    if (value.HasMember("const")) {
        Value list(rapidjson::kArrayType);
        list.PushBack(Value(value["const"], allocator), allocator);
        value.RemoveMember("const");
        value.AddMember("enum", list, allocator);
    }
    if (value.HasMember("$ref") && value.MemberCount() > 1) {
        const Value reference(value["$ref"], allocator);
        value.SetObject();  // A description beside it.
        value.AddMember("$ref", Value(reference, allocator), allocator);
    }
}

const Document& contract() {
    static const std::unique_ptr<Document> document = [] {
        const auto json = openapi_json();
        REEVE_ASSERT(json.has_value(), "the contract is YAML");
        auto parsed = std::make_unique<Document>();
        parsed->Parse(json->data(), json->size());
        make_draft_4(*parsed, parsed->GetAllocator());
        return parsed;
    }();
    return *document;
}

const Value* followed(const Value* value) {
    while (value != nullptr && value->IsObject() && value->HasMember("$ref")) {
        value = rapidjson::Pointer((*value)["$ref"].GetString()).Get(contract());
    }
    return value;
}

const Value* member(const Value* value, const char* name) {
    value = followed(value);
    if (value == nullptr || !value->IsObject()) {
        return nullptr;
    }
    const auto found = value->FindMember(name);
    return found == value->MemberEnd() ? nullptr : &found->value;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return out;
}

/// A schema that stands somewhere in the contract, as a document that references can be followed
/// in.
std::string fault_of_json(const Value& schema, const AnswerSeen& answer) {
    const std::string_view body = answer.body;
    Document whole;
    whole.CopyFrom(*followed(&schema), whole.GetAllocator());
    auto& allocator = whole.GetAllocator();
    static const rapidjson::Pointer each("/properties/items/items");
    static const rapidjson::Pointer whole_item("/properties/items/items/anyOf/0");
    if (const Value* item = whole_item.Get(whole); item != nullptr && !answer.is_choice) {
        each.Set(whole, Value(*item, allocator));
    }
    whole.AddMember("components", Value(contract()["components"], allocator), allocator);
    const rapidjson::SchemaDocument compiled(whole);
    Document parsed;
    parsed.Parse(body.data(), body.size());
    if (parsed.HasParseError()) {
        return "it is no JSON";
    }
    rapidjson::SchemaValidator validator(compiled);
    if (parsed.Accept(validator)) {
        return "";
    }
    rapidjson::StringBuffer where;
    validator.GetInvalidDocumentPointer().StringifyUriFragment(where);
    return std::string("the schema's ") + validator.GetInvalidSchemaKeyword() +
           " does not hold at " + where.GetString();
}

}  // namespace

std::string fault_of_answer(const AnswerSeen& answer) {
    const Value& paths = contract()["paths"];
    const Value* operation = nullptr;
    if (const auto path = paths.FindMember(std::string(answer.pattern).c_str());
        path != paths.MemberEnd()) {
        operation = member(&path->value, lower(answer.method).c_str());
    }
    const Value* responses = member(operation, "responses");
    const Value* response = member(responses, std::to_string(answer.status).c_str());
    if (response == nullptr && answer.status >= 400) {
        response = member(responses, "default");
    }
    if (response == nullptr) {
        return "the contract has no such answer";
    }
    const Value* content = member(response, "content");
    if (content == nullptr) {
        return answer.body.empty() ? "" : "the contract has no body here";
    }
    const Value* media = member(content, std::string(answer.content_type).c_str());
    if (media == nullptr) {
        return "the contract has no " + std::string(answer.content_type) + " here";
    }
    const Value* schema = member(media, "schema");
    const bool is_json = answer.content_type.ends_with("json");
    return is_json && schema != nullptr ? fault_of_json(*schema, answer) : "";
}

namespace {

TEST(ContractCheck, SeesWhatIsWrong) {
    struct Case {
        const char* name;
        AnswerSeen answer;
        const char* want;
    };

    const auto job = [](int status, const char* type, const char* body) {
        return AnswerSeen{
            .method = "POST",
            .pattern = "/api/v1/jobs",
            .status = status,
            .content_type = type,
            .body = body};
    };
    const char* json = "application/json";
    const std::vector<Case> cases = {
        {"good", job(201, json, R"({"id":1,"elements":1})"), ""},
        {"too little", job(201, json, R"({"id":1})"), "the schema's required does not hold at #"},
        {"too much", job(201, json, R"({"id":1,"elements":1,"x":2})"),
         "the schema's additionalProperties does not hold at #/x"},
        {"another type", job(201, json, R"({"id":"1","elements":1})"),
         "the schema's type does not hold at #/id"},
        {"out of range", job(201, json, R"({"id":0,"elements":1})"),
         "the schema's minimum does not hold at #/id"},
        {"deep inside",
         {.method = "GET",
          .pattern = "/api/v1/nodes",
          .status = 200,
          .content_type = json,
          .body = R"({"items":[{"name":"a","state":"odd","cpu_millicores":{"total":1,"free":1},)"
                  R"("memory_mib":{"total":1,"free":1},"gpus":{"total":1,"free":1}}],"as_of":{}})"},
         "the schema's allOf does not hold at #/items/0"},
        {"not a whole item",
         {.method = "GET",
          .pattern = "/api/v1/projects",
          .status = 200,
          .content_type = json,
          .body = R"({"items":[{"name":"a"}],"as_of":{}})"},
         "the schema's required does not hold at #/items/0"},
        {"a field that was not there to choose",
         {.method = "GET",
          .pattern = "/api/v1/projects",
          .status = 200,
          .content_type = json,
          .body = R"({"items":[{"nome":"a"}],"as_of":{}})",
          .is_choice = true},
         "the schema's anyOf does not hold at #/items/0"},
        {"not JSON", job(201, json, "{"), "it is no JSON"},
        {"another status", job(202, json, "{}"), "the contract has no such answer"},
        {"another media", job(201, "text/plain", "1"), "the contract has no text/plain here"},
        {"no route",
         {.method = "GET", .pattern = "/x", .status = 200},
         "the contract has no such answer"},
        {"a body too many",
         {.method = "POST",
          .pattern = "/api/v1/quarantine/{key}:stop",
          .status = 204,
          .content_type = json,
          .body = "x"},
         "the contract has no body here"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(fault_of_answer(c.answer), c.want) << c.name;
    }
}

}  // namespace
}  // namespace reeve::api
