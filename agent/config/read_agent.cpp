#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

void read_agent(const TableReader& reader, Spec& spec) {
  AgentSettings& agent = spec.config.agent;
  spec.listen = reader.place_of("listen");
  if (const auto listen = reader.text("listen")) {
    const auto address = parse_listen(*listen);
    if (address) {
      agent.listen_address = address->address;
      agent.listen_port = address->port;
    } else {
      reader.error("listen", address.error().message);
    }
  }
  if (const auto written = reader.text("state")) {
    if (written->find("://") != std::string::npos)
      reader.error("state", "this version keeps its state in an SQLite file: expected a path");
    agent.state = *written == ":memory:" ? *written : reader.path("state").value_or(*written);
  }
  // Beside the state: "keyherd.db" has "keyherd.audit.jsonl".
  if (reader.has("audit"))
    agent.audit = reader.text("audit") == "none" ? "" : reader.path("audit").value_or("");
  else if (agent.state == ":memory:")
    agent.audit.clear();
  else
    agent.audit = (agent.state.ends_with(".db") ? agent.state.substr(0, agent.state.size() - 3)
                                                : agent.state) +
                  ".audit.jsonl";
  agent.audit_max_bytes = reader.integer("audit_max_bytes").value_or(agent.audit_max_bytes);
  agent.master_key = reader.secret("master_key");
  spec.key_files = reader.place_of("key_files");
  for (const std::string& pattern : reader.texts("key_files").value_or(std::vector<std::string>()))
    agent.key_files.push_back(reader.resolve(pattern));
  agent.drop_metrics = reader.texts("drop_metrics").value_or(std::vector<std::string>());
  if (reader.choice("log_format").value_or("text") == "json")
    agent.log_format = LogFormat::json;
  agent.log_level = reader.choice("log_level").value_or(agent.log_level);
  agent.shutdown_timeout = reader.duration("shutdown_timeout").value_or(agent.shutdown_timeout);
  agent.timezone = reader.timezone("timezone").value_or(agent.timezone);
  agent.keep_quarter_hours =
      reader.duration("keep_quarter_hours").value_or(agent.keep_quarter_hours);
  agent.keep_hours = reader.duration("keep_hours").value_or(agent.keep_hours);
  agent.keep_usage = reader.duration("keep_usage").value_or(agent.keep_usage);
  agent.keep_evidence = reader.duration("keep_evidence").value_or(agent.keep_evidence);
  agent.price_file = reader.path("price_file").value_or(agent.price_file);
  spec.price_file = reader.place_of("price_file");
  agent.unaccounted_spend = reader.usd("unaccounted_spend").value_or(agent.unaccounted_spend);
  agent.spend_anomaly_floor = reader.usd("spend_anomaly_floor").value_or(agent.spend_anomaly_floor);
  agent.max_request_ids = static_cast<std::size_t>(
      reader.integer("max_request_ids").value_or(static_cast<std::int64_t>(agent.max_request_ids)));
  agent.keep_request_ids = reader.duration("keep_request_ids").value_or(agent.keep_request_ids);
  agent.probe_workers =
      static_cast<int>(reader.integer("probe_workers").value_or(agent.probe_workers));
  agent.probe_budget_tokens = reader.integer("probe_budget_tokens");
  agent.probe_budget_usd = reader.usd("probe_budget_usd");
}

void read_notify(const TableReader& reader, Spec& spec) {
  using Kind = model::NotifyTarget::Kind;
  model::NotifyTarget target;
  const bool plain = reader.boolean("allow_plain_http").value_or(false);
  if (reader.has("alertmanager") == reader.has("webhook"))
    reader.error(
        "expected exactly one of alertmanager and webhook, such as { alertmanager = "
        "\"http://127.0.0.1:9093\" }");
  const std::string field = reader.has("webhook") ? "webhook" : "alertmanager";
  target.kind = field == "webhook" ? Kind::webhook : Kind::alertmanager;
  if (const auto url = reader.text(field)) {
    if (const Status status = check_webhook_url(*url, plain); !status)
      reader.error(field, status.error().message);
    target.url = *url;
    // The path of the API is added to it.
    while (target.kind == Kind::alertmanager && target.url.ends_with('/'))
      target.url.pop_back();
  }
  target.token = reader.secret("token");
  target.least = reader.choice<model::Severity>("severity", model::severity_from_string)
                     .value_or(target.least);
  spec.config.notify.push_back(std::move(target));
}

}  // namespace keyherd::config
