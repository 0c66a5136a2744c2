// server, quarantine: what an operator does.
#include <algorithm>
#include <filesystem>
#include <ostream>
#include <system_error>

#include "base/text.hpp"
#include "cli/verb.hpp"
#include "model/resources.hpp"
#include "platform/files.hpp"

namespace reeve::cli {
namespace {

class BackupVerb final : public Verb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("FILE", path_, "On the server's machine; must not exist")->required();
    }

    Result<int> run(Session& session) override {
        const auto server = session.server_name();
        if (!path_.starts_with('/') && server && server->starts_with("unix:")) {
            std::error_code error;  // Of a folder that is gone; then the path stays as it is.
            const std::string here = std::filesystem::current_path(error).string();
            path_ = error ? path_ : here + "/" + path_;
        }
        if (!path_.starts_with('/')) {
            return fail(
                ErrorCode::kInvalid,
                "the server writes the file, on its own machine: give its absolute path");
        }
        auto client = session.client();
        const auto done =
            client
                ? (*client)->post("/api/v1/server:backup", R"({"path":)" + quoted_json(path_) + "}")
                : tl::unexpected(client.error());
        if (!done) {
            return tl::unexpected(done.error());
        }
        if (!print_document(session.out(), *done, "backup", session.look.format)) {
            session.out() << printable(text_at(*done, "path")) << "\n";
        }
        return 0;
    }

  private:
    std::string path_;
};

/// What works on the files of a server that does not run.
class ServerFilesVerb : public Verb {
  public:
    Result<int> run(Session& session) override {
        ServerFiles* files = session.environment().server_files;
        if (files == nullptr) {
            return fail(ErrorCode::kUnavailable, "this build of reeve has no server in it");
        }
        database_ = session.environment().database_file;
        Result<std::string> data = data_;
        if (data_.empty() && needs_data()) {
            data = session.server_directory();
        }
        if (!data) {
            return fail(
                data.error().code,
                data.error().message + "; on its machine, name its data directory with --data DIR");
        }
        return act(session, *files, *data);
    }

  protected:
    void add_data_option(CLI::App& app) {
        app.add_option(
            "--data", data_,
            "Where the server keeps its state (default: the folder of the socket that -s names)");
    }

    [[nodiscard]] std::string database_in(const std::string& directory) const {
        return directory + "/" + database_;
    }

    /// Errors: kNotFound, saying how to name another.
    [[nodiscard]] static Result<void> expect(const std::string& path) {
        return platform::path_exists(path)
                   ? Result<void>()
                   : fail(
                         ErrorCode::kNotFound,
                         "there is no " + path +
                             "; name the server's data directory with --data DIR");
    }

    /// False if no file of a server's is meant.
    [[nodiscard]] virtual bool needs_data() const { return true; }

    /// The exit code.
    [[nodiscard]] virtual Result<int> act(
        Session& session, ServerFiles& files, const std::string& data) = 0;

  private:
    std::string data_;
    std::string database_;
};

class RestoreVerb final : public ServerFilesVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("FILE", path_, "A backup")->required();
        add_data_option(app);
    }

    [[nodiscard]] bool takes(Format format) const override {
        return is_for_people(format) && Verb::takes(format);
    }

  private:
    [[nodiscard]] Result<int> act(
        Session& session, ServerFiles& files, const std::string& data) override {
        const auto words = files.restore(data, path_);
        if (!words) {
            return tl::unexpected(words.error());
        }
        session.out() << *words << "\n";
        return 0;
    }

    std::string path_;
};

class VerifyVerb final : public ServerFilesVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("FILE", path_, "A database or backup (default: the server's)");
        add_data_option(app);
    }

  private:
    [[nodiscard]] bool needs_data() const override { return path_.empty(); }

    [[nodiscard]] Result<int> act(
        Session& session, ServerFiles& files, const std::string& data) override {
        std::string file = path_.empty() ? database_in(data) : path_;
        if (auto found = path_.empty() ? expect(file) : Result<void>(); !found) {
            return tl::unexpected(std::move(found.error()));
        }
        if (!path_.empty() && platform::is_directory(path_)) {
            file = database_in(path_);
        }
        if (!platform::path_exists(file)) {
            return fail(ErrorCode::kNotFound, "there is no " + file);
        }
        const auto check = files.verify(file);
        if (!check) {
            return tl::unexpected(check.error());
        }
        if (!print_document(
                session.out(), to_json(file, *check), "database-check", session.look.format)) {
            if (auto told = print_people(session, file, *check); !told) {
                return tl::unexpected(std::move(told.error()));
            }
        }
        return check->problems.empty() ? 0 : row_of(ErrorCode::kInternal).exit_code;
    }

    [[nodiscard]] static Result<void> print_people(
        Session& session, const std::string& file, const DatabaseCheck& check) {
        if (check.problems.empty()) {
            session.out() << check.jobs << " jobs, " << check.elements << " elements, "
                          << check.changes << " changes: all fit together\n";
            return {};
        }
        std::string text = file + " is damaged:";
        for (const std::string& problem : check.problems) {
            text += "\n  " + problem;
        }
        return fail(ErrorCode::kInternal, text + "\nRestore a backup: reeve server restore FILE");
    }

    [[nodiscard]] static Json to_json(const std::string& file, const DatabaseCheck& check) {
        Json json(rapidjson::kObjectType);
        auto& memory = json.GetAllocator();
        JsonValue problems(rapidjson::kArrayType);
        for (const std::string& problem : check.problems) {
            problems.PushBack(JsonValue(problem.c_str(), memory), memory);
        }
        json.AddMember("file", JsonValue(file.c_str(), memory), memory);
        json.AddMember("jobs", check.jobs, memory);
        json.AddMember("elements", check.elements, memory);
        json.AddMember("changes", check.changes, memory);
        json.AddMember("problems", problems, memory);
        return json;
    }

    std::string path_;
};

