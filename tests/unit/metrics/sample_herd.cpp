#include "sample_herd.hpp"

#include <catch2/catch.hpp>
#include <sstream>

namespace keyherd::test {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const WallTime kNow{seconds(1'777'593'600)};

model::QuotaStatus quota(const std::string& id, const std::string& owner, model::QuotaUnit unit,
                         std::int64_t used, std::int64_t limit) {
  return {id, owner, unit, used, limit, kNow + hours(5), hours(24), {0.70, 0.85, 0.95},
          0,  {},    {},   false};
}

model::HistogramView histogram() {
  return {{0.05, 0.5, 1}, {1, 4, 4, 5}, 3.25};
}

model::UsageCounts usage(std::int64_t requests) {
  model::UsageCounts counts;
  counts.requests = requests;
  counts.input = requests * 100;
  counts.cached_input = requests * 10;
  counts.output = requests * 50;
  counts.reasoning = requests * 5;
  counts.cost = requests * 132'000;
  counts.unpriced = 1;
  return counts;
}

model::ProviderView provider() {
  model::ProviderView view;
  view.authenticates = true;
  view.provider.balance_thresholds["USD"] = {5'000'000'000, 1'000'000'000};
  view.provider.id = "deepseek";
  view.provider.type = "deepseek";
  view.provider.base_url = "https://api.deepseek.com";
  view.provider.probe.model = "deepseek-flash";
  return view;
}

model::PoolView pool() {
  model::PoolView view;
  view.pool.id = "prod";
  view.pool.keys = {"k1"};
  view.state.active = "k1";
  view.state.decided_at = kNow - minutes(1);
  view.available = 1;
  return view;
}

model::SourceView source() {
  model::SourceView view;
  view.log.id = "gateway";
  view.log.idle_after = minutes(10);
  view.status.up = true;
  view.status.lag_bytes = 17;
  view.status.last_record_at = kNow - seconds(3);
  view.counts.records = 9;
  view.counts.rejected[0] = 2;
  view.counts.suspect[0] = 3;
  view.counts.renames = 1;
  return view;
}

void parse_labels(Sample& sample, const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t equals = text.find("=\"", at);
    REQUIRE(equals != std::string::npos);
    std::size_t end = equals + 2;
    while (end < text.size() && text[end] != '"')
      end += text[end] == '\\' ? 2 : 1;
    const std::string name = text.substr(at, equals - at);
    INFO(text);
    REQUIRE(sample.labels.emplace(name, text.substr(equals + 2, end - equals - 2)).second);
    sample.label_order.push_back(name);
    at = end + 1;
    if (at < text.size()) {
      REQUIRE(text[at] == ',');
      ++at;
    }
  }
}

}  // namespace

model::KeyView plain_key(const std::string& id, const std::string& provider) {
  model::KeyView view;
  view.key.id = id;
  view.key.provider = provider;
  view.key.limit_group = "acct-main";
  view.fingerprint = "0123456789ab";
  view.secret_loaded = true;
  view.health.key = id;
  view.health.state = model::KeyState::healthy;
  view.health.since = kNow - milliseconds(1500);
  view.probe_interval = minutes(5);
  return view;
}

model::KeyView full_key(const std::string& id) {
  model::KeyView view = plain_key(id);
  view.key.labels = {{"team", "search"}};
  view.key.created_at = kNow - hours(24 * 30);
  view.key.expires_at = kNow + hours(24 * 30);
  view.key.max_age = hours(24 * 90);
  view.health.last_probe_at = kNow - seconds(2);
  view.health.last_success_at = kNow - seconds(2);
  view.last_probe = {200, milliseconds(125)};
  view.probes.probes = {1, 2, 3, 4};
  view.probes.input_tokens = 40;
  view.probes.cost = 1'500;
  view.usage_by_model = {{"flash", usage(3)}, {"pro", usage(5)}, {"reasoner", usage(7)}};
  view.usage_failures[0] = 2;
  view.last_used_at = kNow - seconds(9);
  view.quotas = {quota("daily", id, model::QuotaUnit::tokens, 3500, 5000),
                 quota("spend", id, model::QuotaUnit::usd, 1'250'000'000, 10'000'000'000)};
  view.balances = {{"USD", -1'230'000'000}};
  view.balances_at = kNow - minutes(3);
  view.wallet = {{id, "USD", -1'230'000'000, kNow - minutes(3), 3'500'000'000}};
  view.trust = 0.97;
  view.rate_limits = {{"tokens", 1000, 600, kNow + seconds(30)},
                      {"requests", 60, 59, kNow + seconds(30)}};
  view.rate_limits_at = kNow - seconds(2);
  return view;
}

void add(model::Snapshot& snapshot, model::KeyView key) {
  snapshot.keys.push_back(std::make_shared<const model::KeyView>(std::move(key)));
}
void add(model::Snapshot& snapshot, model::PoolView pool) {
  snapshot.pools.push_back(std::make_shared<const model::PoolView>(std::move(pool)));
}
void add(model::Snapshot& snapshot, model::ProviderView provider) {
  snapshot.providers.push_back(std::make_shared<const model::ProviderView>(std::move(provider)));
}
void add(model::Snapshot& snapshot, model::SourceView source) {
  snapshot.sources.push_back(std::make_shared<const model::SourceView>(std::move(source)));
}

model::Snapshot small_snapshot() {
  model::Snapshot snapshot;
  snapshot.at = kNow;
  add(snapshot, plain_key("k1"));
  add(snapshot, provider());
  add(snapshot, pool());
  snapshot.agent.config_loaded_at = kNow - hours(1);
  return snapshot;
}

model::Snapshot full_snapshot() {
  model::Snapshot snapshot;
  snapshot.at = kNow;
  add(snapshot, full_key("k1"));
  model::ProviderView endpoint = provider();
  endpoint.provider.probe.latency_limit = seconds(2);
  endpoint.durations[0] = histogram();
  endpoint.clock_skew_seconds = -0.5;
  add(snapshot, std::move(endpoint));
  model::PoolView members = pool();
  members.pool.schedule = "0 3 * * *";
  members.next_rotation_at = kNow + hours(3);
  members.adoption = 0.75;
  add(snapshot, std::move(members));
  add(snapshot, source());
  snapshot.group_quotas = {
      quota("wallet", "group:acct-main", model::QuotaUnit::usd, 1, 2'000'000'000)};
  model::WalletDrain drain;
  drain.owner = "group:acct-main";
  drain.provider = "deepseek";
  drain.unaccounted = 1'250'000'000;
  model::WalletDrain unknown = drain;
  unknown.owner = "group:other";
  unknown.unaccounted.reset();
  snapshot.drains = {drain, unknown};
  snapshot.agent.probe_budget_used = 0.25;
  snapshot.agent.schedule_delay = histogram();
  snapshot.agent.rotation_duration = histogram();
  snapshot.agent.notifications = {{"webhook", 3}};
  snapshot.agent.notification_failures = {{"webhook", 1}};
  snapshot.agent.secret_load_failures = {{"env", 1}};
  snapshot.agent.config_loaded_at = kNow - hours(1);
  snapshot.agent.last_commit_at = kNow - seconds(1);
  snapshot.agent.audit = model::AuditView{120, 2, 1, 3};
  return snapshot;
}

std::vector<Sample> parse(const std::string& text) {
  std::vector<Sample> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#"))
      continue;
    INFO(line);
    Sample& sample = samples.emplace_back();
    const std::size_t space = line.rfind(' ');
    REQUIRE(space != std::string::npos);
    sample.value = line.substr(space + 1);
    const std::size_t brace = line.find('{');
    sample.name = line.substr(0, std::min(brace, space));
    if (brace < space) {
      REQUIRE(line[space - 1] == '}');
      parse_labels(sample, line.substr(brace + 1, space - brace - 2));
    }
  }
  return samples;
}

std::string value_of(const std::string& text, const std::string& series) {
  const std::string all = "\n" + text;
  const std::size_t at = all.find("\n" + series + " ");
  INFO(series);
  REQUIRE(at != std::string::npos);
  const std::size_t value = at + series.size() + 2;
  return all.substr(value, all.find('\n', value) - value);
}

}  // namespace keyherd::test
