#include "notify/alerts.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <sstream>

namespace {

using namespace std::chrono_literals;
using keyherd::WallTime;
using keyherd::model::KeyState;
using keyherd::model::Severity;
using keyherd::model::Snapshot;
using keyherd::notify::alert_rules;
using keyherd::notify::AlertRule;
using keyherd::notify::find_alerts;
using keyherd::notify::Labels;

const WallTime kNow{1'777'593'600s};

// A herd in which all is well; each test breaks one thing.
struct Sound {
  keyherd::model::KeyView key;
  keyherd::model::PoolView pool;
  keyherd::model::ProviderView provider;
  keyherd::model::SourceView source;
  std::vector<keyherd::model::QuotaStatus> group_quotas;
  std::vector<keyherd::model::WalletDrain> drains;
  keyherd::model::AgentView agent;

  Sound() {
    key.key.id = "k1";
    key.key.provider = "deepseek";
    key.health.state = KeyState::healthy;
    key.health.last_probe_at = kNow - 10s;
    key.probe_interval = 5min;
    keyherd::model::QuotaStatus& quota = key.quotas.emplace_back();
    quota.quota = "daily";
    quota.owner = "k1";
    quota.used = 10;
    quota.limit = 100;
    quota.resets_at = kNow + 1h;
    quota.window_length = 24h;
    quota.thresholds = {0.70, 0.85, 0.95};
    pool.pool.id = "prod";
    pool.pool.min_available = 2;
    pool.available = 3;
    pool.survives_key_loss = true;
    pool.state.decided_at = kNow - 1h;
    pool.next_rotation_at = kNow + 1h;
    provider.provider.id = "deepseek";
    provider.provider.base_url = "https://api.deepseek.com/v1";
    provider.provider.balance_thresholds["USD"] = {20'000'000'000, 5'000'000'000};
    key.balances = {{"USD", 21'000'000'000}, {"CNY", 0}};
    key.rate_limits = {{"requests", 100, 5, {}}, {"tokens", 0, 0, {}}};
    source.log.id = "gateway";
    source.log.idle_after = 10min;
    source.status.up = true;
    source.status.last_record_at = kNow - 1s;
    agent.started_at = kNow - 1h;
    agent.config_loaded_at = kNow - 1h;
    agent.last_commit_at = kNow - 1s;
  }

  [[nodiscard]] Snapshot snapshot() const {
    Snapshot made;
    made.keys.push_back(std::make_shared<keyherd::model::KeyView>(key));
    made.pools.push_back(std::make_shared<keyherd::model::PoolView>(pool));
    made.providers.push_back(std::make_shared<keyherd::model::ProviderView>(provider));
    made.sources.push_back(std::make_shared<keyherd::model::SourceView>(source));
    made.group_quotas = group_quotas;
    made.drains = drains;
    made.agent = agent;
    return made;
  }
  // "NAME/severity" of each finding.
  [[nodiscard]] std::vector<std::string> found() const {
    std::vector<std::string> names;
    for (const auto& finding : find_alerts(snapshot(), kNow))
      names.push_back(std::string(finding.rule->name) + "/" +
                      std::string(to_string(finding.rule->severity)));
    return names;
  }
};

using Names = std::vector<std::string>;

// The shipped rules as "NAME severity hold summary", read as they are written: in one plain style.
std::vector<std::string> shipped() {
  std::ifstream file(KEYHERD_RULES "/keyherd-alerts.yml");
  std::vector<std::string> all;
  std::string name;
  std::string hold;
  std::string severity;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (std::regex_match(line, match, std::regex("      - alert: (\\w+)"))) {
      name = match[1];
      hold = "0";
    } else if (std::regex_match(line, match, std::regex("        for: (\\d+)([mh])"))) {
      hold = std::to_string(std::stoi(match[1]) * (match[2] == "h" ? 3'600 : 60));
    } else if (std::regex_match(line, match, std::regex("          severity: (\\w+)"))) {
      severity = match[1];
    } else if (std::regex_match(line, match, std::regex("          summary: '(.+)'"))) {
      const std::string summary = std::regex_replace(match[1].str(), std::regex("''"), "'");
      all.push_back(name + " " + severity + " " + hold + " " + summary);
    }
  }
  return all;
}

TEST_CASE("the agent's alerts have the names, severities, waiting times and texts of the rules") {
  const auto rules = shipped();
  REQUIRE(rules.size() > 30);
  for (const AlertRule& rule : alert_rules()) {
    const std::string text = std::string(rule.name) + " " + std::string(to_string(rule.severity)) +
                             " " + std::to_string(rule.hold.count()) + " " +
                             std::string(rule.summary);
    INFO(text);
    CHECK(std::find(rules.begin(), rules.end(), text) != rules.end());
  }
}

TEST_CASE("a sound herd raises no alert, nor does an empty one") {
  CHECK(Sound().found().empty());
  Snapshot empty;
  empty.agent = Sound().agent;
  CHECK(find_alerts(empty, kNow).empty());
}

TEST_CASE("pools: empty, below the minimum, without a spare, stale, overdue") {
  Sound herd;
  herd.pool.available = 0;
  herd.pool.survives_key_loss = false;
  CHECK(herd.found() == Names{"KeyherdPoolExhausted/critical"});
  herd.pool.available = 1;
  CHECK(herd.found() ==
        Names{"KeyherdPoolBelowMinimum/warning", "KeyherdPoolNoRedundancy/warning"});
  herd.pool.available = 2;
  CHECK(herd.found() == Names{"KeyherdPoolNoRedundancy/warning"});
  herd = Sound();
  herd.pool.state.decided_at = kNow - herd.pool.pool.valid_for;
  CHECK(herd.found().empty());
  herd.pool.state.decided_at -= 1s;
  CHECK(herd.found() == Names{"KeyherdDecisionStale/critical"});
  herd.pool.state.decided_at = WallTime{};  // none yet
  CHECK(herd.found().empty());
  herd = Sound();
  herd.pool.next_rotation_at = kNow - 5min;
  CHECK(herd.found().empty());
  herd.pool.next_rotation_at = kNow - 5min - 1s;
  CHECK(herd.found() == Names{"KeyherdScheduleOverdue/warning"});
}

TEST_CASE("keys: rejected, down, no longer probed, expiring") {
  Sound herd;
  herd.key.health.state = KeyState::dead;
  CHECK(herd.found() == Names{"KeyherdKeyRejected/warning"});
  herd.key.health.state = KeyState::throttled;
  CHECK(herd.found() == Names{"KeyherdKeyDown/warning"});
  for (const KeyState quiet : {KeyState::paused, KeyState::exhausted, KeyState::degraded}) {
    herd.key.health.state = quiet;
    CHECK(herd.found().empty());
  }
  herd = Sound();
  herd.key.health.last_probe_at = kNow - 16min;
  CHECK(herd.found().empty());
  herd.key.health.last_probe_at = kNow - 16min - 1s;
  CHECK(herd.found() == Names{"KeyherdProbeStale/warning"});
  herd.key.health.last_success_at = kNow - 16min;  // by the usage log
  CHECK(herd.found().empty());
  herd.key.health.last_success_at.reset();
  herd.key.health.cooldown_until = kNow + 1s;  // no probe is due
  CHECK(herd.found().empty());
  herd.key.health.cooldown_until = kNow;
  CHECK(herd.found() == Names{"KeyherdProbeStale/warning"});
  herd.key.probe_interval = 0s;  // it is not to be probed
  CHECK(herd.found().empty());
  herd = Sound();
  herd.key.health.consecutive_failures = 2;
  CHECK(herd.found().empty());
  herd.key.health.consecutive_failures = 3;
  CHECK(herd.found() == Names{"KeyherdProbeInconclusive/warning"});
  herd.provider.up = false;  // that is told of
  CHECK(herd.found() == Names{"KeyherdEndpointDown/critical"});
  herd.provider.up = true;
  herd.key.health.state = KeyState::degraded;  // its probes did say something
  CHECK(herd.found().empty());
  herd = Sound();
  herd.key.key.created_at = kNow - 24h;
  herd.key.key.max_age = 24h;
  CHECK(herd.found().empty());
  *herd.key.key.created_at -= 1s;
  CHECK(herd.found() == Names{"KeyherdKeyTooOld/warning"});
  herd = Sound();
  herd.key.rate_limits[0].remaining = 4;
  CHECK(herd.found() == Names{"KeyherdRateLimitNearlyUsed/info"});
  herd = Sound();
  herd.key.key.expires_at = kNow + herd.agent.expiry_warning;
  CHECK(herd.found().empty());
  *herd.key.key.expires_at -= 1s;
  CHECK(herd.found() == Names{"KeyherdKeyExpiring/warning"});
  herd.key.key.expires_at = kNow + herd.agent.expiry_critical - 1s;
  CHECK(herd.found() == Names{"KeyherdKeyExpiring/critical"});
}

TEST_CASE("a provider that is down explains its keys") {
  Sound herd;
  herd.provider.up = false;
  herd.key.health.state = KeyState::throttled;
  CHECK(herd.found() == Names{"KeyherdEndpointDown/critical"});
  herd = Sound();
  herd.provider.authenticates = true;
  CHECK(herd.found().empty());
  herd.provider.authenticates = false;
  CHECK(herd.found() == Names{"KeyherdEndpointAcceptsAnyKey/info"});
}

TEST_CASE("money: a balance that is low, of its levels the gravest, and spending that no log has") {
  Sound herd;
  const auto at = [&](std::int64_t nanos) {
    herd.key.balances[0].nanos = nanos;
    return herd.found();
  };
  CHECK(at(20'000'000'001).empty());
  CHECK(at(20'000'000'000) == Names{"KeyherdBalanceLow/warning"});
  CHECK(at(5'000'000'000) == Names{"KeyherdBalanceLow/critical"});
  CHECK(find_alerts(herd.snapshot(), kNow)[0].description ==
        "The account of k1 at deepseek has 5 USD left.");
  herd = Sound();
  herd.drains.emplace_back();
  herd.drains[0].owner = "group:acct";
  herd.drains[0].provider = "deepseek";
  CHECK(herd.found().empty());  // not known
  herd.drains[0].unaccounted = herd.agent.unaccounted_spend;
  CHECK(herd.found().empty());
  ++*herd.drains[0].unaccounted;
  CHECK(herd.found() == Names{"KeyherdUnaccountedSpend/critical"});
}

// An Alertmanager takes two alerts for one only when all their labels are the same.
TEST_CASE("an alert is labelled as the series that the rule looks at") {
  const auto labels_of_first = [](const Sound& herd) {
    const auto findings = find_alerts(herd.snapshot(), kNow);
    return findings.empty() ? Labels{} : findings[0].labels;
  };
  Sound herd;
  herd.provider.up = false;
  CHECK(labels_of_first(herd) ==
        Labels{{"provider", "deepseek"}, {"endpoint", "api.deepseek.com"}});
  herd = Sound();
  herd.key.balances[0].nanos = 0;
  CHECK(labels_of_first(herd) ==
        Labels{{"key", "k1"}, {"provider", "deepseek"}, {"currency", "USD"}});
  herd = Sound();
  herd.key.rate_limits[0].remaining = 0;
  CHECK(labels_of_first(herd) ==
        Labels{{"key", "k1"}, {"provider", "deepseek"}, {"resource", "requests"}});
  herd = Sound();
  herd.key.key.limit_group = "acct";
  herd.group_quotas = herd.key.quotas;
  herd.group_quotas[0].owner = "group:acct";
  herd.group_quotas[0].used = 99;
  CHECK(labels_of_first(herd) ==
        Labels{{"key", "group:acct"}, {"provider", "deepseek"}, {"quota", "daily"}});
  herd.key.key.limit_group = "of other keys";  // whose provider is not known
  CHECK(labels_of_first(herd) == Labels{{"key", "group:acct"}, {"quota", "daily"}});
}

TEST_CASE("of a quota's levels only the gravest is told, by the configured thresholds") {
  Sound herd;
  const auto at = [&](std::int64_t used) {
    herd.key.quotas[0].used = used;
    return herd.found();
  };
  CHECK(at(69).empty());
  CHECK(at(70) == Names{"KeyherdQuotaUsageHigh/info"});
  CHECK(at(85) == Names{"KeyherdQuotaUsageHigh/warning"});
  CHECK(at(120) == Names{"KeyherdQuotaUsageHigh/critical"});
  herd.key.quotas[0].thresholds = {0.5};
  CHECK(at(49).empty());
  CHECK(at(50) == Names{"KeyherdQuotaUsageHigh/critical"});
  const auto findings = find_alerts(herd.snapshot(), kNow);
  CHECK(findings[0].labels == Labels{{"key", "k1"}, {"provider", "deepseek"}, {"quota", "daily"}});
  CHECK(findings[0].description == "50% of quota daily of k1 is used.");
}

TEST_CASE("usage logs and the agent itself") {
  Sound herd;
  herd.source.status.up = false;
  CHECK(herd.found() == Names{"KeyherdUsageLogUnreadable/warning"});
  herd = Sound();
  herd.source.status.lag_bytes = herd.source.log.lag_threshold_bytes + 1;
  CHECK(herd.found() == Names{"KeyherdUsageLogLagging/warning"});
  herd = Sound();
  herd.source.status.last_record_at = kNow - 10min - 1s;
  CHECK(herd.found() == Names{"KeyherdUsageLogSilent/warning"});
  herd.source.log.idle_after.reset();
  CHECK(herd.found().empty());
  herd = Sound();
  herd.agent.probe_budget_used = 0.9;
  CHECK(herd.found().empty());
  herd.agent.probe_budget_used = 0.91;
  CHECK(herd.found() == Names{"KeyherdProbeBudgetSpent/warning"});
  herd = Sound();
  herd.agent.config_reload_ok = false;
  CHECK(herd.found() == Names{"KeyherdConfigReloadFailed/warning"});
  herd = Sound();
  herd.agent.last_commit_at = kNow - 10 * herd.agent.commit_interval - 1s;
  CHECK(herd.found() == Names{"KeyherdStateNotSaved/warning"});
  herd = Sound();
  herd.agent.audit = keyherd::model::AuditView{7, 2, 1, 0};
  CHECK(herd.found() == Names{"KeyherdAuditNotWritten/warning"});
  herd.agent.audit->waiting = 0;
  CHECK(herd.found().empty());
}

}  // namespace