class TokenVerb final : public ServerFilesVerb {
  public:
    void add_options(CLI::App& app) override {
        app.add_option("--user", user_, "Whose calls it makes")->required();
        app.add_option("--file", file_, "A new file for it, which nobody else may read");
        add_data_option(app);
    }

    [[nodiscard]] bool takes(Format format) const override {
        return is_for_people(format) && Verb::takes(format);
    }

  private:
    [[nodiscard]] Result<int> act(
        Session& session, ServerFiles& files, const std::string& data) override {
        if (user_.empty()) {
            return fail(ErrorCode::kInvalid, "--user: is empty; name a user of this machine");
        }
        if (auto found = expect(data); !found) {
            return tl::unexpected(std::move(found.error()));
        }
        if (platform::path_exists(file_)) {
            return fail(
                ErrorCode::kConflict, "--file: " + file_ + " is there already; name a new file");
        }
        const auto token = files.make_token(data, user_);
        if (!token) {
            return tl::unexpected(token.error());
        }
        if (file_.empty()) {
            session.out() << *token << "\n";
            return 0;
        }
        auto written = platform::write_file_atomic(file_, *token + "\n", 0600);
        if (!written) {
            return tl::unexpected(std::move(written.error()));
        }
        session.note("Wrote " + printable(file_) + ", which only its owner may read.");
        return 0;
    }

    std::string user_;
    std::string file_;
};

class QuarantineListVerb final : public ListVerb {
  public:
    void add_options(CLI::App& /*app*/) override {}

    Result<int> run(Session& session) override {
        auto client = session.client();
        const auto tasks =
            client ? (*client)->get("/api/v1/quarantine") : tl::unexpected(client.error());
        if (!tasks) {
            return tl::unexpected(tasks.error());
        }
        Listing listing;
        listing.kind = "quarantine-task";
        const auto gpus = [](const JsonValue& task, const Look&) { return gpus_of(task); };
        const auto ran = [](const JsonValue& task, const Look& look) {
            const std::string at = text_at(task, "started_at");
            return at.empty() ? "" : time_between(at, "", look.now);
        };
        const auto since = [](const JsonValue& task, const Look& look) {
            return relative_time(text_at(task, "since"), look.now);
        };
        listing.columns = {
            plain("TASK", "key"),
            plain("NAME", "name"),
            plain("USER", "user"),
            Column{.title = "RUNS FOR", .cell = ran, .path = "started_at", .narrow = {.leaves = 2}},
            Column{.title = "FOUND", .cell = since, .path = "since", .narrow = {.leaves = 1}},
            plain("NODE", "node"),
            Column{.title = "GPUS", .cell = gpus},
        };
        listing.name = [](const JsonValue& task) { return text_at(task, "key"); };
        listing.nothing = "Nothing is in quarantine.";
        const auto shown = print_list(session.out(), *tasks, listing, session.look);
        return shown ? Result<int>(0) : tl::unexpected(shown.error());
    }

  private:
    /// "a30 GPU-1c2d3e4f, 0.25 of l4 GPU-99aa00bb": short names, as in tables of GPUs.
    static std::string gpus_of(const JsonValue& task) {
        std::vector<std::string> uuids;
        const JsonValue* gpus = find(task, "gpus");
        for (rapidjson::SizeType i = 0; gpus != nullptr && i < gpus->Size(); ++i) {
            uuids.push_back(text_at((*gpus)[i], "uuid"));
        }
        const std::size_t length = telling_length(uuids);
        std::string words;
        for (std::size_t i = 0; i < uuids.size(); ++i) {
            const JsonValue& gpu = (*gpus)[static_cast<rapidjson::SizeType>(i)];
            const auto milli = integer_at(gpu, "milli").value_or(model::kWholeGpuMilli);
            words += i == 0 ? "" : ", ";
            words += milli < model::kWholeGpuMilli ? format_milli(milli) + " of " : "";
            words += text_at(gpu, "model") + " " + uuids[i].substr(0, length);
        }
        return words;
    }
};

