// doctor: what is wrong here, and the command that mends it.
#include <algorithm>
#include <ostream>

#include "cli/doctor_checks.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

struct HealthRow {
    const char* mark;
    const char* word;
    Tone tone;
};

HealthRow row_of(Health health) {
    switch (health) {
        case Health::kGood:    return {"✓", "ok", Tone::kGood};
        case Health::kWarning: return {"!", "warning", Tone::kWaiting};
        case Health::kBad:     return {"✗", "bad", Tone::kBad};
    }
    return {"?", "unknown", Tone::kPlain};
}

class DoctorVerb final : public ListVerb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    Result<int> run(Session& session) override {
        const std::vector<Finding> findings = examine(session);
        const bool is_bad = std::ranges::any_of(
            findings, [](const Finding& one) { return one.health == Health::kBad; });
        const Format format = session.look.format;
        if (format == Format::kTable || format == Format::kWide) {
            print_people(session, findings);
        } else if (auto shown =
                       print_list(session.out(), to_list(findings), listing(), session.look);
                   !shown) {
            return tl::unexpected(std::move(shown.error()));
        }
        return is_bad ? 1 : 0;
    }

  private:
    static void print_people(Session& session, const std::vector<Finding>& findings) {
        std::vector<std::vector<std::string>> rows;
        for (const Finding& one : findings) {
            const HealthRow health = row_of(one.health);
            rows.push_back(
                {painted(health.mark, health.tone, session.look), printable(one.name),
                 printable(one.what)});
            if (!one.fix.empty()) {
                rows.push_back({"", "", "  " + printable(one.fix)});
            }
        }
        Look whole = session.look;
        whole.is_terminal = false;  // Commands are there to be copied: no line of them is broken.
        session.out() << table_text(rows, whole);
    }

    static Json to_list(const std::vector<Finding>& findings) {
        Json list(rapidjson::kObjectType);
        auto& memory = list.GetAllocator();
        JsonValue items(rapidjson::kArrayType);
        for (const Finding& one : findings) {
            JsonValue row(rapidjson::kObjectType);
            row.AddMember("check", JsonValue(one.name.c_str(), memory), memory);
            row.AddMember("health", JsonValue(row_of(one.health).word, memory), memory);
            row.AddMember("found", JsonValue(one.what.c_str(), memory), memory);
            if (!one.fix.empty()) {
                row.AddMember("fix", JsonValue(one.fix.c_str(), memory), memory);
            }
            items.PushBack(row, memory);
        }
        list.AddMember("items", items, memory);
        return list;
    }

    static Listing listing() {
        Listing listing;
        listing.kind = "check";
        listing.columns = {
            plain("CHECK", "check"), plain("HEALTH", "health"), plain("FOUND", "found"),
            plain("FIX", "fix")};
        listing.name = [](const JsonValue& row) { return text_at(row, "check"); };
        return listing;
    }
};

}  // namespace

std::vector<VerbRow> doctor_verbs() {
    return {
        {"doctor", "What is wrong here, and the command that mends it", "[flags]",
         "  reeve doctor\n  reeve doctor -o json          exits 1 if something is bad\n", make_verb<DoctorVerb>},
    };
}

}  // namespace reeve::cli
