#include "config/diff.hpp"

#include <algorithm>
#include <set>

#include "config/schema.hpp"
#include "config_text.hpp"

using namespace keyherd;
using namespace keyherd::config;
using Lines = std::vector<std::string>;

namespace {

const std::string kBase = R"([agent]
#agent
[providers.p]
type = "openai"
#provider
[providers.p.probe]
#probe
[providers.p.prices.m]
input = 1
output = 2
#price
[providers.other]
type = "openai"
[keys.k]
provider = "p"
secret = "env:K"
#key
[keys.l]
provider = "p"
secret = "env:L"
[quotas.q]
limit = 5
#quota
[issuers.i]
type = "openrouter"
base_url = "https://i.example"
admin_secret = "env:I"
#issuer
[pools.o]
keys = ["k"]
#pool
[usage_logs.u]
path = "/u.log"
#usage_log
[[web.tokens]]
role = "admin"
token = "env:A"
)";

// What to write where, and the line that must come of it. A value written again replaces the first.
struct Case {
  std::string section;  // the comment in kBase below which the field goes
  std::string line;
  std::string expected;
};

const std::vector<Case> kCases{
    {"agent", "listen = \"127.0.0.1:1\"", "agent.listen"},
    {"agent", "state = \"other.db\"", "agent.state"},
    {"agent", "audit = \"a.jsonl\"", "agent.audit"},
    {"agent", "audit_max_bytes = 9999", "agent.audit_max_bytes"},
    {"agent", "master_key = \"env:M\"", "agent.master_key"},
    {"agent", "key_files = [\"*.json\"]", "agent.key_files"},
    {"agent", "drop_metrics = [\"keyherd_key_labels\"]", "agent.drop_metrics"},
    {"agent", "log_format = \"json\"", "agent.log_format"},
    {"agent", "log_level = \"debug\"", "agent.log_level"},
    {"agent", "probe_workers = 9", "agent.probe_workers"},
    {"agent", "probe_budget_tokens = 5000", "agent.probe_budget_tokens"},
    {"agent", "probe_budget_usd = 0.5", "agent.probe_budget_usd"},
    {"agent", "shutdown_timeout = \"6s\"", "agent.shutdown_timeout"},
    {"agent", "timezone = \"Asia/Tokyo\"", "agent.timezone"},
    {"agent", "keep_quarter_hours = \"40d\"", "agent.keep_quarter_hours"},
    {"agent", "keep_hours = \"40d\"", "agent.keep_hours"},
    {"agent", "keep_usage = \"10d\"", "agent.keep_usage"},
    {"agent", "keep_evidence = \"10d\"", "agent.keep_evidence"},
    {"agent", "unaccounted_spend = 2.5", "agent.unaccounted_spend"},
    {"agent", "spend_anomaly_floor = 2.5", "agent.spend_anomaly_floor"},
    {"agent", "max_request_ids = 20000", "agent.max_request_ids"},
    {"agent", "keep_request_ids = \"2d\"", "agent.keep_request_ids"},
    {"provider", "type = \"groq\"", "providers.p.type"},
    {"provider", "base_url = \"https://x.example\"", "providers.p.base_url"},
    {"provider", "ca_file = \"/ca.pem\"", "providers.p.ca_file"},
    {"provider", "list_prices = []", "providers.p.prices"},
    {"provider", "currency = \"CNY\"\nusd_rate = 0.14", "providers.p.currency"},
    {"provider", "usd_rate = 0.14\ncurrency = \"CNY\"", "providers.p.currency"},
    {"provider", "headers = { X-A = \"b\" }", "providers.p.headers"},
    {"provider", "auth_header = \"X-K\"", "providers.p.auth_header"},
    {"provider", "auth_prefix = \"B \"\nauth_header = \"X-K\"", "providers.p.auth_prefix"},
    {"provider", "rules = [{ verdict = \"overloaded\", codes = [\"x\"] }]", "providers.p.rules"},
    {"provider", "balance_thresholds = { USD = { warning = 1 } }",
     "providers.p.balance_thresholds"},
    {"probe", "paths = { models = \"/m\" }", "providers.p.probe.paths"},
    {"probe", "limit_field = \"auto\"", "providers.p.probe.limit_field"},
    {"probe", "limit_tokens = 2", "providers.p.probe.limit_tokens"},
    {"probe", "control_every = \"1h\"", "providers.p.probe.control_every"},
    {"probe", "min_spacing = \"1s\"", "providers.p.probe.min_spacing"},
    {"probe", "every = \"1m\"", "providers.p.probe.every"},
    {"probe", "jitter = 0.5", "providers.p.probe.jitter"},
    {"probe", "timeout = \"1s\"", "providers.p.probe.timeout"},
    {"probe", "method = \"chat\"", "providers.p.probe.method"},
    {"probe", "model = \"m\"", "providers.p.probe.model"},
    {"probe", "paid_every = \"1h\"", "providers.p.probe.paid_every"},
    {"probe", "failures_to_dead = 4", "providers.p.probe.failures_to_dead"},
    {"probe", "successes_to_healthy = 4", "providers.p.probe.successes_to_healthy"},
    {"probe", "confirm_after = \"1s\"", "providers.p.probe.confirm_after"},
    {"probe", "latency_limit = \"1s\"", "providers.p.probe.latency_limit"},
    {"price", "input = 5", "providers.p.prices"},
    {"price", "cached_input = 5", "providers.p.prices"},
    {"price", "cache_write = 5", "providers.p.prices"},
    {"price", "output = 5", "providers.p.prices"},
    {"price", "timezone = \"Asia/Tokyo\"", "providers.p.prices"},
    {"price", "periods = [{ from = \"09:00\", to = \"12:00\", input = 1, output = 2 }]",
     "providers.p.prices"},
    {"price", "earlier = [{ until = 2026-01-01T00:00:00Z, input = 1, output = 2 }]",
     "providers.p.prices"},
    {"key", "provider = \"other\"", "keys.k.provider"},
    {"key", "secret = \"env:OTHER\"", "keys.k.secret"},
    {"key", "limit_group = \"g\"", "keys.k.limit_group"},
    {"key", "priority = 2", "keys.k.priority"},
    {"key", "quotas = [\"q\"]", "keys.k.quotas"},
    {"key", "labels = { a = \"b\" }", "keys.k.labels"},
    {"key", "provider_key_id = \"key1\"", "keys.k.provider_key_id"},
    {"key", "managed = true", "keys.k.managed"},
    {"key", "created_at = 2026-03-01T00:00:00Z", "keys.k.created_at"},
    {"key", "expires_at = 2026-03-01T00:00:00Z", "keys.k.expires_at"},
    {"key", "max_age = \"90d\"\ncreated_at = 2026-03-01T00:00:00Z", "keys.k.max_age"},
    {"quota", "limit = 6", "quotas.q.limit"},
    {"quota", "unit = \"requests\"", "quotas.q.unit"},
    {"quota", "window = \"rolling 2h\"", "quotas.q.window"},
    {"quota", "timezone = \"Asia/Tokyo\"", "quotas.q.timezone"},
    {"quota", "resets_at = \"09:00\"", "quotas.q.resets_at"},
    {"quota", "thresholds = []", "quotas.q.thresholds"},
    {"pool", "keys = [\"k\", \"l\"]", "pools.o.keys"},
    {"pool", "strategy = \"round_robin\"", "pools.o.strategy"},
    {"pool", "schedule = \"@daily\"", "pools.o.schedule"},
    {"pool", "schedule_jitter = \"1m\"", "pools.o.schedule_jitter"},
    {"pool", "catch_up = \"skip\"", "pools.o.catch_up"},
    {"pool", "catch_up_window = \"1h\"", "pools.o.catch_up_window"},
    {"pool", "freeze = [{ start = \"@daily\", lasts = \"1h\" }]", "pools.o.freeze"},
    {"pool", "rotations_per_hour = 2", "pools.o.rotations_per_hour"},
    {"pool", "ramp = \"1m\"", "pools.o.ramp"},
    {"pool", "recovery_wait = \"1m\"", "pools.o.recovery_wait"},
    {"pool", "timezone = \"Asia/Tokyo\"", "pools.o.timezone"},
    {"pool", "rotate_on = [\"dead\"]", "pools.o.rotate_on"},
    {"pool", "publish = [{ file = \"/f\" }]", "pools.o.publish"},
    {"pool", "min_remaining = 5", "pools.o.min_remaining"},
    {"pool", "max_error_ratio = 0.5", "pools.o.max_error_ratio"},
    {"pool", "min_available = 2\nkeys = [\"k\", \"l\"]", "pools.o.min_available"},
    {"pool", "slo_objective = 0.5", "pools.o.slo_objective"},
    {"pool", "valid_for = \"1h\"", "pools.o.valid_for"},
    {"pool", "min_stay = \"1h\"", "pools.o.min_stay"},
    {"pool", "mode = \"guided\"\nadopt_within = \"0s\"", "pools.o.mode"},
    {"pool", "overlap = \"2h\"", "pools.o.overlap"},
    {"pool", "quiet_for = \"1h\"", "pools.o.quiet_for"},
    {"pool", "settle_within = \"1h\"", "pools.o.settle_within"},
    {"pool", "adopt_within = \"1h\"", "pools.o.adopt_within"},
    {"issuer", "type = \"litellm\"", "issuers.i.type"},
    {"issuer", "base_url = \"https://x.example\"", "issuers.i.base_url"},
    {"issuer", "admin_secret = \"env:OTHER\"", "issuers.i.admin_secret"},
    {"issuer", "owner = \"o\"", "issuers.i.owner"},
    {"issuer", "request = \"{}\"", "issuers.i.request"},
    {"issuer", "timeout = \"1s\"", "issuers.i.timeout"},
    {"usage_log", "path = \"/v.log\"", "usage_logs.u.path"},
    {"usage_log", "format = \"litellm\"", "usage_logs.u.format"},
    {"usage_log", "fields = { ts = \"/t\", key = \"/k\" }", "usage_logs.u.fields"},
    {"usage_log", "units = { ts = \"ms\" }", "usage_logs.u.units"},
    {"usage_log", "status_words = { ok = 200 }", "usage_logs.u.status_words"},
    {"usage_log", "only = { \"/type\" = \"llm\" }", "usage_logs.u.only"},
    {"usage_log", "key_names = { a = \"k\" }", "usage_logs.u.key_names"},
    {"usage_log", "start_at_end = true", "usage_logs.u.start_at_end"},
    {"usage_log", "idle_after = \"1h\"", "usage_logs.u.idle_after"},
    {"usage_log", "lag_threshold_bytes = 5", "usage_logs.u.lag_threshold_bytes"},
    {"usage_log", "max_line_bytes = 5000", "usage_logs.u.max_line_bytes"},
    {"usage_log", "dedup = false", "usage_logs.u.dedup"},
    {"usage_log", "read_gz = true", "usage_logs.u.read_gz"},
};