class QuarantineControlVerb : public Verb {
  public:
    QuarantineControlVerb(std::string action, std::string done)
        : action_(std::move(action)), done_(std::move(done)) {}

    void add_options(CLI::App& app) override {
        app.add_option("TASK", key_, "As `reeve quarantine list` names it")->required();
        if (action_ == "release") {
            app.add_flag("-y,--yes", is_sure_, "Nothing of it runs any more");
        }
    }

    Result<int> run(Session& session) override {
        constexpr std::ptrdiff_t kDots = 3;  // job.element.attempt.rank
        if (std::ranges::count(key_, '.') != kDots) {
            return fail(
                ErrorCode::kInvalid, "'" + key_ +
                                         "' is not the name of a task, such as 1842.0.1.0; `reeve "
                                         "quarantine list` names them in full");
        }
        if (action_ == "release" && !is_sure_) {
            return fail(
                ErrorCode::kPrecondition,
                "this gives the GPUs of " + key_ +
                    " to others, also if it still runs on them. `reeve quarantine adopt " + key_ +
                    "` makes it a job again, `reeve quarantine stop " + key_ +
                    "` ends it. Say --yes if nothing of it runs any more");
        }
        auto client = session.client();
        const auto done =
            client ? (*client)->post("/api/v1/quarantine/" + escaped(key_) + ":" + action_, "")
                   : tl::unexpected(client.error());
        if (!done) {
            return tl::unexpected(done.error());
        }
        session.note(key_ + " " + done_);
        return 0;
    }

  private:
    std::string action_;
    std::string done_;  // What is said of the task then.
    std::string key_;
    bool is_sure_ = false;
};

class QuarantineAdoptVerb final : public QuarantineControlVerb {
  public:
    QuarantineAdoptVerb() : QuarantineControlVerb("adopt", "is a job again; see `reeve q`.") {}
};

class QuarantineReleaseVerb final : public QuarantineControlVerb {
  public:
    QuarantineReleaseVerb() : QuarantineControlVerb("release", "is gone; its GPUs are free.") {}
};

class QuarantineStopVerb final : public QuarantineControlVerb {
  public:
    QuarantineStopVerb() : QuarantineControlVerb("stop", "is told to stop.") {}
};

}  // namespace

std::vector<VerbRow> server_verbs() {
    return {
        {"server backup",      "Write a consistent copy of the database",                                "FILE",
         "  reeve server backup /var/backups/reeve-monday.db\n"
         "The logs of jobs are not in it; they are in the folder nodes of its data directory.\n",                                                                       make_verb<BackupVerb>           },
        {"server restore",     "Make a database of a backup, for a server that is stopped and has none",
         "FILE [--data DIR]",                                                                                                   "  reeve server restore /var/backups/reeve-monday.db\n"
         "Move an older database aside first: mkdir DIR/old && mv DIR/reeve.db* DIR/old/\n",                                               make_verb<RestoreVerb>          },
        {"server verify",      "Read a whole database, and say what is in it",                           "[FILE] [--data DIR]",
         "  reeve server verify /var/backups/reeve-monday.db\n",                                                                                                        make_verb<VerifyVerb>           },
        {"server token",       "Make a token for calls over TCP; it is shown once",
         "--user NAME [--file FILE]",                                                                                           "  reeve server token --user alice --file alice.token\n"
         "  reeve -s http://127.0.0.1:8081 --token-file alice.token q\n",                                                          make_verb<TokenVerb>            },
        {"quarantine list",    "Tasks of this cluster that it does not know",                            "",
         "  reeve quarantine list\n",                                                                                                                                   make_verb<QuarantineListVerb>   },
        {"quarantine adopt",   "Make such a task a job again",                                           "TASK",
         "  reeve quarantine adopt 1842.0.1.0\n",                                                                                                                       make_verb<QuarantineAdoptVerb>  },
        {"quarantine release", "Say that nothing of such a task runs any more",                          "TASK --yes",
         "  reeve quarantine release 1842.0.1.0 --yes\n",                                                                                                               make_verb<QuarantineReleaseVerb>},
        {"quarantine stop",    "Stop such a task",                                                       "TASK",                "  reeve quarantine stop 1842.0.1.0\n",
         make_verb<QuarantineStopVerb>                                                                                                                                                                  },
    };
}

}  // namespace reeve::cli
