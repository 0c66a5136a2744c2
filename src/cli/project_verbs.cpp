// project: list, show, add, set.
#include <ostream>

#include "base/text.hpp"
#include "cli/verb.hpp"

namespace reeve::cli {
namespace {

/// "1.5/4": used of the limit; "1.5" without one.
std::string used_of(
    const JsonValue& project, std::string_view field, std::string (*format)(std::int64_t)) {
    const auto used = integer_at(project, "used." + std::string(field));
    const auto limit = integer_at(project, "quota." + std::string(field));
    return format(used.value_or(0)) + (limit ? "/" + format(*limit) : "");
}

std::string plain_number(std::int64_t number) {
    return std::to_string(number);
}

/// "2 GPUs, 10 running": what each user may hold; "" without limits.
std::string user_limits_of(const JsonValue& project) {
    struct Row {
        const char* field;
        const char* unit;
        std::string (*format)(std::int64_t);
    };

    std::string words;
    for (const Row& row : {
             Row{"gpu_milli",        " GPUs",    format_milli},
             Row{"cpu_millicores",   " CPUs",    format_milli},
             Row{"memory_mib",       " memory",  format_mib  },
             Row{"running_elements", " running", plain_number},
             Row{"pending_elements", " pending", plain_number}
    }) {
        if (const auto limit = integer_at(project, std::string("user_quota.") + row.field)) {
            words += (words.empty() ? "" : ", ") + row.format(*limit);
            words += row.unit;
        }
    }
    return words;
}

/// "8"; "" if nothing is guaranteed.
std::string guaranteed_of(const JsonValue& project) {
    const std::int64_t guaranteed = integer_at(project, "guaranteed_gpu_milli").value_or(0);
    return guaranteed == 0 ? "" : format_milli(guaranteed);
}

Listing project_listing() {
    Listing listing;
    listing.kind = "project";
    const auto column = [](const char* title, const char* field,
                           std::string (*format)(std::int64_t)) {
        return Column{
            .title = title,
            .cell = [field, format](
                        const JsonValue& p, const Look&) { return used_of(p, field, format); },
            .path = "used." + std::string(field)};
    };
    listing.columns = {
        plain("PROJECT", "name"),
        plain("PARENT", "parent"),
        plain("SHARE", "share"),
        column("GPUS", "gpu_milli", format_milli),
        Column{
               .title = "GUARANTEED",
               .cell = [](const JsonValue& p, const Look&) { return guaranteed_of(p); },
               .path = "guaranteed_gpu_milli"},
        column("CPU", "cpu_millicores", format_milli),
        column("MEMORY", "memory_mib", format_mib),
        column("RUNNING", "running_elements", plain_number),
        column("PENDING", "pending_elements", plain_number),
        wide(Column{
               .title = "EACH USER",
               .cell = [](const JsonValue& p, const Look&) { return user_limits_of(p); }}
        ),
    };
    listing.name = [](const JsonValue& project) { return text_at(project, "name"); };
    return listing;
}

class ProjectListVerb final : public ListVerb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto projects =
            client ? (*client)->get("/api/v1/projects") : tl::unexpected(client.error());
        if (!projects) {
            return tl::unexpected(projects.error());
        }
        const auto shown = print_list(session.out(), *projects, project_listing(), session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }
};

Result<int> print_project(Session& session, const Json& project) {
    if (print_document(session.out(), project, "project", session.look.format)) {
        return 0;
    }
    Json list(rapidjson::kObjectType);
    JsonValue items(rapidjson::kArrayType);
    items.PushBack(JsonValue(project, list.GetAllocator()), list.GetAllocator());
    list.AddMember("items", items, list.GetAllocator());
    const auto shown = print_list(session.out(), list, project_listing(), session.look);
    return shown ? Result<int>(0) : tl::unexpected(shown.error());
}

class ProjectShowVerb final : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("NAME", name_, "Project")->required();
    }

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto project = client ? (*client)->get("/api/v1/projects/" + escaped(name_))
                                    : tl::unexpected(client.error());
        if (!project) {
            return tl::unexpected(project.error());
        }
        return print_project(session, *project);
    }

  private:
    std::string name_;
};

/// One limit of a quota: its flag, its field, and how its value is read.
struct LimitFlag {
    const char* flag;
    const char* field;
    const char* what;
    Result<std::int64_t> (*parse)(std::string_view);
};

constexpr auto kLimits = std::to_array<LimitFlag>({
    {"--gpus",    "gpu_milli",        "GPUs at once: 4, 0.5",          parse_milli   },
    {"--cpus",    "cpu_millicores",   "CPUs at once: 64",              parse_milli   },
    {"--mem",     "memory_mib",       "Memory at once: 512G",          parse_size_mib},
    {"--running", "running_elements", "Elements that run at once: 10", parse_integer },
    {"--pending", "pending_elements", "Elements that wait: 1000",      parse_integer },
});

/// "--gpus" of "quota", "--user-gpus" of "user_quota".
std::string flag_of(const LimitFlag& limit, std::string_view member) {
    const std::string flag = limit.flag;
    return member == "quota" ? flag : "--user-" + flag.substr(2);
}

/// What becomes of a limit: nothing is no limit.
Result<std::optional<std::int64_t>> limit_of(
    const LimitFlag& limit,
    const std::string& flag,
    const std::string& text,
    std::optional<std::int64_t> old) {
    if (text.empty()) {
        return old;
    }
    if (text == "none") {
        return std::optional<std::int64_t>();
    }
    const auto value = limit.parse(text);
    if (!value || *value < 0) {
        return fail(
            ErrorCode::kInvalid,
            flag + ": '" + text + "' is not a limit; write a number from 0 on, or none");
    }
    return std::optional(*value);
}

