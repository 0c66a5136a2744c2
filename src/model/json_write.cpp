// Writes job specs and task orders as json_read.cpp reads them, defaults left out.

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "model/job_spec.hpp"
#include "model/resources.hpp"
#include "model/spec_rules.hpp"
#include "model/task.hpp"

namespace reeve::model {
namespace {

class Json {
  public:
    void open() { writer_.StartObject(); }

    void close() { writer_.EndObject(); }

    void open_list() { writer_.StartArray(); }

    void close_list() { writer_.EndArray(); }

    void key(std::string_view name) {
        writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    }

    void value(std::string_view text) {
        writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }

    void text(std::string_view name, std::string_view value_text) {
        key(name);
        value(value_text);
    }

    void number(std::string_view name, std::int64_t value_number) {
        key(name);
        writer_.Int64(value_number);
    }

    void flag(std::string_view name, bool value_flag) {
        key(name);
        writer_.Bool(value_flag);
    }

    /// 2000 -> 2, 250 -> 0.25.
    void milli(std::string_view name, std::int64_t value_milli) {
        key(name);
        if (value_milli % 1000 == 0) {
            writer_.Int64(value_milli / 1000);
        } else {
            writer_.Double(static_cast<double>(value_milli) / 1000);
        }
    }

    void map(std::string_view name, const std::map<std::string, std::string>& values) {
        key(name);
        open();
        for (const auto& [map_key, map_value] : values) {
            text(map_key, map_value);
        }
        close();
    }

    [[nodiscard]] std::string take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

  private:
    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

void write_resources(Json& json, const JobTerms& terms) {
    const JobTerms kept;
    const GpuAsk& gpus = terms.gpus;
    if (gpus == kept.gpus && terms.cpu_millicores == kept.cpu_millicores &&
        terms.memory_mib == kept.memory_mib) {
        return;
    }
    json.key("resources");
    json.open();
    if (gpus.count != 0 || gpus.milli != 0) {
        json.milli("gpus", gpus.count * kWholeGpuMilli + gpus.milli);
    }
    if (!gpus.model.empty()) {
        json.text("gpu_model", gpus.model);
    }
    if (gpus.memory_mib != 0) {
        json.number("gpu_memory_mib", gpus.memory_mib);
    }
    if (terms.cpu_millicores != kept.cpu_millicores) {
        json.milli("cpus", terms.cpu_millicores);
    }
    if (terms.memory_mib != 0) {
        json.number("memory_mib", terms.memory_mib);
    }
    json.close();
}

void write_array(Json& json, const ArrayRange& array) {
    json.key("array");
    json.open();
    json.number("first", array.first);
    json.number("last", array.last);
    if (array.step != 1) {
        json.number("step", array.step);
    }
    if (array.running_max != 0) {
        json.number("max_running", array.running_max);
    }
    json.close();
}

void write_after(Json& json, const std::vector<Dependency>& after) {
    json.key("after");
    json.open_list();
    for (const Dependency& one : after) {
        json.open();
        json.text("kind", name_of(one.kind));
        json.number("job_id", static_cast<std::int64_t>(one.job.value()));
        json.close();
    }
    json.close_list();
}

void write_retries(Json& json, const JobTerms& terms) {
    const JobTerms kept;
    if (terms.retries_max == kept.retries_max && terms.retry_backoff_s == kept.retry_backoff_s) {
        return;
    }
    json.key("retries");
    json.open();
    if (terms.retries_max != kept.retries_max) {
        json.number("max", terms.retries_max);
    }
    if (terms.retry_backoff_s != kept.retry_backoff_s) {
        json.number("backoff_s", terms.retry_backoff_s);
    }
    json.close();
}

/// What of the terms follows what is executed.
void write_terms(Json& json, const JobTerms& terms) {
    write_resources(json, terms);
    if (!terms.on.empty()) {
        json.text("on", terms.on);
    }
    if (terms.time_limit_s != 0) {
        json.number("time_limit_s", terms.time_limit_s);
    }
    if (!terms.priority_name.empty()) {
        json.text("priority", terms.priority_name);
    } else if (terms.priority != 0) {
        json.number("priority", terms.priority);
    }
    if (!terms.labels.empty()) {
        json.map("labels", terms.labels);
    }
    if (terms.array) {
        write_array(json, *terms.array);
    }
    if (!terms.after.empty()) {
        write_after(json, terms.after);
    }
    write_retries(json, terms);
    if (terms.is_held) {
        json.flag("hold", true);
    }
}

void write_execution(Json& json, const Execution& run) {
    if (!run.argv.empty()) {
        json.key("command");
        json.open_list();
        for (const std::string& argument : run.argv) {
            json.value(argument);
        }
        json.close_list();
    }
    if (!run.script.empty()) {
        json.text("script", run.script);
    }
    if (!run.working_dir.empty()) {
        json.text("working_dir", run.working_dir);
    }
    if (!run.environment.empty()) {
        json.map("env", run.environment);
    }
}

void write_stop(Json& json, const Execution& run) {
    const Execution kept;
    if (run.stop_signal == kept.stop_signal && run.stop_grace_s == kept.stop_grace_s) {
        return;
    }
    json.key("stop");
    json.open();
    if (run.stop_signal != kept.stop_signal) {
        json.text("signal", signal_name(run.stop_signal));
    }
    if (run.stop_grace_s != kept.stop_grace_s) {
        json.number("grace_s", run.stop_grace_s);
    }
    json.close();
}

}  // namespace

std::string to_json(const JobSpec& spec) {
    const JobTerms kept;
    Json json;
    json.open();
    if (spec.terms.name != default_name(spec.execution)) {
        json.text("name", spec.terms.name);
    }
    if (spec.terms.project != kept.project) {
        json.text("project", spec.terms.project);
    }
    write_execution(json, spec.execution);
    write_terms(json, spec.terms);
    write_stop(json, spec.execution);
    if (spec.terms.on_node_loss == OnNodeLoss::kRequeue) {
        json.text("on_node_loss", "requeue");
    }
    if (spec.terms.is_preemptible) {
        json.flag("preemptible", true);
    }
    if (spec.execution.splits_output) {
        json.flag("split_output", true);
    }
    if (!spec.execution.output_file.empty()) {
        json.text("output", spec.execution.output_file);
    }
    if (!spec.execution.error_file.empty()) {
        json.text("error", spec.execution.error_file);
    }
    json.close();
    return json.take();
}

std::string to_json(const TaskOrder& order) {
    Json json;
    json.open();
    json.text("key", to_string(order.key));
    json.text("cluster_id", order.cluster_id);
    json.key("identity");
    json.open();
    json.text("user", order.identity.user);
    json.number("uid", order.identity.uid);
    json.number("gid", order.identity.gid);
    json.close();
    json.text("project", order.project);
    json.text("job_name", order.job_name);
    json.number("array_count", order.array_count);
    json.key("gpus");
    json.open_list();
    for (const GrantedGpu& gpu : order.gpus) {
        json.open();
        json.text("uuid", gpu.uuid);
        json.number("milli", gpu.milli);
        json.number("memory_mib", gpu.memory_mib);
        json.flag("is_whole", gpu.is_whole);
        json.close();
    }
    json.close_list();
    json.number("cpu_millicores", order.cpu_millicores);
    json.number("memory_mib", order.memory_mib);
    json.number("time_limit_s", order.time_limit_s);
    json.text("spec", order.spec_json);
    json.close();
    return json.take();
}

}  // namespace reeve::model
