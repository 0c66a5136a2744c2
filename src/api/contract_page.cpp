#include "api/contract_page.hpp"

#include <exception>
#include <string_view>

#include <yaml-cpp/yaml.h>

#include "api/openapi_document.hpp"

namespace reeve::api {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reeve API</title>
<style>
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { border-bottom: 1px solid; margin-top: 3rem }
h3 { font-family: ui-monospace, monospace; margin-bottom: 0 }
pre { overflow-x: auto; border: 1px solid; padding: .5rem; white-space: pre-wrap }
td, th { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0 }
.text { white-space: pre-line }
</style></head><body>
)";

std::string html_of(std::string_view text) {
    std::string html;
    for (const char c : text) {
        switch (c) {
            case '<': html += "&lt;"; break;
            case '>': html += "&gt;"; break;
            case '&': html += "&amp;"; break;
            case '"': html += "&quot;"; break;
            default:  html += c;
        }
    }
    return html;
}

std::string text_of(const YAML::Node& node) {
    return node && node.IsScalar() ? html_of(node.Scalar()) : "";
}

std::string yaml_of(const YAML::Node& node) {
    YAML::Emitter out;
    out << node;
    return "<pre>" + html_of(out.c_str()) + "</pre>\n";
}

/// "Job" of "#/components/schemas/Job".
std::string name_of(const YAML::Node& reference) {
    const std::string& path = reference.Scalar();
    return path.substr(path.rfind('/') + 1);
}

/// A link to a schema that has a name; else what it says.
std::string schema_of(const YAML::Node& schema) {
    if (!schema || !schema.IsMap()) {
        return "";
    }
    if (const YAML::Node reference = schema["$ref"]) {
        const std::string name = html_of(name_of(reference));
        return "<a href=\"#" + name + "\">" + name + "</a>";
    }
    return schema.size() == 0 ? "" : yaml_of(schema);
}

/// The schema of the first content of a body or an answer.
std::string content_of(const YAML::Node& holder) {
    const YAML::Node content = holder["content"];
    if (!content || !content.IsMap() || content.size() == 0) {
        return "";
    }
    return html_of(content.begin()->first.Scalar()) + " " +
           schema_of(content.begin()->second["schema"]);
}

class Page {
  public:
    explicit Page(const YAML::Node& document) : document_(document) {}

    std::string take() {
        const YAML::Node info = document_["info"];
        html_ += kHead;
        html_ += "<h1>" + text_of(info["title"]) + " API</h1>\n<p>" + text_of(info["summary"]) +
                 "</p>\n<p class=\"text\">" + text_of(info["description"]) +
                 "</p>\n<p>The same for programs: <a href=\"openapi.json\">openapi.json</a>, "
                 "<a href=\"openapi.yaml\">openapi.yaml</a>.</p>\n";
        for (const auto& tag : document_["tags"]) {
            add_tag(tag);
        }
        html_ += "<h2>Schemas</h2>\n";
        for (const auto& schema : document_["components"]["schemas"]) {
            const std::string name = html_of(schema.first.Scalar());
            html_ += "<h3 id=\"";
            html_ += name;
            html_ += "\">";
            html_ += name;
            html_ += "</h3>\n";
            html_ += yaml_of(schema.second);
        }
        return std::move(html_) + "</body></html>\n";
    }

  private:
    void add_tag(const YAML::Node& tag) {
        html_ +=
            "<h2>" + text_of(tag["name"]) + "</h2>\n<p>" + text_of(tag["description"]) + "</p>\n";
        for (const auto& path : document_["paths"]) {
            for (const auto& operation : path.second) {
                const YAML::Node tags =
                    operation.second.IsMap() ? operation.second["tags"] : YAML::Node();
                if (tags && tags.size() > 0 && tags[0].Scalar() == tag["name"].Scalar()) {
                    add_operation(
                        operation.first.Scalar() + " " + path.first.Scalar(), operation.second);
                }
            }
        }
    }

    void add_operation(std::string name, const YAML::Node& operation) {
        for (char& c : name) {
            if (c == ' ') {
                break;
            }
            c = static_cast<char>(c - ('a' - 'A'));
        }
        html_ += "<h3 id=\"" + text_of(operation["operationId"]) + "\">" + html_of(name) +
                 "</h3>\n<p>" + text_of(operation["summary"]) + "</p>\n<p class=\"text\">" +
                 text_of(operation["description"]) + "</p>\n<table>\n<tr><th>permission</th><td>" +
                 text_of(operation["x-permission"]) + "</td></tr>\n";
        for (const auto& parameter : operation["parameters"]) {
            add_parameter(parameter);
        }
        if (const YAML::Node body = operation["requestBody"]) {
            add_row("body", content_of(body));
        }
        for (const auto& answer : operation["responses"]) {
            add_row(html_of(answer.first.Scalar()), answer_of(answer.second));
        }
        html_ += "</table>\n";
    }

    void add_parameter(const YAML::Node& named) {
        const YAML::Node parameter =
            named["$ref"] ? document_["components"]["parameters"][name_of(named["$ref"])] : named;
        add_row(
            text_of(parameter["name"]) + " (" + text_of(parameter["in"]) + ")",
            text_of(parameter["description"]) + " " + schema_of(parameter["schema"]));
    }

    static std::string answer_of(const YAML::Node& answer) {
        return answer["$ref"] ? "application/problem+json " + schema_of(answer)
                              : text_of(answer["description"]) + " " + content_of(answer);
    }

    void add_row(const std::string& title, const std::string& html) {
        html_ += "<tr><th>" + title + "</th><td>" + html + "</td></tr>\n";
    }

    const YAML::Node& document_;
    std::string html_ = {};
};

Result<std::string> make_page() {
    try {
        const YAML::Node document = YAML::Load(std::string(openapi_yaml()));
        return Page(document).take();
    } catch (const YAML::Exception& error) {
        return fail(ErrorCode::kInternal, "the API's description cannot be read", error.what());
    }
}

}  // namespace

Result<std::string> contract_page() {
    static const Result<std::string> page = make_page();
    return page;
}

}  // namespace reeve::api
