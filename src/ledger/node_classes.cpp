#include "ledger/node_classes.hpp"

#include <algorithm>
#include <utility>

namespace reeve::ledger {
namespace {

/// Of no node.
model::NodeExpression nothing() {
    return {.kind = model::NodeExpression::Kind::kAny};
}

}  // namespace

void NodeClasses::put_node(NodeId id, model::NodeFacts facts) {
    const auto [found, is_new] = nodes_.try_emplace(id);
    Node& node = found->second;
    if (!is_new && node.facts == facts) {
        return;
    }
    node.facts = std::move(facts);
    Signature signature;
    for (const auto& [text, known] : expressions_) {
        if (holds(known.expression, node.facts)) {
            signature.push_back(known.id);
        }
    }
    std::ranges::sort(signature);
    move(id, node, std::move(signature));
}

void NodeClasses::drop_node(NodeId id) {
    if (const auto found = nodes_.find(id); found != nodes_.end()) {
        leave(found->second);
        nodes_.erase(found);
        moved_.erase(id);
    }
}

void NodeClasses::add(const std::string& text) {
    Expression& known = expressions_[text];
    if (known.uses++ > 0) {
        return;
    }
    known.id = ++last_expression_;
    known.expression = model::parse_node_expression(text).value_or(nothing());
    for (auto& [id, node] : nodes_) {
        if (holds(known.expression, node.facts)) {
            Signature signature = node.signature;
            signature.push_back(known.id);  // The highest so far.
            move(id, node, std::move(signature));
        }
    }
}

void NodeClasses::remove(const std::string& text) {
    const auto found = expressions_.find(text);
    if (found == expressions_.end() || --found->second.uses > 0) {
        return;
    }
    for (auto& [id, node] : nodes_) {
        Signature signature = node.signature;
        std::erase(signature, found->second.id);
        move(id, node, std::move(signature));
    }
    expressions_.erase(found);
}

NodeClassId NodeClasses::class_of(NodeId id) const {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? NodeClassId(0) : found->second.node_class;
}

std::vector<NodeClassId> NodeClasses::classes_of(const std::string& text) const {
    std::vector<NodeClassId> ids;
    const auto known = expressions_.find(text);
    for (const auto& [signature, each] : classes_) {
        if (known != expressions_.end() &&
            std::ranges::binary_search(signature, known->second.id)) {
            ids.push_back(each.id);
        }
    }
    std::ranges::sort(ids);
    return ids;
}

std::set<NodeId> NodeClasses::take_moved() {
    return std::exchange(moved_, {});
}

bool NodeClasses::take_is_changed() {
    return std::exchange(is_changed_, false);
}

void NodeClasses::leave(const Node& node) {
    const auto left = classes_.find(node.signature);
    if (left != classes_.end() && --left->second.nodes == 0) {
        classes_.erase(left);
        is_changed_ = true;
    }
}

void NodeClasses::move(NodeId id, Node& node, Signature signature) {
    if (signature == node.signature) {
        return;
    }
    leave(node);
    node.signature = std::move(signature);
    node.node_class = NodeClassId(0);
    if (!node.signature.empty()) {
        const auto [joined, is_new] = classes_.try_emplace(node.signature);
        if (is_new) {
            joined->second.id = NodeClassId(++last_class_);
            is_changed_ = true;
        }
        ++joined->second.nodes;
        node.node_class = joined->second.id;
    }
    moved_.insert(id);
}

}  // namespace reeve::ledger