std::string name_of(const std::string& line) {
  return line.substr(0, line.find(' '));
}

// kBase with the lines of a case in their section, in place of the ones with the same names.
std::string changed(const Case& item) {
  const auto marker = kBase.find("#" + item.section + "\n");
  REQUIRE(marker != std::string::npos);
  std::string head = kBase.substr(0, marker);
  for (std::string rest = item.line; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto start = head.find("\n" + name_of(rest) + " = ", head.rfind("\n["));
    if (start != std::string::npos)
      head.erase(start, head.find('\n', start + 1) - start);
    rest.erase(0, end + 1);
  }
  return head + item.line + kBase.substr(marker + item.section.size() + 1);
}

}  // namespace

TEST_CASE("a change of each field is told by its path, without its value") {
  const Config before = test::parse(kBase);
  for (const Case& item : kCases) {
    INFO(item.line);
    const Lines told = describe_changes(before, test::parse(changed(item)));
    CHECK(std::count(told.begin(), told.end(), item.expected + ": changed") == 1);
    // A mode's own default of adopt_within is undone by its second line.
    const bool needs_keys =
        item.line.find('\n') != std::string::npos && item.expected != "pools.o.mode";
    const bool other_type = item.line == "type = \"groq\"";  // and so another URL, other prices
    const bool drops_format = item.line.starts_with("fields");
    const bool moves_audit = item.expected == "agent.state";  // it lies beside it
    CHECK(told.size() == (other_type ? 3U : needs_keys || drops_format || moves_audit ? 2U : 1U));
  }
}

