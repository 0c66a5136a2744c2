#include "ledger/node_classes.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace reeve::ledger {
namespace {

constexpr auto kDescribedByNone = NodeClassId(0);

/// Of no node.
model::NodeExpression nothing() {
    return {.kind = model::NodeExpression::Kind::kAny};
}

}  // namespace

NodeClasses::NodeClasses() {
    classes_.emplace(kDescribedByNone, Class{});
    class_ids_.emplace(Signature{}, kDescribedByNone);
}

void NodeClasses::put_node(NodeId id, model::NodeFacts facts) {
    const auto [found, is_new] = nodes_.try_emplace(id);
    Node& node = found->second;
    if (is_new) {
        classes_.at(kDescribedByNone).nodes.insert(id);
    } else if (node.facts == facts) {
        return;
    }
    node.facts = std::move(facts);
    Signature signature;
    for (const auto& [expression_id, known] : expressions_) {
        if (holds(known.expression, node.facts)) {
            signature.push_back(expression_id);
        }
    }
    move(id, signature);
}

void NodeClasses::drop_node(NodeId id) {
    if (nodes_.contains(id)) {
        leave(id);
        nodes_.erase(id);
        moved_.erase(id);
    }
}

void NodeClasses::add(const std::string& text) {
    const auto [found, is_new] = expression_ids_.try_emplace(text, last_expression_ + 1);
    const ExpressionId id = found->second;
    if (!is_new) {
        if (expressions_.at(id).uses++ == 0) {
            std::erase(unused_, id);
        }
        return;
    }
    last_expression_ = id;
    Expression known{.text = text, .uses = 1};
    known.expression = model::parse_node_expression(text).value_or(nothing());
    expressions_.emplace(id, std::move(known));
    std::vector<NodeClassId> before;
    before.reserve(classes_.size());
    for (const auto& [class_id, each] : classes_) {
        before.push_back(class_id);
    }
    for (const NodeClassId class_id : before) {
        split(class_id, id);
    }
}

void NodeClasses::remove(const std::string& text) {
    REEVE_ASSERT(has(text), "what is removed was added");
    const ExpressionId id = expression_ids_.at(text);
    if (--expressions_.at(id).uses > 0) {
        return;
    }
    unused_.push_back(id);
    if (unused_.size() > kUnusedMax) {
        const ExpressionId oldest = unused_.front();
        unused_.pop_front();
        forget(oldest);
    }
}

/// The nodes of a class that `expression`, the newest, describes become one of their own.
void NodeClasses::split(NodeClassId id, ExpressionId expression) {
    Expression& known = expressions_.at(expression);
    const Class& before = classes_.at(id);
    std::vector<NodeId> described;
    for (const NodeId node : before.nodes) {
        if (holds(known.expression, nodes_.at(node).facts)) {
            described.push_back(node);
        }
    }
    Signature signature = before.signature;
    signature.push_back(expression);
    if (id != kDescribedByNone && described.size() == before.nodes.size()) {
        known.classes.insert(id);
        rename(id, std::move(signature));
        return;
    }
    for (const NodeId node : described) {
        move(node, signature);
    }
}

/// The nodes that it alone told apart are sorted together.
void NodeClasses::forget(ExpressionId id) {
    for (const NodeClassId class_id : std::set<NodeClassId>(expressions_.at(id).classes)) {
        Signature rest = classes_.at(class_id).signature;
        std::erase(rest, id);
        if (!class_ids_.contains(rest)) {
            rename(class_id, std::move(rest));
            continue;
        }
        for (const NodeId node : std::set<NodeId>(classes_.at(class_id).nodes)) {
            move(node, rest);
        }
    }
    expression_ids_.erase(expressions_.at(id).text);
    expressions_.erase(id);
}

/// The nodes of a class stay together.
void NodeClasses::rename(NodeClassId id, Signature signature) {
    Class& known = classes_.at(id);
    class_ids_.erase(known.signature);
    class_ids_.emplace(signature, id);
    known.signature = std::move(signature);
}

bool NodeClasses::has(const std::string& text) const {
    const auto found = expression_ids_.find(text);
    return found != expression_ids_.end() && expressions_.at(found->second).uses > 0;
}

NodeClassId NodeClasses::class_of(NodeId id) const {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? kDescribedByNone : found->second.node_class;
}

std::vector<NodeClassId> NodeClasses::classes_of(const std::string& text) const {
    const auto found = expression_ids_.find(text);
    if (found == expression_ids_.end()) {
        return {};
    }
    const std::set<NodeClassId>& classes = expressions_.at(found->second).classes;
    return {classes.begin(), classes.end()};
}

std::set<NodeId> NodeClasses::take_moved() {
    return std::exchange(moved_, {});
}

std::set<std::string> NodeClasses::take_changed() {
    return std::exchange(changed_, {});
}

void NodeClasses::leave(NodeId id) {
    const NodeClassId left = nodes_.at(id).node_class;
    Class& known = classes_.at(left);
    known.nodes.erase(id);
    if (left == kDescribedByNone || !known.nodes.empty()) {
        return;
    }
    for (const ExpressionId each : known.signature) {
        Expression& expression = expressions_.at(each);
        expression.classes.erase(left);
        changed_.insert(expression.text);
    }
    class_ids_.erase(known.signature);
    classes_.erase(left);
}

/// To the class of those that have this signature.
void NodeClasses::move(NodeId id, const Signature& signature) {
    const auto [found, is_new] = class_ids_.try_emplace(signature, last_class_ + 1);
    const NodeClassId joined = found->second;
    if (is_new) {
        last_class_ = joined.value();
        classes_.emplace(joined, Class{.signature = signature});
        for (const ExpressionId each : signature) {
            Expression& expression = expressions_.at(each);
            expression.classes.insert(joined);
            changed_.insert(expression.text);
        }
    }
    Node& node = nodes_.at(id);
    if (joined != node.node_class) {
        leave(id);
        node.node_class = joined;
        classes_.at(joined).nodes.insert(id);
        moved_.insert(id);
    }
}

}  // namespace reeve::ledger
