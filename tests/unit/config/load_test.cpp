#include "config/load.hpp"

#include "config_text.hpp"

using namespace keyherd;
using test::lines;
using test::parse;

namespace {

const std::string kProvider = "[providers.ds]\ntype = \"deepseek\"\n";

std::string key(const std::string& id) {
  return "[keys." + id + "]\nprovider = \"ds\"\nsecret = \"env:KEY\"\n";
}

}  // namespace

TEST_CASE("an empty file is a valid configuration with all defaults") {
  const auto config = parse("");
  CHECK(config.file == "/etc/keyherd/keyherd.toml");
  CHECK(config.agent.listen_address == "127.0.0.1");
  CHECK(config.agent.listen_port == 9925);
  CHECK(config.agent.state == "/etc/keyherd/keyherd.db");
  CHECK_FALSE(config.agent.master_key);
  CHECK(config.agent.probe_workers == 64);
  CHECK(config.tokens.empty());
}

TEST_CASE("a provider of a known type needs nothing but its type") {
  const auto config = parse(kProvider);
  REQUIRE(config.providers.size() == 1);
  CHECK(config.providers[0].base_url == "https://api.deepseek.com");
  CHECK(config.providers[0].probe.every == std::chrono::minutes(5));
  CHECK(config.providers[0].probe.method == model::ProbeMethod::automatic);
}