using LimitTexts = std::array<std::string, kLimits.size()>;

/// "quota":{…}: of `before`, and changed as `texts` say.
Result<std::string> limits_member(
    const std::string& name, const LimitTexts& texts, const JsonValue& before) {
    std::string text;
    for (std::size_t i = 0; i < kLimits.size(); ++i) {
        const LimitFlag& limit = kLimits.at(i);
        std::string path = name + ".";
        path += limit.field;
        const auto value =
            limit_of(limit, flag_of(limit, name), texts.at(i), integer_at(before, path));
        if (!value) {
            return tl::unexpected(value.error());
        }
        if (*value) {
            text += (text.empty() ? "" : ",") + quoted_json(limit.field) + ":";
            text += std::to_string(**value);
        }
    }
    return quoted_json(name) + ":{" + text + "}";
}

/// add: a new project. set: what is named changes, the rest stays; "none" takes a limit away.
class ProjectChangeVerb : public ListVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("NAME", name_, "Project")->required();
        for (std::size_t i = 0; i < kLimits.size(); ++i) {
            app.add_option(
                kLimits.at(i).flag, limits_.at(i),
                std::string(kLimits.at(i).what) + "; none: no limit");
        }
        for (std::size_t i = 0; i < kLimits.size(); ++i) {
            app.add_option(
                flag_of(kLimits.at(i), "user_quota"), user_limits_.at(i),
                "Likewise, of each user of the project");
        }
        app.add_option(
            "--guaranteed-gpus", guaranteed_,
            "GPUs that it gets back from who borrowed them: 8; none: no guarantee");
        app.add_option("--share", share_, "What it may have beside its siblings, by fair share: 1")
            ->check(CLI::Range(1, 10'000));
    }

  protected:
    /// "quota": …, of `before` and changed as the flags say, and what else they say.
    [[nodiscard]] Result<std::string> quota(const JsonValue& before) const {
        const auto all = limits_member("quota", limits_, before);
        const auto of_users = limits_member("user_quota", user_limits_, before);
        const auto guaranteed =
            guaranteed_ == "none" ? Result<std::int64_t>(0) : parse_milli(guaranteed_);
        if (!all || !of_users) {
            return tl::unexpected(all ? of_users.error() : all.error());
        }
        if (!guaranteed_.empty() && !guaranteed) {
            return fail(
                ErrorCode::kInvalid,
                "--guaranteed-gpus: " + guaranteed.error().message + "; or none");
        }
        std::string text = *all;
        text += "," + *of_users;
        if (!guaranteed_.empty()) {
            text += R"(,"guaranteed_gpu_milli":)" + std::to_string(*guaranteed);
        }
        text += share_ ? R"(,"share":)" + std::to_string(*share_) : "";
        return text;
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    std::string name_;
    std::optional<int> share_;
    std::string guaranteed_;
    LimitTexts limits_;
    LimitTexts user_limits_;
};

class ProjectAddVerb final : public ProjectChangeVerb {
  public:
    void add_options(CLI::App& app) override {
        ProjectChangeVerb::add_options(app);
        app.add_option("--parent", parent_, "Project above it");
    }

    Result<int> run(Session& session) override {
        const auto limits = quota(JsonValue(rapidjson::kObjectType));
        auto client = session.client();
        if (!limits || !client) {
            return tl::unexpected(limits ? client.error() : limits.error());
        }
        std::string body = R"({"name":)" + quoted_json(name()) + ",";
        body += parent_.empty() ? "" : R"("parent":)" + quoted_json(parent_) + ",";
        const auto project = (*client)->post("/api/v1/projects", body + *limits + "}");
        if (!project) {
            return tl::unexpected(project.error());
        }
        return print_project(session, *project);
    }

  private:
    std::string parent_;
};

class ProjectSetVerb final : public ProjectChangeVerb {
  public:
    Result<int> run(Session& session) override {
        auto client = session.client();
        const std::string path = "/api/v1/projects/" + escaped(name());
        const auto before = client ? (*client)->get(path) : tl::unexpected(client.error());
        const auto limits = before ? quota(*before) : tl::unexpected(before.error());
        const auto project =
            limits ? (*client)->put(path, "{" + *limits + "}") : tl::unexpected(limits.error());
        if (!project) {
            return tl::unexpected(project.error());
        }
        return print_project(session, *project);
    }
};

}  // namespace

std::vector<VerbRow> project_verbs() {
    return {
        {"project list", "Projects, what they use, and their limits", "[flags]",
         "  reeve project list\n",                                                                                     make_verb<ProjectListVerb>},
        {"project show", "One project",                               "NAME",         "  reeve project show vision\n",
         make_verb<ProjectShowVerb>                                                                                                              },
        {"project add",  "Create a project",                          "NAME [flags]",
         "  reeve project add vision --gpus 4 --pending 1000\n",                                                       make_verb<ProjectAddVerb> },
        {"project set",  "Change a project's limits",                 "NAME [flags]",
         "  reeve project set vision --gpus 8\n  reeve project set vision --gpus none\n  reeve "
         "project set vision --user-gpus 2\n  reeve project set vision --guaranteed-gpus 4\n",                         make_verb<ProjectSetVerb> },
    };
}

}  // namespace reeve::cli