TEST_CASE("every field of the schema is read and compared") {
  // What has no value of its own, or lives inside another field's comparison.
  const std::set<std::string> kExempt{
      "provider.probe",   "provider.prices",         "provider.allow_plain_http",
      "agent.price_file", "issuer.allow_plain_http", "issuer.command",
      "pool.issuer"};  // with another type or mode: in a test of their own
  const std::vector<std::pair<SectionId, std::string>> kSections{
      {SectionId::agent, "agent"},  {SectionId::provider, "provider"},
      {SectionId::probe, "probe"},  {SectionId::price, "price"},
      {SectionId::key, "key"},      {SectionId::quota, "quota"},
      {SectionId::pool, "pool"},    {SectionId::usage_log, "usage_log"},
      {SectionId::issuer, "issuer"}};
  for (const auto& [id, name] : kSections) {
    for (const Field& field : section(id).fields) {
      const std::string path = name + "." + std::string(field.name);
      const bool is_covered =
          std::any_of(kCases.begin(), kCases.end(), [&, &section_name = name](const Case& item) {
            return item.section == section_name && name_of(item.line) == field.name;
          });
      INFO(path);
      CHECK((is_covered || kExempt.count(path) == 1));
    }
  }
}

TEST_CASE("another command, and another issuer of a pool, are told") {
  const Config before = test::parse(kBase);
  Config after = before;
  after.issuers.at(0).command = {"/usr/local/bin/issue"};
  after.pools.at(0).issuer = "i";
  CHECK(describe_changes(before, after) ==
        Lines{"issuers.i.command: changed", "pools.o.issuer: changed"});
}

