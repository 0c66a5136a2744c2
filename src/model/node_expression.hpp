#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

// On which nodes a job may run: "gpu.model==A30 && zone!=b".
//
//   expression = all { "||" all }        all = part { "&&" part }
//   part       = "!" part | "(" expression ")" | name [ test ]
//   test       = ("==" | "!=" | "<" | "<=" | ">" | ">=") value | "in" "(" value { "," value } ")"
//
// A name is an attribute or a label's key; a label's key alone asks whether the node has it. Words
// stand bare or in quotes, single or double; a quoted name is always a label's.
namespace reeve::model {

inline constexpr std::size_t kNodeExpressionBytesMax = 1024;  // As written, and as printed.
inline constexpr int kNodeExpressionDepthMax = 32;            // Parentheses and "!".

/// What an expression may ask about a node.
struct NodeFacts {
    std::string name = {};
    std::map<std::string, std::string> labels = {};
    std::vector<std::string> gpu_models = {};  // Of each GPU, as its driver says it.
    std::int64_t gpu_memory_mib = 0;           // Of the largest GPU.
    std::int64_t cpu_millicores = 0;

    friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

enum class NodeAttribute : std::uint8_t {
    kLabel,
    kNodeName,
    kGpuModel,   // Of any of its GPUs, named as for --gpus; see is_model().
    kGpuCount,   // Those that are there.
    kGpuMemory,  // Of its largest one.
    kCpuCount,
};

enum class NodeTest : std::uint8_t {
    kHas,  // Of a label alone.
    kEqual,
    kUnequal,  // Also of a label that the node has not.
    kLess,
    kAtMost,
    kMore,
    kAtLeast,
    kIn,
};

/// One expression, and of its parts each. Made by parse_node_expression() alone.
struct NodeExpression {
    enum class Kind : std::uint8_t { kTerm, kNot, kAll, kAny };

    Kind kind = Kind::kTerm;
    std::vector<NodeExpression> parts = {};  // kNot: one. kAll, kAny: two or more.

    // Of a term.
    NodeAttribute attribute = NodeAttribute::kLabel;
    NodeTest test = NodeTest::kHas;
    std::string label = {};                  // Its key.
    std::vector<std::string> texts = {};     // What it is compared with: of names and labels.
    std::vector<std::int64_t> numbers = {};  // Of numbers: GPUs, MiB or millicores.

    friend bool operator==(const NodeExpression&, const NodeExpression&) = default;
};

/// Errors: kInvalid: the column, what was expected there, and the text with a caret under it.
[[nodiscard]] Result<NodeExpression> parse_node_expression(std::string_view text);

/// The same expression in the one form in which equal ones are written alike: parsing it gives
/// `expression`.
[[nodiscard]] std::string to_string(const NodeExpression& expression);

[[nodiscard]] bool holds(const NodeExpression& expression, const NodeFacts& node);

/// Of an expression that does not hold: what the node is, and the clause that asks for something
/// else: "zone is b, it asks for zone!=b".
[[nodiscard]] std::string why_not(const NodeExpression& expression, const NodeFacts& node);

}  // namespace reeve::model
