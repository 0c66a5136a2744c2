#include "cli/job_file.hpp"

#include <regex>
#include <string>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <yaml-cpp/yaml.h>

namespace reeve::cli {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::size_t kNodesMax = 100'000;  // Aliases count as often as they are used.

/// Whether a number stays a number, or is the text that it is written as.
enum class Scalars : std::uint8_t { kTyped, kText };

class Converter {
  public:
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
            const bool is_text =
                depth == 0 && (key == "command" || key == "env" || key == "labels");
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

    rapidjson::StringBuffer buffer_;
    Writer writer_{buffer_};
    std::size_t nodes_ = 0;
};

Result<model::JobSpec> parse_document(const YAML::Node& document) {
    Converter converter;
    if (!converter.convert(document, Scalars::kTyped, 0)) {
        return fail(ErrorCode::kTooLarge, "is too deep or too large for a job");
    }
    return model::parse_job_spec(converter.json());
}

}  // namespace

Result<std::vector<model::JobSpec>> parse_job_file(std::string_view yaml) {
    std::vector<YAML::Node> documents;
    try {
        documents = YAML::LoadAll(std::string(yaml));
    } catch (const YAML::Exception& error) {
        return fail(ErrorCode::kInvalid, std::string("not YAML: ") + error.what());
    }
    std::vector<model::JobSpec> jobs;
    for (std::size_t i = 0; i < documents.size(); ++i) {
        if (documents[i].IsNull()) {
            continue;  // What is after a last "---".
        }
        auto spec = parse_document(documents[i]);
        if (!spec) {
            const std::string which =
                documents.size() > 1 ? "document " + std::to_string(i + 1) + ": " : "";
            return fail(spec.error().code, which + spec.error().message);
        }
        jobs.push_back(std::move(*spec));
    }
    if (jobs.empty() || jobs.size() > kJobFileJobsMax) {
        return jobs.empty() ? fail(ErrorCode::kInvalid, "there is no job in it")
                            : fail(ErrorCode::kTooLarge, "more than 1000 jobs; split the file");
    }
    return jobs;
}

}  // namespace reeve::cli