TEST_CASE("sections that came and went are told by id, and the same configuration by nothing") {
  const Config before = test::parse(kBase);
  CHECK(describe_changes(before, before) == Lines());
  const Config more = test::parse(kBase +
                                  "[quotas.r]\nlimit = 1\n[keys.a]\nprovider = \"p\"\n"
                                  "secret = \"env:CANARY\"\n");
  CHECK(describe_changes(before, more) == Lines{"keys.a: added", "quotas.r: added"});
  CHECK(describe_changes(more, before) == Lines{"keys.a: removed", "quotas.r: removed"});
}

TEST_CASE("tokens are compared as a whole") {
  const Config before = test::parse(kBase);
  const Config after = test::parse(kBase + "[[web.tokens]]\nrole = \"read\"\ntoken = \"env:B\"\n");
  CHECK(describe_changes(before, after) == Lines{"web.tokens: changed"});
}

TEST_CASE("what else belongs to the web is compared by field") {
  const Config before = test::parse(kBase);
  Config after = before;
  after.tls = WebTls{"server.crt", "server.key", "", "none", "TLS12"};
  after.users.push_back({"anna", model::Role::read, {}, "hash"});
  after.hosts = {"keyherd.example"};
  CHECK(describe_changes(before, after) ==
        Lines{"web.basic_auth_users: changed", "web.hosts: changed", "web.tls: changed"});
}

TEST_CASE("whom to notify is compared as a whole") {
  const Config before = test::parse(kBase);
  const Config after =
      test::parse(kBase + "[[notify]]\nalertmanager = \"http://127.0.0.1:9093/\"\n");
  REQUIRE(after.notify.size() == 1);
  CHECK(after.notify[0].url == "http://127.0.0.1:9093");  // the API's path is added to it
  CHECK(after.notify[0].least == model::Severity::warning);
  CHECK(describe_changes(before, after) == Lines{"notify: changed"});
}

TEST_CASE("an edited publish target is a change of its pool") {
  const auto with_target = [](const std::string& target) {
    return test::parse(kBase + "[pools.z]\nkeys = [\"k\"]\npublish = [" + target + "]\n");
  };
  const Config before = with_target("{ exec = [\"/bin/a\"] }");
  CHECK(describe_changes(before, with_target("{ exec = [\"/bin/a\", \"-x\"] }")) ==
        Lines{"pools.z.publish: changed"});
}
