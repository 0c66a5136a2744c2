#pragma once

// The words of node expressions, for the files that read and print them.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/node_expression.hpp"

namespace reeve::model {

enum class ValueKind : std::uint8_t { kText, kCount, kSize, kMilli };

struct AttributeRow {
    std::string_view name;
    NodeAttribute attribute;
    ValueKind values;
    std::string_view example;
};

inline constexpr auto kAttributes = std::to_array<AttributeRow>({
    {"node.name",  NodeAttribute::kNodeName,  ValueKind::kText,  "node.name!=n1"  },
    {"gpu.model",  NodeAttribute::kGpuModel,  ValueKind::kText,  "gpu.model==a30" },
    {"gpu.count",  NodeAttribute::kGpuCount,  ValueKind::kCount, "gpu.count>=4"   },
    {"gpu.memory", NodeAttribute::kGpuMemory, ValueKind::kSize,  "gpu.memory>=20G"},
    {"cpu.count",  NodeAttribute::kCpuCount,  ValueKind::kMilli, "cpu.count>=32"  },
});

inline constexpr AttributeRow kLabelRow = {"", NodeAttribute::kLabel, ValueKind::kText, "zone==a"};

struct TestRow {
    std::string_view text;
    NodeTest test;
};

// Longer ones first.
inline constexpr auto kTests = std::to_array<TestRow>({
    {"==", NodeTest::kEqual  },
    {"!=", NodeTest::kUnequal},
    {"<=", NodeTest::kAtMost },
    {">=", NodeTest::kAtLeast},
    {"<",  NodeTest::kLess   },
    {">",  NodeTest::kMore   },
});

[[nodiscard]] inline const AttributeRow& row_of_attribute(NodeAttribute attribute) {
    const auto* const row = std::ranges::find(kAttributes, attribute, &AttributeRow::attribute);
    return row == kAttributes.end() ? kLabelRow : *row;
}

[[nodiscard]] inline std::string_view text_of(NodeTest test) {
    const auto* const row = std::ranges::find(kTests, test, &TestRow::test);
    return row == kTests.end() ? "in" : row->text;
}

[[nodiscard]] inline bool is_order(NodeTest test) {
    return test == NodeTest::kLess || test == NodeTest::kAtMost || test == NodeTest::kMore ||
           test == NodeTest::kAtLeast;
}

/// Of a word without quotes. What is not ASCII is part of one.
[[nodiscard]] inline bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/' || c == ':' || c == '+' || c == '@' ||
           static_cast<unsigned char>(c) >= 0x80;
}

/// A bare name with one of these in front is an attribute, or a mistake.
[[nodiscard]] inline bool is_reserved(std::string_view name) {
    return name.starts_with("node.") || name.starts_with("gpu.") || name.starts_with("cpu.") ||
           name == "in";
}

[[nodiscard]] inline std::string quoted(std::string_view word) {
    std::string text = "\"";
    for (const char c : word) {
        text += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    }
    return text + '"';
}

[[nodiscard]] inline std::string word_text(std::string_view word) {
    const bool is_plain = !word.empty() && std::ranges::all_of(word, is_bare);
    return is_plain ? std::string(word) : quoted(word);
}

[[nodiscard]] inline std::string name_text(const NodeExpression& term) {
    if (term.attribute != NodeAttribute::kLabel) {
        return std::string(row_of_attribute(term.attribute).name);
    }
    return is_reserved(term.label) ? quoted(term.label) : word_text(term.label);
}

}  // namespace reeve::model
