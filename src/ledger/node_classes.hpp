#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
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
/// The numbers of the classes are in the order in which they came, and not reused. A class keeps
/// its number while its nodes are the same.
class NodeClasses {
  public:
    /// Expressions that nobody asks for any more, but that are known still: who comes and goes with
    /// the same one sorts no node.
    static constexpr std::size_t kUnusedMax = 16;

    NodeClasses();

    /// A node, or what became of it. Cost: the expressions.
    void put_node(NodeId id, model::NodeFacts facts);
    void drop_node(NodeId id);

    /// `text` is an expression as it is printed; what cannot be read describes no node. Each add()
    /// has one remove(). Cost of one that is not known: the nodes.
    void add(const std::string& text);
    void remove(const std::string& text);

    /// Texts that were added, and not removed as often.
    [[nodiscard]] std::size_t expression_count() const {
        return expressions_.size() - unused_.size();
    }

    /// True if it is one of those.
    [[nodiscard]] bool has(const std::string& text) const;

    /// 0 for a node that is not known.
    [[nodiscard]] NodeClassId class_of(NodeId id) const;

    /// Of the nodes that `text`, which was added, describes. Sorted.
    [[nodiscard]] std::vector<NodeClassId> classes_of(const std::string& text) const;

    /// Nodes whose class changed since the last call.
    [[nodiscard]] std::set<NodeId> take_moved();

    /// Texts of which classes_of() may say something else than at the last call.
    [[nodiscard]] std::set<std::string> take_changed();

  private:
    using ExpressionId = std::uint64_t;
    using Signature = std::vector<ExpressionId>;  // Of what describes a node, sorted.

    struct Expression {
        std::string text = {};
        model::NodeExpression expression = {};
        std::size_t uses = 0;
        std::set<NodeClassId> classes = {};  // Of the nodes that it describes.
    };

    struct Class {
        Signature signature = {};
        std::set<NodeId> nodes = {};
    };

    struct Node {
        model::NodeFacts facts = {};
        NodeClassId node_class = NodeClassId(0);
    };

    void split(NodeClassId id, ExpressionId expression);
    void forget(ExpressionId id);
    void rename(NodeClassId id, Signature signature);
    void move(NodeId id, const Signature& signature);
    void leave(NodeId id);

    std::map<ExpressionId, Expression> expressions_;
    std::map<std::string, ExpressionId> expression_ids_;
    std::deque<ExpressionId> unused_;  // Those that became so first come first.
    std::map<NodeId, Node> nodes_;
    std::map<NodeClassId, Class> classes_;  // With nodes in them, but for class 0.
    std::map<Signature, NodeClassId> class_ids_;
    std::set<NodeId> moved_;
    std::set<std::string> changed_;
    ExpressionId last_expression_ = 0;
    std::uint64_t last_class_ = 0;
};

}  // namespace reeve::ledger
