#include "model/node_expression.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "model/node_expression_words.hpp"
#include "model/records.hpp"

namespace reeve::model {
namespace {

using Kind = NodeExpression::Kind;

std::string number_text(ValueKind kind, std::int64_t number) {
    switch (kind) {
        case ValueKind::kMilli: return format_milli(number);
        case ValueKind::kSize:
            return number % 1024 == 0 ? std::to_string(number / 1024) + "G"
                                      : std::to_string(number) + "M";
        case ValueKind::kCount:
        case ValueKind::kText:  break;
    }
    return std::to_string(number);
}

std::vector<std::string> value_texts(const NodeExpression& term) {
    const ValueKind kind = row_of_attribute(term.attribute).values;
    std::vector<std::string> texts;
    texts.reserve(term.texts.size() + term.numbers.size());
    for (const std::string& text : term.texts) {
        texts.push_back(word_text(text));
    }
    for (const std::int64_t number : term.numbers) {
        texts.push_back(number_text(kind, number));
    }
    return texts;
}

std::string term_text(const NodeExpression& term) {
    std::string name = name_text(term);
    if (term.test == NodeTest::kHas) {
        return name;
    }
    std::string values;
    for (const std::string& value : value_texts(term)) {
        values += (values.empty() ? "" : ", ") + value;
    }
    return term.test == NodeTest::kIn ? name + " in (" + values + ")"
                                      : name + std::string(text_of(term.test)) + values;
}

/// A part of an expression of the kind `whole`, in parentheses if it binds less.
std::string part_text(const NodeExpression& part, Kind whole) {
    const bool is_looser =
        part.kind == Kind::kAny || (part.kind == Kind::kAll && whole == Kind::kNot);
    std::string text = to_string(part);
    return is_looser && whole != Kind::kAny ? "(" + text + ")" : text;
}

std::string joined_text(const NodeExpression& expression, std::string_view between) {
    std::string text;
    for (const NodeExpression& part : expression.parts) {
        text.append(text.empty() ? "" : between).append(part_text(part, expression.kind));
    }
    return text;
}

// ---- What holds.

std::optional<std::string_view> text_fact(const NodeExpression& term, const NodeFacts& node) {
    if (term.attribute == NodeAttribute::kNodeName) {
        return node.name;
    }
    const auto found = node.labels.find(term.label);
    return found == node.labels.end() ? std::nullopt
                                      : std::optional<std::string_view>(found->second);
}

std::int64_t number_fact(NodeAttribute attribute, const NodeFacts& node) {
    return attribute == NodeAttribute::kGpuCount    ? std::ssize(node.gpu_models)
           : attribute == NodeAttribute::kGpuMemory ? node.gpu_memory_mib
                                                    : node.cpu_millicores;
}

/// True if the node is what one of the values says.
bool is_any_of(const NodeExpression& term, const NodeFacts& node) {
    if (term.attribute == NodeAttribute::kGpuModel) {
        return std::ranges::any_of(term.texts, [&](const std::string& asked) {
            return std::ranges::any_of(
                node.gpu_models, [&](const std::string& model) { return is_model(asked, model); });
        });
    }
    if (row_of_attribute(term.attribute).values != ValueKind::kText) {
        const std::int64_t number = number_fact(term.attribute, node);
        return std::ranges::find(term.numbers, number) != term.numbers.end();
    }
    const std::optional<std::string_view> fact = text_fact(term, node);
    return fact && std::ranges::find(term.texts, *fact) != term.texts.end();
}

bool term_holds(const NodeExpression& term, const NodeFacts& node) {
    const std::int64_t bound = term.numbers.empty() ? 0 : term.numbers.front();
    const std::int64_t number = number_fact(term.attribute, node);
    switch (term.test) {
        case NodeTest::kHas:     return node.labels.contains(term.label);
        case NodeTest::kEqual:
        case NodeTest::kIn:      return is_any_of(term, node);
        case NodeTest::kUnequal: return !is_any_of(term, node);
        case NodeTest::kLess:    return number < bound;
        case NodeTest::kAtMost:  return number <= bound;
        case NodeTest::kMore:    return number > bound;
        case NodeTest::kAtLeast: return number >= bound;
    }
    return false;
}

/// What the node is, of what the term asks: "zone is b".
std::string fact_text(const NodeExpression& term, const NodeFacts& node) {
    switch (term.attribute) {
        case NodeAttribute::kNodeName: return "its name is " + word_text(node.name);
        case NodeAttribute::kGpuCount:
            return "it has " + std::to_string(node.gpu_models.size()) +
                   (node.gpu_models.size() == 1 ? " GPU" : " GPUs");
        case NodeAttribute::kGpuMemory:
            return node.gpu_models.empty()
                       ? "it has no GPU"
                       : "its largest GPU has " + format_mib(node.gpu_memory_mib);
        case NodeAttribute::kCpuCount:
            return "it has " + format_milli(node.cpu_millicores) + " CPUs";
        case NodeAttribute::kLabel: {
            const auto found = node.labels.find(term.label);
            return found == node.labels.end() ? "it has no label " + name_text(term)
                                              : name_text(term) + " is " + word_text(found->second);
        }
        case NodeAttribute::kGpuModel: break;
    }
    const std::set<std::string> models(node.gpu_models.begin(), node.gpu_models.end());
    std::string text;
    for (const std::string& model : models) {
        text += (text.empty() ? "its GPUs are " : " and ") + model;
    }
    return text.empty() ? "it has no GPU" : text;
}

void add_facts(
    const NodeExpression& expression, const NodeFacts& node, std::vector<std::string>& facts) {
    if (expression.kind != Kind::kTerm) {
        for (const NodeExpression& part : expression.parts) {
            add_facts(part, node, facts);
        }
        return;
    }
    std::string fact = fact_text(expression, node);
    if (std::ranges::find(facts, fact) == facts.end()) {
        facts.push_back(std::move(fact));
    }
}

}  // namespace

std::string to_string(const NodeExpression& expression) {
    switch (expression.kind) {
        case Kind::kTerm: return term_text(expression);
        case Kind::kNot:  return "!" + part_text(expression.parts.front(), Kind::kNot);
        case Kind::kAll:  return joined_text(expression, " && ");
        case Kind::kAny:  break;
    }
    return joined_text(expression, " || ");
}

bool holds(const NodeExpression& expression, const NodeFacts& node) {
    const auto part_holds = [&](const NodeExpression& part) { return holds(part, node); };
    switch (expression.kind) {
        case Kind::kTerm: return term_holds(expression, node);
        case Kind::kNot:  return !holds(expression.parts.front(), node);
        case Kind::kAll:  return std::ranges::all_of(expression.parts, part_holds);
        case Kind::kAny:  return std::ranges::any_of(expression.parts, part_holds);
    }
    return false;
}

std::string why_not(const NodeExpression& expression, const NodeFacts& node) {
    if (expression.kind == Kind::kAll) {
        const auto wrong = std::ranges::find_if_not(
            expression.parts, [&](const NodeExpression& part) { return holds(part, node); });
        if (wrong != expression.parts.end()) {
            return why_not(*wrong, node);
        }
    }
    std::vector<std::string> facts;
    add_facts(expression, node, facts);
    std::string text;
    for (const std::string& fact : facts) {
        text += fact + ", ";
    }
    return text + "it asks for " + to_string(expression);
}

}  // namespace reeve::model
