#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/strong_id.hpp"
#include "model/node_expression.hpp"

namespace reeve::ledger {

/// Sorts nodes into classes: those that no known expression tells apart are one. The class 0 is of
/// the nodes that none describes.
///
/// A function of the nodes and expressions that there are, but for the numbers of the classes,
/// which are in the order in which they came, and not reused.
class NodeClasses {
  public:
    /// A node, or what became of it. Cost: the expressions.
    void put_node(NodeId id, model::NodeFacts facts);
    void drop_node(NodeId id);

    /// `text` is an expression as it is printed; what cannot be read describes no node. Each add()
    /// has one remove(). Cost: the nodes.
    void add(const std::string& text);
    void remove(const std::string& text);

    /// Texts that were added, and not removed as often.
    [[nodiscard]] std::size_t expression_count() const { return expressions_.size(); }

    [[nodiscard]] bool knows(const std::string& text) const { return expressions_.contains(text); }

    /// 0 for a node that is not known.
    [[nodiscard]] NodeClassId class_of(NodeId id) const;

    /// Of the nodes that `text`, which was added, describes. Sorted.
    [[nodiscard]] std::vector<NodeClassId> classes_of(const std::string& text) const;

    /// Nodes whose class changed since the last call.
    [[nodiscard]] std::set<NodeId> take_moved();

    /// True if classes came or went since the last call: what classes_of() said is out of date.
    [[nodiscard]] bool take_is_changed();

  private:
    using ExpressionId = std::uint64_t;
    using Signature = std::vector<ExpressionId>;  // Of what describes a node, sorted.

    struct Expression {
        ExpressionId id = 0;
        model::NodeExpression expression = {};
        std::size_t uses = 0;
    };

    struct Class {
        NodeClassId id = NodeClassId(0);
        std::size_t nodes = 0;
    };

    struct Node {
        model::NodeFacts facts = {};
        Signature signature = {};
        NodeClassId node_class = NodeClassId(0);
    };

    void move(NodeId id, Node& node, Signature signature);
    void leave(const Node& node);

    std::map<std::string, Expression> expressions_;
    std::map<NodeId, Node> nodes_;
    std::map<Signature, Class> classes_;  // With nodes in them, but for class 0.
    std::set<NodeId> moved_;
    bool is_changed_ = false;
    ExpressionId last_expression_ = 0;
    std::uint64_t last_class_ = 0;
};

}  // namespace reeve::ledger
