// node drain, resume, lost: what an operator says of a node.
#include <ostream>

#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

/// drain, resume, lost.
class NodeControlVerb : public Verb {
  public:
    explicit NodeControlVerb(std::string action) : action_(std::move(action)) {}

    void add_options(CLI::App& app) override {
        app.add_option("NODE", names_, "Names")->required();
        if (action_ == "drain") {
            app.add_option("--reason", reason_, "Shown to whoever waits for the node");
        }
        if (action_ == "lost") {
            app.add_flag("-y,--yes", is_sure_, "It is dead: nothing runs on it any more");
        }
    }

    Result<int> run(Session& session) override {
        if (action_ == "lost" && !is_sure_) {
            return fail(
                ErrorCode::kPrecondition,
                "what ran on a lost node is started again elsewhere; if the node is not dead, it "
                "runs "
                "twice. Say --yes if it is dead");
        }
        auto client = session.client();
        if (!client) {
            return tl::unexpected(client.error());
        }
        for (const std::string& name : names_) {
            const std::string body =
                reason_.empty() ? "" : R"({"reason":)" + quoted_json(reason_) + "}";
            const auto node =
                (*client)->post("/api/v1/nodes/" + escaped(name) + ":" + action_, body);
            if (!node) {
                return tl::unexpected(node.error());
            }
            if (!print_document(session.out(), *node, "node", session.look.format)) {
                session.note(text_at(*node, "name") + " is " + text_at(*node, "state"));
            }
        }
        return 0;
    }

  private:
    std::string action_;
    std::vector<std::string> names_;
    std::string reason_;
    bool is_sure_ = false;
};

class DrainVerb final : public NodeControlVerb {
  public:
    DrainVerb() : NodeControlVerb("drain") {}
};

class ResumeVerb final : public NodeControlVerb {
  public:
    ResumeVerb() : NodeControlVerb("resume") {}
};

class LostVerb final : public NodeControlVerb {
  public:
    LostVerb() : NodeControlVerb("lost") {}
};

}  // namespace

std::vector<VerbRow> node_control_verbs() {
    return {
        {"node drain",  "Place nothing new on nodes", "NODE… [flags]",
         "  reeve node drain jw4 --reason \"fan swap\"\n",                                              make_verb<DrainVerb>},
        {"node resume", "Undo a drain",               "NODE…",         "  reeve node resume jw4\n",
         make_verb<ResumeVerb>                                                                                              },
        {"node lost",   "Declare silent nodes dead",  "NODE… --yes",   "  reeve node lost jw4 --yes\n",
         make_verb<LostVerb>                                                                                                },
    };
}

}  // namespace reeve::cli
