#include <catch2/catch.hpp>
#include <set>

#include "model/evidence.hpp"
#include "model/pool.hpp"
#include "model/provider.hpp"
#include "model/quota.hpp"
#include "model/snapshot.hpp"
#include "model/verdict.hpp"

using namespace keyherd::model;

TEST_CASE("the verdict table is in the order of the enum, with every promised name") {
  const std::set<std::string_view> promised{"ok",
                                            "invalid_key",
                                            "disabled_key",
                                            "account_disabled",
                                            "permission_denied",
                                            "region_denied",
                                            "balance_exhausted",
                                            "quota_exhausted",
                                            "rate_limited",
                                            "overloaded",
                                            "server_error",
                                            "model_missing",
                                            "bad_request",
                                            "upstream_auth",
                                            "network"};
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kVerdictCount; ++i) {
    const VerdictInfo& row = verdict_table()[i];
    CHECK(row.verdict == static_cast<Verdict>(i));
    CHECK(verdict_from_string(row.name) == row.verdict);
    CHECK(row.meaning.ends_with("."));
    names.insert(row.name);
  }
  CHECK(names == promised);
  CHECK_FALSE(verdict_from_string("fine"));
}

TEST_CASE("states have the promised names and only good ones are handed out") {
  CHECK(std::set<std::string_view>(key_state_names().begin(), key_state_names().end()) ==
        std::set<std::string_view>{"unknown", "healthy", "throttled", "exhausted", "degraded",
                                   "dead", "paused"});
  CHECK(is_usable(KeyState::healthy));
  CHECK(is_usable(KeyState::degraded));
  for (const auto state : {KeyState::unknown, KeyState::throttled, KeyState::exhausted,
                           KeyState::dead, KeyState::paused})
    CHECK_FALSE(is_usable(state));
}

TEST_CASE("a bare status means what its class says and never more") {
  CHECK(verdict_from_status(200) == Verdict::ok);
  CHECK(verdict_from_status(204) == Verdict::ok);
  CHECK(verdict_from_status(0) == Verdict::network);
  CHECK(verdict_from_status(401) == Verdict::invalid_key);
  CHECK(verdict_from_status(402) == Verdict::balance_exhausted);
  CHECK(verdict_from_status(403) == Verdict::permission_denied);
  CHECK(verdict_from_status(429) == Verdict::rate_limited);
  CHECK(verdict_from_status(500) == Verdict::server_error);
  CHECK(verdict_from_status(529) == Verdict::overloaded);
  CHECK(verdict_from_status(302) == Verdict::bad_request);
  CHECK(usage_failure_from_status(401) == UsageFailure::auth);
  CHECK(usage_failure_from_status(402) == UsageFailure::quota);
  CHECK(usage_failure_from_status(429) == UsageFailure::rate_limited);
  CHECK(usage_failure_from_status(404) == UsageFailure::client_error);
  CHECK(usage_failure_from_status(503) == UsageFailure::server_error);
  CHECK(usage_failure_from_status(0) == UsageFailure::network);
}

TEST_CASE("names of closed sets go both ways") {
  for (std::size_t i = 0; i < kRotationTriggerCount; ++i) {
    const auto trigger = static_cast<RotationTrigger>(i);
    CHECK(rotation_trigger_from_string(to_string(trigger)) == trigger);
  }
  for (std::size_t i = 0; i < kProbeKindCount; ++i) {
    const auto kind = static_cast<ProbeKind>(i);
    CHECK(probe_kind_from_string(to_string(kind)) == kind);
  }
  for (const char* name :
       {"round_robin", "priority", "quota_aware", "least_used", "lowest_latency", "cheapest"})
    CHECK(to_string(*strategy_from_string(name)) == name);
  for (const char* name : {"tokens", "input_tokens", "output_tokens", "requests", "usd"})
    CHECK(to_string(*quota_unit_from_string(name)) == name);
  for (const char* name : {"auto", "models", "balance", "chat", "auth"})
    CHECK(to_string(*probe_method_from_string(name)) == name);
  for (const char* name : {"dead", "exhausted", "throttled", "degraded", "dear"})
    CHECK(to_string(*rotate_on_from_string(name)) == name);
}

TEST_CASE("fewer thresholds are the highest levels") {
  Quota quota;
  CHECK(levels_of(quota) == std::vector<std::string_view>{"info", "warning", "critical"});
  quota.thresholds = {0.9};
  CHECK(levels_of(quota) == std::vector<std::string_view>{"critical"});
}

TEST_CASE("a webhook is described without its path, which is often its secret") {
  CHECK(describe(PublishWebhook{"https://hooks.example.com/T0/B0/secret", {}}) ==
        "webhook:https://hooks.example.com");
  CHECK(describe(PublishFile{"/run/k.json", 0600}) == "file:/run/k.json");
}
