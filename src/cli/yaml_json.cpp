#include "cli/yaml_json.hpp"

#include <regex>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <yaml-cpp/yaml.h>

#include "base/text.hpp"
#include "model/job_spec.hpp"

namespace reeve::cli {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::size_t kNodesMax = 100'000;  // Aliases count as often as they are used.

/// Whether a number stays a number, or is the text that it is written as.
enum class Scalars : std::uint8_t { kTyped, kText };

class Converter {
  public:
    explicit Converter(const std::set<std::string>& texts) : texts_(texts) {}

    [[nodiscard]] bool convert(const YAML::Node& node, Scalars scalars, int depth) {
        if (++nodes_ > kNodesMax || depth > model::kJsonDepthMax) {
            return false;
        }
        switch (node.Type()) {
            case YAML::NodeType::Map:       return convert_map(node, scalars, depth);
            case YAML::NodeType::Sequence:  return convert_list(node, scalars, depth);
            case YAML::NodeType::Scalar:    write_scalar(node, scalars); return true;
            case YAML::NodeType::Null:
            case YAML::NodeType::Undefined: break;
        }
        return writer_.Null();
    }

    [[nodiscard]] std::string_view json() const { return {buffer_.GetString(), buffer_.GetSize()}; }

  private:
    [[nodiscard]] bool convert_map(const YAML::Node& node, Scalars scalars, int depth) {
        writer_.StartObject();
        for (const auto& member : node) {
            const std::string key = member.first.IsScalar() ? member.first.Scalar() : "";
            writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
            const bool is_text = depth == 0 && texts_.contains(key);
            if (!convert(member.second, is_text ? Scalars::kText : scalars, depth + 1)) {
                return false;
            }
        }
        return writer_.EndObject();
    }

    [[nodiscard]] bool convert_list(const YAML::Node& node, Scalars scalars, int depth) {
        writer_.StartArray();
        for (const YAML::Node& item : node) {
            if (!convert(item, scalars, depth + 1)) {
                return false;
            }
        }
        return writer_.EndArray();
    }

    void write_scalar(const YAML::Node& node, Scalars scalars) {
        static const std::regex number(R"(-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,15})?)");
        const std::string& text = node.Scalar();
        const auto size = static_cast<rapidjson::SizeType>(text.size());
        const bool is_quoted = node.Tag() == "!";
        const bool is_typed = scalars == Scalars::kTyped && !is_quoted;
        if (is_typed && (text == "true" || text == "false")) {
            writer_.Bool(text == "true");
        } else if (is_typed && text.size() < 40 && std::regex_match(text, number)) {
            writer_.RawValue(text.data(), text.size(), rapidjson::kNumberType);
        } else {
            writer_.String(text.data(), size);
        }
    }

    const std::set<std::string>& texts_;
    rapidjson::StringBuffer buffer_;
    Writer writer_{buffer_};
    std::size_t nodes_ = 0;
};

/// The first line, from 1, with a tab before its text; 0 if there is none.
std::size_t tab_indented_line(std::string_view yaml) {
    std::size_t number = 0;
    for (const std::string& line : split(yaml, '\n')) {
        ++number;
        if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string::npos) {
            return number;
        }
    }
    return 0;
}

}  // namespace

Result<std::vector<std::string>> json_of_yaml(
    std::string_view yaml, const std::set<std::string>& texts) {
    std::vector<YAML::Node> documents;
    try {
        documents = YAML::LoadAll(std::string(yaml));
    } catch (const YAML::Exception& error) {
        if (const std::size_t line = tab_indented_line(yaml); line > 0) {
            return fail(
                ErrorCode::kInvalid, "not YAML: line " + std::to_string(line) +
                                         " is indented by a tab; YAML takes spaces alone");
        }
        const std::string what = error.what();
        const bool is_too_deep = what.ends_with("bad file");  // Its word for that, of a text.
        return fail(
            ErrorCode::kInvalid, is_too_deep
                                     ? "not YAML that is read here: its lists are nested too deeply"
                                     : "not YAML: " + what);
    }
    std::vector<std::string> json;
    for (const YAML::Node& document : documents) {
        if (document.IsNull()) {
            continue;  // What is after a last "---".
        }
        Converter converter(texts);
        if (!converter.convert(document, Scalars::kTyped, 0)) {
            return fail(ErrorCode::kTooLarge, "it is too deep or too large");
        }
        json.emplace_back(converter.json());
    }
    return json;
}

}  // namespace reeve::cli
