#include "config/schema.hpp"

#include <array>

#include "config/schema_pools.hpp"
#include "config/schema_provider.hpp"

namespace keyherd::config {

namespace {

constexpr std::array kRoot{
    Field{.name = "agent", .type = Type::table, .doc = "The agent itself."},
    Field{.name = "providers", .type = Type::table_map, .doc = "Endpoints, by id."},
    Field{.name = "keys", .type = Type::table_map, .doc = "Credentials, by id."},
    Field{.name = "limit_groups",
          .type = Type::table_map,
          .doc = "Accounts that several keys share, by the name in their `limit_group`."},
    Field{.name = "quotas", .type = Type::table_map, .doc = "Limits, by id."},
    Field{.name = "issuers",
          .type = Type::table_map,
          .doc = "Who makes and ends secrets at providers, by id."},
    Field{.name = "pools", .type = Type::table_map, .doc = "Interchangeable keys, by id."},
    Field{.name = "usage_logs", .type = Type::table_map, .doc = "Logs to account from, by id."},
    Field{.name = "web", .type = Type::table, .doc = "Who may use the HTTP API, and how."},
    Field{.name = "client",
          .type = Type::table,
          .doc = "How `keyherd status` and the other commands reach the agent."},
    Field{.name = "notify",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "Whom the agent tells of its own alerts, where no Prometheus does."},
};

constexpr std::array kAgent{
    Field{.name = "listen",
          .fallback = "\"127.0.0.1:9925\"",
          .doc =
              "`host:port` of metrics, API and status page. Port 0 takes any free one. An address "
              "that other machines can reach needs `[[web.tokens]]` or `[web.basic_auth_users]`."},
    Field{.name = "state",
          .type = Type::path,
          .fallback = "\"keyherd.db\"",
          .doc = "SQLite file for counters, journal and keyring; `:memory:` keeps nothing."},
    Field{.name = "audit",
          .type = Type::path,
          .doc =
              "The [audit log](audit.md); without it beside the state, `keyherd.audit.jsonl` for "
              "`keyherd.db`. `\"none\"` keeps none."},
    Field{.name = "audit_max_bytes",
          .type = Type::integer,
          .fallback = "67108864",
          .range = {4096, 1e12},
          .doc = "A file of the audit log that has grown beyond it is put aside."},
    Field{
        .name = "master_key", .type = Type::secret, .doc = "Seals the keyring in the state file."},
    Field{.name = "key_files",
          .type = Type::texts,
          .fallback = "[]",
          .doc = "JSON files (patterns) with keys in bulk: `{\"keys\": {\"id\": {…}}}` or "
                 "`{\"keys\": [{\"id\": \"…\", …}]}`, fields as in `[keys.ID]`."},
    Field{.name = "drop_metrics",
          .type = Type::texts,
          .fallback = "[]",
          .doc = "Metric families that `/metrics` leaves out, by name: of thousands of keys, those "
                 "that no rule and no board of yours looks at."},
    Field{.name = "log_format",
          .type = Type::choice,
          .fallback = "\"text\"",
          .choices = "text json",
          .doc = "How lines on stderr look."},
    Field{.name = "log_level",
          .type = Type::choice,
          .fallback = "\"info\"",
          .choices = "debug info warning error",
          .doc = "The least level that is logged."},
    Field{.name = "probe_workers",
          .type = Type::integer,
          .fallback = "64",
          .range = {1, 2048},
          .doc =
              "Probes under way at once, at most: each takes a thread, started when it is needed."},
    Field{.name = "probe_budget_tokens",
          .type = Type::integer,
          .range = {1, 1e15},
          .doc = "Tokens that probes of all keys together may use in a day (UTC); then paid probes "
                 "wait for the next day."},
    Field{.name = "probe_budget_usd", .type = Type::usd, .doc = "The same in USD."},
    Field{.name = "shutdown_timeout",
          .type = Type::duration,
          .fallback = "\"5s\"",
          .range = {1, kMinute},
          .doc = "After SIGTERM: what has not ended by then is abandoned (and resumed from the "
                 "journal at the next start)."},
    Field{.name = "timezone",
          .type = Type::timezone,
          .fallback = "\"UTC\"",
          .doc = "Whose days usage is told by when a question names no other zone, and old history "
                 "is summed into."},
    Field{.name = "keep_quarter_hours",
          .type = Type::duration,
          .fallback = "\"35d\"",
          .range = {32 * kDay, 10 * kYear},
          .doc = "How long usage history is kept by the quarter of an hour; then it is summed into "
                 "hours. The quotas' longest windows need 32 days."},
    Field{.name = "keep_hours",
          .type = Type::duration,
          .fallback = "\"100d\"",
          .range = {32 * kDay, 10 * kYear},
          .doc = "How long it is kept by the hour; then it is summed into days of `timezone`."},
    Field{.name = "keep_usage",
          .type = Type::duration,
          .fallback = "\"400d\"",
          .range = {kDay, 10 * kYear},
          .doc = "How long usage history is kept at all. All-time totals stay."},
    Field{.name = "keep_evidence",
          .type = Type::duration,
          .fallback = "\"30d\"",
          .range = {kHour, 10 * kYear},
          .doc = "How long the evidence behind states is kept for `explain`."},
    Field{.name = "price_file",
          .type = Type::path,
          .doc = "Price lists in place of those that the program has inside."},
    Field{.name = "unaccounted_spend",
          .type = Type::usd,
          .fallback = "1",
          .doc = "USD that a balance may fall within six hours beyond what the usage logs explain "
                 "before an alert is due."},
    Field{.name = "spend_anomaly_floor",
          .type = Type::usd,
          .fallback = "1",
          .doc = "USD an hour that a key must cost before a multiple of its usual cost is worth an "
                 "alert."},
    Field{.name = "max_request_ids",
          .type = Type::integer,
          .fallback = "1900000",
          .range = {10'000, 100'000'000},
          .doc = "So many request ids of usage logs are remembered, to count each once. About 9 "
                 "bytes each in memory, 10 in the state file."},
    Field{.name = "keep_request_ids",
          .type = Type::duration,
          .fallback = "\"7d\"",
          .range = {kHour, kYear},
          .doc = "How long they are remembered, if they are not too many."},
};

constexpr std::array kKey{
    Field{.name = "provider",
          .type = Type::id,
          .required = true,
          .doc = "Id of a section `[providers.ID]`."},
    Field{.name = "secret", .type = Type::secret, .required = true, .doc = "Where the API key is."},
    Field{.name = "limit_group",
          .type = Type::id,
          .doc =
              "Keys of one account share wallet and rate limit: give them the same name. Without "
              "one the key is alone."},
    Field{.name = "priority",
          .type = Type::integer,
          .fallback = "1",
          .range = {1, 1000},
          .doc = "Higher is preferred."},
    Field{.name = "quotas",
          .type = Type::ids,
          .fallback = "[]",
          .doc = "Ids of sections `[quotas.ID]`."},
    Field{.name = "labels",
          .type = Type::text_map,
          .doc = "Your own names and values, shown in `status` and the API; at most 16."},
    Field{.name = "provider_key_id",
          .doc =
              "The provider's own id of the secret, by which it can be ended: OpenRouter's hash, "
              "Anthropic's `apikey_…`, Azure's `key1` or `key2`."},
    Field{.name = "managed",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "The agent may end it at the provider although it did not make it."},
    Field{.name = "created_at", .type = Type::time, .doc = "When the secret was issued."},
    Field{.name = "expires_at", .type = Type::time, .doc = "When the secret ends."},
    Field{.name = "max_age",
          .type = Type::duration,
          .range = {kDay, 100 * kYear},
          .doc = "A secret older than this is worth an alert; needs `created_at`."},
};

constexpr std::array kLimitGroup{
    Field{.name = "quotas",
          .type = Type::ids,
          .fallback = "[]",
          .doc = "Ids of sections `[quotas.ID]`: limits for the use of all its keys together."},
};

constexpr std::array kQuota{
    Field{.name = "limit",
          .type = Type::amount,
          .required = true,
          .doc = "How much, above 0: a whole number, or USD with decimals for `unit = \"usd\"`."},
    Field{.name = "unit",
          .type = Type::choice,
          .fallback = "\"tokens\"",
          .choices = "tokens input_tokens output_tokens requests usd",
          .doc = "What is counted."},
    Field{.name = "window",
          .type = Type::window,
          .fallback = "\"day\"",
          .doc = "Per `minute`, `hour`, `day`, `week` (from Monday), `month`, `total`, or "
                 "`rolling 24h` (whole minutes, at most 366 days)."},
    Field{.name = "timezone",
          .type = Type::timezone,
          .fallback = "\"UTC\"",
          .doc = "Where days, weeks and months begin."},
    Field{.name = "resets_at",
          .doc =
              "When they begin, in that zone: `00:00` for a day, `mon` or `mon 09:00` for a week, "
              "`day 15` or `day 15 09:00` for a month (its last day, where it is shorter). "
              "Without it midnight, Monday, the first."},
    Field{.name = "thresholds",
          .type = Type::ratios,
          .fallback = "[0.70, 0.85, 0.95]",
          .doc = "At most three, ascending: info, warning, critical. Fewer are the higher levels."},
};

constexpr std::array kUsageLog{
    Field{.name = "path",
          .type = Type::path,
          .doc = "File, or a pattern: `/var/log/llm/usage*.jsonl`. Without it lines come by "
                 "`POST /api/v1/usage` alone."},
    Field{.name = "format",
          .fallback = "\"keyherd\"",
          .doc = "The format of the lines: `keyherd` (the native one) or a preset, see "
                 "[usage-logs.md](usage-logs.md)."},
    Field{.name = "fields",
          .type = Type::text_map,
          .doc = "Where the fields stand, as JSON Pointers: `ts key model input_tokens "
                 "output_tokens cached_input_tokens cache_write_tokens reasoning_tokens status "
                 "latency_ms request_id cost_usd started_at`. `\"/a \\| /b\"` is the first that "
                 "is there, `\"/a + /b\"` a sum. Without `format`, `ts` and `key` are required; "
                 "with it, they replace the preset's."},
    Field{.name = "units",
          .type = Type::text_map,
          .doc = "Units of `ts` and `started_at` (`rfc3339 utc s ms us ns`), `latency_ms` "
                 "(`ms s us ns`) and `cost_usd` (`usd cent micro_usd newapi_quota`)."},
    Field{.name = "status_words",
          .type = Type::integer_map,
          .range = {0, 999},
          .doc = "HTTP status by what the log says in place of it; `*x` is any word that ends in "
                 "`x`."},
    Field{.name = "only",
          .type = Type::text_map,
          .doc = "Lines that are requests: values by JSON Pointer, several with `\\|` between "
                 "them; other lines are skipped."},
    Field{.name = "key_names",
          .type = Type::text_map,
          .doc = "Keys' ids by the names that the log has for them."},
    Field{.name = "start_at_end",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "At the very first start, skip what is already in the file."},
    Field{.name = "idle_after",
          .type = Type::duration,
          .range = {1, kYear},
          .doc = "Silence for so long is worth an alert."},
    Field{.name = "lag_threshold_bytes",
          .type = Type::integer,
          .fallback = "67108864",
          .range = {1, 1e15},
          .doc = "Unread bytes beyond it are worth an alert."},
    Field{.name = "max_line_bytes",
          .type = Type::integer,
          .fallback = "1048576",
          .range = {1024, 67'108'864},
          .doc = "Longer lines are rejected."},
    Field{.name = "dedup",
          .type = Type::boolean,
          .fallback = "true",
          .doc = "Count a request id once; lines without one always count. Turn it off for a log "
                 "whose ids are not unique."},
    Field{.name = "read_gz",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "Read rotated files that were compressed (`.gz`) before they were read to their "
                 "end."},
};

constexpr std::array kWeb{
    Field{.name = "tokens",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "Bearer tokens. Without any, and without users, the API serves this machine "
                 "only, and hands out no secret."},
    Field{.name = "basic_auth_users",
          .type = Type::table_map,
          .doc = "Users with passwords, by name: for whatever cannot send a token."},
    Field{.name = "tls", .type = Type::table, .doc = "HTTPS instead of HTTP."},
    Field{.name = "hosts",
          .type = Type::texts,
          .fallback = "[]",
          .doc = "Names (no ports) by which clients reach the agent; requests for other names are "
                 "refused, so that no page of a stranger can pass for this one. Loopback names "
                 "are always served. An agent that other machines can reach serves, besides "
                 "these, requests for a bare address; with none listed, for any name."},
};

constexpr std::array kBasicAuthUser{
    Field{.name = "role",
          .type = Type::choice,
          .required = true,
          .choices = "metrics read consume operate admin",
          .doc = "What the user may do; each role includes the ones before it."},
    Field{.name = "password_hash",
          .required = true,
          .doc = "bcrypt, of cost 10 to 14: `htpasswd -nBC 12 NAME | cut -d: -f2`."},
    Field{.name = "pools",
          .type = Type::ids,
          .fallback = "[]",
          .doc = "Confines the user to these pools and their keys."},
};

constexpr std::array kTls{
    Field{.name = "cert_file",
          .type = Type::path,
          .required = true,
          .doc = "The server's certificate (PEM), then those that vouch for it. Read again when "
                 "it or another of these files changes, and at a reload."},
    Field{.name = "key_file",
          .type = Type::path,
          .required = true,
          .doc = "Its key (PEM, no passphrase), readable by the agent's user alone."},
    Field{.name = "client_ca_file",
          .type = Type::path,
          .doc = "Who vouches for clients' certificates (PEM)."},
    Field{.name = "client_auth",
          .type = Type::choice,
          .fallback = "\"none\"",
          .choices = "none optional required",
          .doc = "Whether clients show certificates: `optional` refuses bad ones only. A "
                 "certificate lets in; what its bearer may do is still the token's or user's "
                 "role."},
    Field{.name = "min_version",
          .type = Type::choice,
          .fallback = "\"TLS12\"",
          .choices = "TLS12 TLS13",
          .doc = "The oldest version of TLS that is spoken."},
};

constexpr std::array kClient{
    Field{.name = "url",
          .type = Type::url,
          .doc = "`https://keyherd.example:9925`; else where `agent.listen` says, with HTTPS if "
                 "there is a `web.tls`."},
    Field{.name = "ca_file",
          .type = Type::path,
          .doc = "Whose certificates are trusted besides the system's (PEM); else "
                 "`web.tls.cert_file` itself."},
    Field{.name = "cert_file",
          .type = Type::path,
          .doc = "The certificate to show to an agent that asks for one (PEM)."},
    Field{.name = "key_file", .type = Type::path, .doc = "Its key (PEM)."},
    Field{.name = "token",
          .type = Type::secret,
          .doc = "Where the token is; `$KEYHERD_TOKEN` goes before it. Else the most powerful of "
                 "`web.tokens` that can be read."},
    Field{.name = "user", .doc = "Signs in with a password instead of a token."},
    Field{.name = "password", .type = Type::secret, .doc = "Where the user's password is."},
};

constexpr std::array kToken{
    Field{.name = "role",
          .type = Type::choice,
          .required = true,
          .choices = "metrics read consume operate admin",
          .doc = "What its bearer may do; each role includes the ones before it."},
    Field{.name = "token", .type = Type::secret, .required = true, .doc = "Where the token is."},
    Field{
        .name = "name",
        .type = Type::id,
        .doc = "Whose it is, for the [audit log](audit.md): what its bearer does is told with it."},
    Field{.name = "pools",
          .type = Type::ids,
          .fallback = "[]",
          .doc = "Confines the token to these pools and their keys."},
};

constexpr std::array kNotify{
    Field{.name = "alertmanager",
          .type = Type::url,
          .doc = "Base URL of an Alertmanager: alerts are sent to its API as Prometheus does."},
    Field{.name = "webhook",
          .type = Type::url,
          .doc = "Gets messages in the shape of Alertmanager's webhooks, one for each change."},
    Field{.name = "token", .type = Type::secret, .doc = "Sent as `Authorization: Bearer …`."},
    Field{.name = "severity",
          .type = Type::choice,
          .fallback = "\"warning\"",
          .choices = "info warning critical",
          .doc = "The least severity that is sent."},
    Field{.name = "allow_plain_http",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "Permits `http://` to another machine."},
};

constexpr std::array<Section, kSectionCount> kSections{{
    {SectionId::root, "", "What a file may hold.", kRoot},
    {SectionId::agent, "agent", "The agent itself.", kAgent},
    {SectionId::provider, "providers.ID", "One endpoint configuration.", kProvider},
    {SectionId::probe, "providers.ID.probe", "How the provider's keys are validated.", kProbe},
    {SectionId::error_rule, "providers.ID.rules[]",
     "A line that comes before the type's own error table: an answer with one of these statuses, "
     "one "
     "of these codes and one of these texts (each list that is given) has this verdict. See "
     "[providers.md](providers.md).",
     kErrorRule},
    {SectionId::balance_threshold, "providers.ID.balance_thresholds.CURRENCY",
     "Balances below which an alert is due, in the currency (ISO 4217, such as USD).",
     kBalanceThreshold},
    {SectionId::price, "providers.ID.prices.\"MODEL\"",
     "What a model costs, in USD (or the provider's `currency`) per million tokens: a number, or "
     "decimal text.",
     kPrice},
    {SectionId::price_period, "providers.ID.prices.\"MODEL\".periods[]",
     "Hours in which a model has another price.", kPricePeriod},
    {SectionId::price_earlier, "providers.ID.prices.\"MODEL\".earlier[]",
     "What a model cost until an instant.", kPriceEarlier},
    {SectionId::price_lists, "price_file",
     "The file that `agent.price_file` names; the program has "
     "[one](../agent/config/prices.toml) inside.",
     kPriceLists},
    {SectionId::price_list, "price_file: lists.NAME",
     "What providers publish; a provider takes the list that is named as its type.", kPriceList},
    {SectionId::key, "keys.ID",
     "One credential. The id stays when the secret is replaced, and its history stays with it.",
     kKey},
    {SectionId::limit_group, "limit_groups.ID",
     "An account, organisation or project whose keys share one wallet or limit.", kLimitGroup},
    {SectionId::quota, "quotas.ID",
     "A limit over a window of time, for each key or limit group that names it.", kQuota},
    {SectionId::issuer, "issuers.ID",
     "An administration API, or a command, that makes and ends secrets for pools.", kIssuer},
    {SectionId::pool, "pools.ID", "The keys that can replace each other; one of them is active.",
     kPool},
    {SectionId::freeze, "pools.ID.freeze[]",
     "A time in which the pool is left alone: no schedule, no return to a better key. A dead or "
     "exhausted key is replaced even then.",
     kFreeze},
    {SectionId::publish, "pools.ID.publish[]",
     "One receiver of the decision: exactly one of `file`, `exec` and `webhook`.", kPublish},
    {SectionId::usage_log, "usage_logs.ID",
     "A log that clients or gateways write, one JSON object "
     "a line.",
     kUsageLog},
    {SectionId::web, "web", "Who may use the HTTP API, and how.", kWeb},
    {SectionId::token, "web.tokens[]", "One bearer token.", kToken},
    {SectionId::basic_auth_user, "web.basic_auth_users.NAME", "One user with a password.",
     kBasicAuthUser},
    {SectionId::tls, "web.tls", "HTTPS: metrics, API and status page, all on the one port.", kTls},
    {SectionId::client, "client",
     "How the command line reaches an agent: of another machine, or behind TLS.", kClient},
    {SectionId::notify, "notify[]",
     "One receiver of the agent's own alerts: exactly one of `alertmanager` and `webhook`.",
     kNotify},
}};

}  // namespace

std::span<const Section> schema() {
  return kSections;
}

}  // namespace keyherd::config
