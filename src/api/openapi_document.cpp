#include "api/openapi_document.hpp"

#include <exception>

#include <yaml-cpp/yaml.h>

#include "api/json_text.hpp"
#include "base/text.hpp"

namespace reeve::api {
namespace {

/// A plain scalar is what it looks like, a quoted one is text.
void write_scalar(JsonText& json, const YAML::Node& node) {
    const std::string& text = node.Scalar();
    const auto number = parse_integer(text);
    double real = 0;
    const bool is_text = node.Tag() == "!" || text.empty();
    if (!is_text && (text == "true" || text == "false")) {
        json.value(text == "true");
    } else if (!is_text && number) {
        json.value(*number);
    } else if (!is_text && YAML::convert<double>::decode(node, real)) {
        json.value(real);
    } else {
        json.value(text);
    }
}

void write_node(JsonText& json, const YAML::Node& node) {
    if (node.IsMap()) {
        json.begin_object();
        for (const auto& member : node) {
            json.key(member.first.Scalar());
            write_node(json, member.second);
        }
        json.end_object();
    } else if (node.IsSequence()) {
        json.begin_array();
        for (const auto& item : node) {
            write_node(json, item);
        }
        json.end_array();
    } else if (node.IsScalar()) {
        write_scalar(json, node);
    } else {
        json.raw("null");
    }
}

}  // namespace

Result<std::string> yaml_to_json(const std::string& yaml) {
    try {
        JsonText json;
        write_node(json, YAML::Load(yaml));
        return json.take();
    } catch (const YAML::Exception& error) {
        return fail(ErrorCode::kInternal, "the API's description cannot be read", error.what());
    }
}

Result<std::string> openapi_json() {
    static const Result<std::string> json = yaml_to_json(std::string(openapi_yaml()));
    return json;
}

}  // namespace reeve::api