TEST_CASE("rules, thresholds, paths and the credential's header of a provider are read") {
  const auto config = parse(R"(
[agent]
probe_budget_tokens = 50_000
probe_budget_usd = "0.25"
[providers.gw]
type = "litellm"
base_url = "https://gw.example"
auth_header = "X-Litellm-Key"
auth_prefix = "Bearer "
balance_thresholds = { USD = { warning = 10, critical = "2.5" } }
[providers.gw.probe]
paths = { balance = "/v2/credits" }
limit_field = "max_completion_tokens"
limit_tokens = 16
control_every = "1h"
min_spacing = "1s"
[[providers.gw.rules]]
verdict = "quota_exhausted"
status = ["403", "500-599"]
codes = ["plan_limit"]
texts = ["plan*used up"]
scope = "key"
reset = "next_month"
[[providers.gw.rules]]
verdict = "overloaded"
texts = ["busy"]
)");
  CHECK(config.agent.probe_budget_tokens == 50'000);
  CHECK(config.agent.probe_budget_usd == 250'000'000);
  const model::Provider& provider = config.providers.at(0);
  CHECK(provider.auth_header == "X-Litellm-Key");
  CHECK(provider.auth_prefix == "Bearer ");
  CHECK(provider.balance_thresholds.at("USD") ==
        model::BalanceThreshold{10'000'000'000, 2'500'000'000});
  CHECK(provider.probe.paths.at("balance") == "/v2/credits");
  CHECK(provider.probe.limit_field == model::LimitField::max_completion_tokens);
  CHECK(provider.probe.limit_tokens == 16);
  CHECK(provider.probe.control_every == std::chrono::hours(1));
  CHECK(provider.probe.min_spacing == std::chrono::seconds(1));
  REQUIRE(provider.rules.size() == 2);
  CHECK(provider.rules[0] == model::ErrorRule{model::Verdict::quota_exhausted,
                                              model::VerdictScope::key,
                                              {{403, 403}, {500, 599}},
                                              {"plan_limit"},
                                              {"plan*used up"},
                                              model::RuleReset::next_month_utc});
  CHECK(provider.rules[1].verdict == model::Verdict::overloaded);
  CHECK_FALSE(provider.rules[1].scope);
}

TEST_CASE("base URLs lose their trailing slashes") {
  const auto config =
      parse("[providers.a]\ntype = \"openai_compat\"\nbase_url = \"https://example.com/v1//\"\n");
  CHECK(config.providers[0].base_url == "https://example.com/v1");
}

TEST_CASE("probes more often than every ten seconds time out within their interval") {
  const auto probe = parse(kProvider + "probe = { every = \"2s\" }\n").providers[0].probe;
  CHECK(probe.timeout == std::chrono::seconds(2));
}

TEST_CASE("prices are exact to a nano-dollar, as numbers and as text") {
  const auto config = parse(kProvider + R"(
[providers.ds.prices."deepseek-flash"]
input = 0.28
cached_input = 0.028
output = 0.42
[providers.ds.prices."a/b:free"]
input = 3
cache_write = "3.75"
output = 0.000000001
)");
  const auto& prices = config.providers[0].prices;
  const auto price_of = [&](const char* model) { return *prices.at(model).fixed(); };
  CHECK(price_of("deepseek-flash").input == 280'000'000);
  CHECK(price_of("deepseek-flash").cached_input == 28'000'000);
  CHECK(price_of("deepseek-flash").output == 420'000'000);
  CHECK(price_of("a/b:free").cached_input == 3'000'000'000);  // as input
  CHECK(price_of("a/b:free").cache_write == 3'750'000'000);
  CHECK(price_of("a/b:free").output == 1);
}

TEST_CASE("quotas count tokens whole and money in nano-dollars") {
  const auto config = parse(R"(
[quotas.a]
limit = 50_000
[quotas.b]
limit = 12.5
unit = "usd"
window = "month"
timezone = "Asia/Singapore"
thresholds = [0.9]
[quotas.c]
limit = 9223372036854775807
unit = "requests"
window = "rolling 24h"
)");
  REQUIRE(config.quotas.size() == 3);
  CHECK(config.quotas[0].limit == 50'000);
  CHECK(config.quotas[0].window == model::WindowKind::day);
  CHECK(config.quotas[0].thresholds == std::vector<double>{0.70, 0.85, 0.95});
  CHECK(config.quotas[1].limit == 12'500'000'000);
  CHECK(config.quotas[1].timezone == "Asia/Singapore");
  CHECK(config.quotas[1].thresholds == std::vector<double>{0.9});
  CHECK(config.quotas[2].limit == INT64_MAX);
  CHECK(config.quotas[2].rolling == std::chrono::hours(24));
}

TEST_CASE("keys are sorted by id and carry what was written") {
  const auto config = parse(kProvider + key("b") + key("a") + R"(limit_group = "acct"
priority = 3
quotas = ["q"]
labels = { team = "search" }
created_at = 2026-03-01T08:00:00+08:00
expires_at = "2027-03-01T00:00:00Z"
[quotas.q]
limit = 1
)");
  REQUIRE(config.keys.size() == 2);
  const model::Key& a = config.keys[0];
  CHECK(a.id == "a");
  CHECK(a.secret.text == "env:KEY");
  CHECK(a.limit_group == "acct");
  CHECK(a.priority == 3);
  CHECK(a.quotas == std::vector<std::string>{"q"});
  CHECK(a.labels.at("team") == "search");
  CHECK(a.created_at == WallTime(std::chrono::seconds(1'772'323'200)));
  CHECK(a.expires_at == WallTime(std::chrono::seconds(1'803'859'200)));
  CHECK(config.keys[1].limit_group.empty());
}

TEST_CASE("pools keep the order of their keys and the shapes of their targets") {
  const auto config = parse(kProvider + key("a") + key("b") + R"([pools.prod]
keys = ["b", "a"]
strategy = "quota_aware"
schedule = "@daily"
timezone = "Europe/Berlin"
rotate_on = []
publish = [
  { file = "prod.json", mode = "0640" },
  { exec = ["/bin/reload", "-x", "-x"], timeout = "3s" },
  { webhook = "https://h.example/x?y=1", signing_secret = "env:SIGN" },
]
)");
  const model::Pool& pool = config.pools.at(0);
  CHECK(pool.keys == std::vector<std::string>{"b", "a"});
  CHECK(pool.strategy == model::Strategy::quota_aware);
  CHECK(pool.schedule == "@daily");
  CHECK(pool.rotate_on.empty());
  REQUIRE(pool.publish.size() == 3);
  CHECK(pool.publish[0] ==
        model::PublishTarget(model::PublishFile{"/etc/keyherd/prod.json", 0640}));
  CHECK(pool.publish[1] == model::PublishTarget(model::PublishExec{{"/bin/reload", "-x", "-x"},
                                                                   std::chrono::seconds(3)}));
  CHECK(std::get<model::PublishWebhook>(pool.publish[2]).signing_secret->name == "SIGN");
}

TEST_CASE("tokens carry their role, their pools and where they are") {
  const auto config = parse(kProvider + key("a") + R"([pools.prod]
keys = ["a"]
[agent]
listen = "0.0.0.0:9925"
[[web.tokens]]
role = "admin"
token = "file:admin.token"
[[web.tokens]]
role = "consume"
pools = ["prod"]
token = "env:T"
)");
  REQUIRE(config.tokens.size() == 2);
  CHECK(config.tokens[0].role == model::Role::admin);
  CHECK(config.tokens[0].token.name == "/etc/keyherd/admin.token");
  CHECK(config.tokens[1].pools == std::vector<std::string>{"prod"});
}

TEST_CASE("users and a certificate are read, and make an address of other machines safe") {
  const auto config = parse(kProvider + key("a") + R"([pools.prod]
keys = ["a"]
[agent]
listen = "0.0.0.0:9925"
[web]
hosts = ["keyherd.example"]
[web.tls]
cert_file = "tls/server.crt"
key_file = "/tls/server.key"
client_ca_file = "tls/clients.pem"
client_auth = "optional"
min_version = "TLS13"
[web.basic_auth_users.prometheus]
role = "metrics"
password_hash = "$2y$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"
[web.basic_auth_users.anna]
role = "operate"
pools = ["prod"]
password_hash = "$2y$12$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"
)");
  CHECK(config.hosts == std::vector<std::string>{"keyherd.example"});
  REQUIRE(config.tls);
  CHECK(*config.tls == WebTls{"/etc/keyherd/tls/server.crt", "/tls/server.key",
                              "/etc/keyherd/tls/clients.pem", "optional", "TLS13"});
  REQUIRE(config.users.size() == 2);
  const auto& anna = config.users[config.users[0].name == "anna" ? 0 : 1];
  CHECK(anna.name == "anna");
  CHECK(anna.role == model::Role::operate);
  CHECK(anna.pools == std::vector<std::string>{"prod"});
  CHECK(anna.password_hash.size() == 60);
}

TEST_CASE("a client's configuration may name an agent elsewhere") {
  const auto config = parse(R"([client]
url = "https://keyherd.example:9925/"
ca_file = "ca.pem"
cert_file = "me.crt"
key_file = "me.key"
user = "anna"
password = "file:anna.password"
)");
  CHECK(config.client.url == "https://keyherd.example:9925");
  CHECK(config.client.ca_file == "/etc/keyherd/ca.pem");
  CHECK(config.client.cert_file == "/etc/keyherd/me.crt");
  CHECK(config.client.key_file == "/etc/keyherd/me.key");
  CHECK(config.client.user == "anna");
  REQUIRE(config.client.password);
  CHECK(config.client.password->name == "/etc/keyherd/anna.password");
}

TEST_CASE("a usage log has a preset, fields of its own, or both") {
  const auto config = parse(R"([providers.p]
type = "deepseek"
[keys.k]
provider = "p"
secret = "env:K"
[usage_logs.a]
path = "/a.log"
format = "nginx_json"
fields = { key = "/consumer | /key_id" }
key_names = { shop = "k" }
[usage_logs.b]
path = "/b.log"
fields = { ts = "/t", key = "/k", input_tokens = "/in + /cached", latency_ms = "/l" }
units = { ts = "ms", latency_ms = "s" }
status_words = { ok = 200, "*Timeout" = 408 }
only = { "/type" = "llm | chat" }
[usage_logs.c]
path = "/c.log"
)");
  CHECK(config.usage_logs[0].format == "nginx_json");
  CHECK(config.usage_logs[0].fields.at("key") == "/consumer | /key_id");
  CHECK(config.usage_logs[0].key_names.at("shop") == "k");
  CHECK(config.usage_logs[1].format.empty());
  CHECK(config.usage_logs[1].units.at("ts") == "ms");
  CHECK(config.usage_logs[1].status_words.at("*Timeout") == 408);
  CHECK(config.usage_logs[1].only.at("/type") == "llm | chat");
  CHECK(config.usage_logs[2].format == "keyherd");
}

TEST_CASE("what a format cannot be read with is an error of its log") {
  const std::string text = "[usage_logs.a]\npath = \"/a.log\"\nunits = { latency_ms = \"h\" }\n";
  const auto files = make_posix_file_system();
  const auto refused = parse_config(text, "k.toml", *files,
                                    {{}, [](const model::UsageLog& log) {
                                       return log.units.at("latency_ms") == "h"
                                                  ? Status(fail(ErrorCode::invalid, "no such unit"))
                                                  : Status{};
                                     }});
  REQUIRE(refused.errors.size() == 1);
  CHECK(to_string(refused.errors[0]) == "k.toml:1:1: usage_logs.a: no such unit");
}

TEST_CASE("relative paths begin where the file is; :memory: is no path") {
  const auto config = parse(R"([agent]
state = "db/k.db"
master_key = "file:master.key"
key_files = ["keys.d/*.json"]
[usage_logs.g]
path = "logs/*.jsonl"
fields = { ts = "/t", key = "/k" }
)");
  CHECK(config.agent.state == "/etc/keyherd/db/k.db");
  CHECK(config.agent.master_key->name == "/etc/keyherd/master.key");
  CHECK(config.agent.key_files == std::vector<std::string>{"/etc/keyherd/keys.d/*.json"});
  CHECK(config.usage_logs[0].path == "/etc/keyherd/logs/*.jsonl");
  CHECK(config.usage_logs[0].fields.at("key") == "/k");
  CHECK(parse("[agent]\nstate = \":memory:\"\n").agent.state == ":memory:");
  CHECK(parse("[agent]\nstate = \":memory:\"\n").agent.audit.empty());
  CHECK(parse("[agent]\naudit = \"none\"\n").agent.audit.empty());
  CHECK(parse("[agent]\nstate = \"s.db\"\n").agent.audit.ends_with("/s.audit.jsonl"));
}

TEST_CASE("keys come from key files too, in both shapes") {
  test::MemoryFileSystem files;
  files.create("/etc/keyherd/keyherd.toml",
               "[agent]\nkey_files = [\"keys.d/*.json\"]\n" + kProvider + key("a"));
  files.create("/etc/keyherd/keys.d/1.json",
               R"({"keys": {"c": {"provider": "ds", "secret": "file:c.key", "priority": 2}}})");
  files.create("/etc/keyherd/keys.d/2.json",
               R"({"keys": [{"id": "b", "provider": "ds", "secret": "env:B",
                             "expires_at": "2027-03-01T00:00:00Z"}]})");
  const auto result = config::load_config("/etc/keyherd/keyherd.toml", files);
  CHECK(lines(result.errors) == std::vector<std::string>());
  REQUIRE(result.config);
  REQUIRE(result.config->keys.size() == 3);
  CHECK(result.config->keys[1].id == "b");
  CHECK(result.config->keys[1].expires_at);
  CHECK(result.config->keys[2].secret.name == "/etc/keyherd/keys.d/c.key");
  CHECK(result.config->keys[2].priority == 2);
}

TEST_CASE("keys for an import are read alone, with every error in the text itself") {
  const auto good = config::parse_keys_json(
      R"({"keys": {"a": {"provider": "elsewhere", "secret": "env:A"}}})", "import.json");
  CHECK(good.errors.empty());
  REQUIRE(good.keys.size() == 1);
  CHECK(good.keys[0].provider == "elsewhere");
  const auto bad = config::parse_keys_json(
      R"({"keys": [{"id": "a", "provider": "p", "secret": "sk-CANARY123456"},
 {"id": "a", "provider": "p", "secret": "env:A"}]})",
      "import.json");
  REQUIRE(bad.errors.size() == 2);
  CHECK(lines(bad.errors)[0].find("import.json:1:40: keys.a.secret: a literal secret") == 0);
  CHECK(lines(bad.errors)[1].find("keys.a: defined twice; the first is at import.json:1") !=
        std::string::npos);
}

TEST_CASE("errors of all sections and files come together, in the order of files and lines") {
  test::MemoryFileSystem files;
  files.create("k.json", R"({"keys": {"x": {"provider": "none", "secret": "env:X"}}})");
  const auto result = config::parse_config(
      "[pools.p]\nkeys = [\"nobody\"]\nschedule = \"nonsense\"\n[agent]\nprobe_workers = 0\n"
      "key_files = [\"k.json\"]\n[quotas.q]\nlimit = 0\n",
      "k.toml", files);
  CHECK_FALSE(result.config);
  REQUIRE(result.errors.size() == 5);
  CHECK(result.errors[0].key == "pools.p.keys[0]");
  CHECK(result.errors[1].key == "pools.p.schedule");
  CHECK(result.errors[2].key == "agent.probe_workers");
  CHECK(result.errors[3].key == "quotas.q.limit");
  CHECK(result.errors[4].file == "k.json");
}

TEST_CASE("no keys, keys in no pool and doubtful schedules are warnings") {
  const test::MemoryFileSystem files;
  const auto warnings = [&](const std::string& text) {
    auto result = config::parse_config(text, "k.toml", files);
    CHECK(lines(result.errors) == std::vector<std::string>());
    return lines(result.warnings);
  };
  CHECK(warnings("") ==
        std::vector<std::string>{"k.toml: keys: there are no keys: nothing will be watched"});
  CHECK(
      warnings(kProvider + key("a") + key("b") + key("c") + "[pools.p]\nkeys = [\"b\"]\n") ==
      std::vector<std::string>{"k.toml:3:1: keys.a: is in no pool, like 1 more: they are watched, "
                               "but never rotated or handed out"});
  CHECK(warnings(kProvider + key("a") + "[pools.p]\nkeys = [\"a\"]\n").empty());
  const auto doubtful =
      warnings(kProvider + key("a") + "[pools.p]\nkeys = [\"a\"]\nschedule = \"*/7 * * * *\"\n");
  REQUIRE_FALSE(doubtful.empty());
  CHECK(doubtful[0].find("k.toml:8:12: pools.p.schedule: ") == 0);
}

TEST_CASE("a configuration that others can write is a warning that says how to close it") {
  test::MemoryFileSystem files;
  files.create("/etc/k.toml", kProvider + key("a") + "[pools.p]\nkeys = [\"a\"]\n");
  CHECK(config::load_config("/etc/k.toml", files).warnings.empty());
  files.set_mode("/etc/k.toml", 0664);
  CHECK(lines(config::load_config("/etc/k.toml", files).warnings) ==
        std::vector<std::string>{
            "/etc/k.toml: others than its owner can write this file; run: chmod go-w /etc/k.toml"});
}

TEST_CASE("an empty file, as a full disk leaves it, is no configuration") {
  test::MemoryFileSystem files;
  files.create("/etc/k.toml", " \n");
  const auto result = config::load_config("/etc/k.toml", files);
  CHECK_FALSE(result.config);
  CHECK(lines(result.errors) ==
        std::vector<std::string>{
            "/etc/k.toml: the file is empty; to make a first one run: keyherd init"});
}

TEST_CASE("the examples load without errors") {
  const auto files = make_posix_file_system();
  for (const char* name : {"minimal", "production"}) {
    const auto result = config::load_config(
        std::string(KEYHERD_SOURCE) + "/examples/" + name + ".toml", *files, {{"keyherd"}, {}});
    CHECK(lines(result.errors) == std::vector<std::string>());
    REQUIRE(result.config);
    CHECK_FALSE(result.config->keys.empty());
  }
}

TEST_CASE("ten thousand keys load, and ten thousand wrong ones are all reported") {
  std::string good = kProvider;
  std::string bad = kProvider;
  std::string pool = "[pools.p]\nkeys = [";
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = "key-" + std::to_string(i);
    good += key(id);
    bad += "[keys." + id + "]\nprovider = \"dss\"\nsecret = \"env:KEY\"\n";
    pool += "\"" + id + "\",";
  }
  pool += "]\n";
  CHECK(parse(good + pool).keys.size() == 10'000);
  const test::MemoryFileSystem files;
  CHECK(config::parse_config(bad + pool, "k.toml", files).errors.size() == 10'000);
}
