#pragma once

// The checked configuration: plain values that only load.hpp makes. It holds references to secrets,
// never secrets. Immutable once loaded, swapped whole at a reload; free to read from any thread.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "model/issuer.hpp"
#include "model/key.hpp"
#include "model/notify.hpp"
#include "model/pool.hpp"
#include "model/provider.hpp"
#include "model/quota.hpp"
#include "model/role.hpp"
#include "model/secret_ref.hpp"
#include "model/usage.hpp"

namespace keyherd::config {

struct WebToken {
  model::Role role = model::Role::metrics;
  std::vector<std::string> pools;  // confined to these; empty: not confined
  model::SecretRef token;
  std::string name{};  // for the audit log
};

// Signs in with a password (HTTP Basic).
struct WebUser {
  std::string name;
  model::Role role = model::Role::metrics;
  std::vector<std::string> pools;  // as of a token
  std::string password_hash;       // bcrypt
  friend bool operator==(const WebUser&, const WebUser&) = default;
};

// The server's certificate: paths of PEM files, resolved.
struct WebTls {
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file;  // empty: none
  std::string client_auth = "none";
  std::string min_version = "TLS12";
  friend bool operator==(const WebTls&, const WebTls&) = default;
};

// How the command line reaches an agent.
struct ClientSettings {
  std::string url;      // without a slash at the end; empty: where the agent of this file listens
  std::string ca_file;  // these three: paths of PEM files, resolved; empty: none
  std::string cert_file;
  std::string key_file;
  std::optional<model::SecretRef> token;
  std::string user;
  std::optional<model::SecretRef> password;
};

struct AgentSettings {
  std::string listen_address = "127.0.0.1";   // without brackets; "localhost" is possible
  int listen_port = 9925;                     // 0: any free one
  std::string state = "keyherd.db";           // resolved path, or ":memory:"
  std::string audit = "keyherd.audit.jsonl";  // resolved path; empty: no audit log is kept
  std::int64_t audit_max_bytes = 64LL * 1024 * 1024;
  std::optional<model::SecretRef> master_key;
  std::vector<std::string> key_files;  // patterns, resolved
  std::vector<std::string> drop_metrics;
  LogFormat log_format = LogFormat::text;
  std::string log_level = "info";  // debug info warning error
  std::chrono::nanoseconds shutdown_timeout = std::chrono::seconds(5);
  std::string timezone = "UTC";  // of days, where no other zone is asked for
  // Quarters of an hour younger than the first and hours younger than the second are kept as such;
  // then days, up to keep_usage.
  std::chrono::nanoseconds keep_quarter_hours = std::chrono::hours(24 * 35);
  std::chrono::nanoseconds keep_hours = std::chrono::hours(24 * 100);
  std::chrono::nanoseconds keep_usage = std::chrono::hours(24 * 400);
  std::chrono::nanoseconds keep_evidence = std::chrono::hours(24 * 30);
  int probe_workers = 64;
  std::string price_file;  // resolved; empty: the shipped lists
  model::NanoUsd unaccounted_spend = model::kNanosPerUsd;
  model::NanoUsd spend_anomaly_floor = model::kNanosPerUsd;
  // A day (UTC), of all keys together; nothing: no limit.
  std::optional<std::int64_t> probe_budget_tokens;
  std::optional<model::NanoUsd> probe_budget_usd;
  std::size_t max_request_ids = 1'900'000;
  std::chrono::nanoseconds keep_request_ids = std::chrono::hours(24 * 7);
};

// Sorted by id (tokens and users: in the order of the file). Relative paths are resolved against
// the directory of the file that names them.
struct Config {
  std::string file;
  AgentSettings agent;
  std::vector<model::Provider> providers;
  std::vector<model::Key> keys;
  std::vector<model::LimitGroup> limit_groups;
  std::vector<model::Quota> quotas;
  std::vector<model::Issuer> issuers;
  std::vector<model::Pool> pools;
  std::vector<model::UsageLog> usage_logs;
  std::vector<WebToken> tokens;
  std::vector<WebUser> users;
  std::optional<WebTls> tls;
  std::vector<std::string> hosts;  // names that the agent is reached by
  ClientSettings client;
  std::vector<model::NotifyTarget> notify;  // in the order of the file
};

// Whether only this machine can reach the address: "localhost", 127.0.0.0/8, ::1.
bool is_loopback(std::string_view host);

// Something a person must mend (or, as a warning, might want to). Never contains a secret's value.
struct Problem {
  std::string file;
  int line = 0;  // from 1; 0 where the problem is the file as a whole
  int column = 0;
  std::string key;  // "keys.prod-1.secret"; empty where none is known
  std::string message;
};

// "file:line:col: key: problem", without the parts that are not known.
std::string to_string(const Problem& problem);

}  // namespace keyherd::config
