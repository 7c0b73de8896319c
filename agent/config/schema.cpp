#include "config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/text.hpp"
#include "base/time_text.hpp"
#include "config/schema_pools.hpp"

namespace keyherd::config {

namespace {

constexpr std::array kRoot{
    Field{.name = "agent", .type = Type::table, .doc = "The agent itself."},
    Field{.name = "providers", .type = Type::table_map, .doc = "Endpoints, by id."},
    Field{.name = "keys", .type = Type::table_map, .doc = "Credentials, by id."},
    Field{.name = "quotas", .type = Type::table_map, .doc = "Limits, by id."},
    Field{.name = "issuers",
          .type = Type::table_map,
          .doc = "Who makes and ends secrets at providers, by id."},
    Field{.name = "pools", .type = Type::table_map, .doc = "Interchangeable keys, by id."},
    Field{.name = "usage_logs", .type = Type::table_map, .doc = "Logs to account from, by id."},
    Field{.name = "web", .type = Type::table, .doc = "Who may use the HTTP API."},
};

constexpr std::array kAgent{
    Field{.name = "listen",
          .fallback = "\"127.0.0.1:9925\"",
          .doc =
              "`host:port` of metrics, API and status page. Port 0 takes any free one. An address "
              "that other machines can reach needs `[[web.tokens]]`."},
    Field{.name = "state",
          .type = Type::path,
          .fallback = "\"keyherd.db\"",
          .doc = "SQLite file for counters, journal and keyring; `:memory:` keeps nothing."},
    Field{
        .name = "master_key", .type = Type::secret, .doc = "Seals the keyring in the state file."},
    Field{.name = "key_files",
          .type = Type::texts,
          .fallback = "[]",
          .doc = "JSON files (patterns) with keys in bulk: `{\"keys\": {\"id\": {…}}}` or "
                 "`{\"keys\": [{\"id\": \"…\", …}]}`, fields as in `[keys.ID]`."},
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
          .fallback = "8",
          .range = {1, 256},
          .doc = "Probes under way at once."},
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
    Field{.name = "unaccounted_spend",
          .type = Type::usd,
          .fallback = "1",
          .doc = "USD that a balance may fall within six hours beyond what the usage logs explain "
                 "before an alert is due."},
};

constexpr std::array kProvider{
    Field{.name = "type",
          .type = Type::choice,
          .required = true,
          .choices =
              "anthropic azure dashscope deepseek gemini groq litellm mistral moonshot newapi "
              "openai openai_compat openrouter siliconflow xai zhipu",
          .doc = "What API it speaks."},
    Field{.name = "base_url",
          .type = Type::url,
          .doc =
              "Where it is. Known types have a default; azure, litellm, newapi and openai_compat "
              "need one."},
    Field{.name = "allow_plain_http",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "Permits `http://` to another machine: keys then travel unencrypted."},
    Field{.name = "probe", .type = Type::table, .doc = "How its keys are validated."},
    Field{.name = "prices", .type = Type::table_map, .doc = "What its models cost, by model name."},
    Field{.name = "ca_file",
          .type = Type::path,
          .doc = "PEM file with a further certificate authority to trust."},
    Field{.name = "headers",
          .type = Type::text_map,
          .doc = "Extra request headers, such as `OpenAI-Organization`. Not for secrets."},
};

constexpr std::array kProbe{
    Field{.name = "every",
          .type = Type::duration,
          .fallback = "\"5m\"",
          .range = {0.1, 30 * kDay},
          .doc = "Time between two probes of a key."},
    Field{
        .name = "jitter",
        .type = Type::ratio,
        .fallback = "0.2",
        .doc = "Random share of `every` added or taken, so that keys are not probed all at once."},
    Field{.name = "timeout",
          .type = Type::duration,
          .fallback = "\"10s\"",
          .range = {0.1, 5 * kMinute},
          .doc = "For one probe, from connecting to the last byte; not longer than `every`."},
    Field{.name = "method",
          .type = Type::choice,
          .fallback = "\"auto\"",
          .choices = "auto models balance chat auth",
          .doc =
              "What to ask. `auto` takes the cheapest request that proves something, and now and "
              "then a tiny paid one."},
    Field{.name = "model",
          .doc = "Model of the paid probe; without it the provider type's cheapest."},
    Field{.name = "paid_every",
          .type = Type::duration,
          .fallback = "\"6h\"",
          .range = {0.1, 365 * kDay},
          .doc = "With `auto`: how often spending is proven by a tiny paid request."},
    Field{.name = "failures_to_dead",
          .type = Type::integer,
          .fallback = "3",
          .range = {1, 100},
          .doc = "Refusals in a row before a key is dead."},
    Field{.name = "successes_to_healthy",
          .type = Type::integer,
          .fallback = "2",
          .range = {1, 100},
          .doc = "Successes in a row before a bad key is trusted again."},
    Field{.name = "confirm_after",
          .type = Type::duration,
          .fallback = "\"20s\"",
          .range = {0.1, kDay},
          .doc = "How soon a doubtful key is probed again."},
    Field{.name = "latency_limit",
          .type = Type::duration,
          .range = {0.001, 10 * kMinute},
          .doc = "A 95th percentile above it is worth an alert."},
};

constexpr std::array kPrice{
    Field{.name = "input", .type = Type::usd, .required = true, .doc = "Prompt tokens."},
    Field{.name = "cached_input",
          .type = Type::usd,
          .doc = "Prompt tokens read from the cache; without it as `input`."},
    Field{.name = "cache_write",
          .type = Type::usd,
          .doc = "Prompt tokens written to the cache; without it as `input`."},
    Field{.name = "output", .type = Type::usd, .required = true, .doc = "Answer tokens."},
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
    Field{.name = "thresholds",
          .type = Type::ratios,
          .fallback = "[0.70, 0.85, 0.95]",
          .doc = "At most three, ascending: info, warning, critical. Fewer are the higher levels."},
};

constexpr std::array kUsageLog{
    Field{.name = "path",
          .type = Type::path,
          .required = true,
          .doc = "File, or a pattern: `/var/log/llm/usage*.jsonl`."},
    Field{.name = "format",
          .fallback = "\"keyherd\"",
          .doc = "The format of the lines; `keyherd` is the native one."},
    Field{.name = "fields",
          .type = Type::text_map,
          .doc = "In place of `format`: JSON Pointers by field: `ts key model input_tokens "
                 "output_tokens cached_input_tokens cache_write_tokens reasoning_tokens status "
                 "latency_ms request_id cost_usd`. `ts` and `key` are required."},
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
};

constexpr std::array kWeb{
    Field{.name = "tokens",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "Bearer tokens. Without any the API serves this machine only, and hands out no "
                 "secret."},
};

constexpr std::array kToken{
    Field{.name = "role",
          .type = Type::choice,
          .required = true,
          .choices = "metrics read consume operate admin",
          .doc = "What its bearer may do; each role includes the ones before it."},
    Field{.name = "token", .type = Type::secret, .required = true, .doc = "Where the token is."},
    Field{.name = "pools",
          .type = Type::ids,
          .fallback = "[]",
          .doc = "Confines the token to these pools and their keys."},
};

constexpr std::array<Section, kSectionCount> kSections{{
    {SectionId::root, "", "What a file may hold.", kRoot},
    {SectionId::agent, "agent", "The agent itself.", kAgent},
    {SectionId::provider, "providers.ID", "One endpoint configuration.", kProvider},
    {SectionId::probe, "providers.ID.probe", "How the provider's keys are validated.", kProbe},
    {SectionId::price, "providers.ID.prices.\"MODEL\"",
     "What a model costs, in USD per million tokens: a number, or decimal text.", kPrice},
    {SectionId::key, "keys.ID",
     "One credential. The id stays when the secret is replaced, and its history stays with it.",
     kKey},
    {SectionId::quota, "quotas.ID",
     "A limit over a window of time, for each key or limit group that names it.", kQuota},
    {SectionId::issuer, "issuers.ID",
     "An administration API, or a command, that makes and ends secrets for pools.", kIssuer},
    {SectionId::pool, "pools.ID", "The keys that can replace each other; one of them is active.",
     kPool},
    {SectionId::publish, "pools.ID.publish[]",
     "One receiver of the decision: exactly one of `file`, `exec` and `webhook`.", kPublish},
    {SectionId::usage_log, "usage_logs.ID",
     "A log that clients or gateways write, one JSON object "
     "a line.",
     kUsageLog},
    {SectionId::web, "web", "Who may use the HTTP API.", kWeb},
    {SectionId::token, "web.tokens[]", "One bearer token.", kToken},
}};

}  // namespace

std::span<const Section> schema() {
  return kSections;
}

const Section& section(SectionId id) {
  return kSections.at(static_cast<std::size_t>(id));
}

const Field* find_field(const Section& section, std::string_view name) {
  const auto found = std::find_if(section.fields.begin(), section.fields.end(),
                                  [&](const Field& field) { return field.name == name; });
  return found == section.fields.end() ? nullptr : &*found;
}

std::vector<std::string> choice_list(const Field& field) {
  std::vector<std::string> choices;
  for (const std::string_view choice : split(field.choices, ' '))
    choices.emplace_back(choice);
  return choices;
}

std::string show_bound(double bound, Type type) {
  if (type == Type::duration)
    return format_duration(std::chrono::nanoseconds(std::llround(bound * 1e9)));
  return fmt::format("{}", static_cast<std::int64_t>(bound));
}

std::string_view expectation(Type type) {
  switch (type) {
    case Type::text:
    case Type::choice:
      return "text in quotes";
    case Type::path:
      return "a path in quotes";
    case Type::boolean:
      return "true or false";
    case Type::integer:
      return "a whole number";
    case Type::ratio:
      return "a number from 0 to 1";
    case Type::amount:
      return "a number";
    case Type::usd:
      return "an amount in USD, such as 0.28";
    case Type::duration:
      return "a duration in quotes, such as \"5m\" or \"1h30m\"";
    case Type::time:
      return "a date and time, such as 2027-03-01T00:00:00Z";
    case Type::secret:
      return "a reference to a secret in quotes, such as \"env:NAME\" or \"file:PATH\"";
    case Type::url:
      return "a URL in quotes";
    case Type::id:
      return "an id in quotes";
    case Type::ids:
      return "a list of ids, such as [\"a\", \"b\"]";
    case Type::texts:
      return "a list of texts, such as [\"a\", \"b\"]";
    case Type::ratios:
      return "a list of numbers from 0 to 1, such as [0.7, 0.9]";
    case Type::text_map:
      return "a table of texts, such as { name = \"value\" }";
    case Type::choices:
      return "a list of texts, such as [\"a\", \"b\"]";
    case Type::timezone:
      return "a time zone in quotes, such as \"Europe/Berlin\"";
    case Type::cron:
      return "a cron expression in quotes, such as \"0 3 * * *\"";
    case Type::window:
      return "a window in quotes, such as \"day\" or \"rolling 24h\"";
    case Type::table:
      return "a table";
    case Type::table_map:
      return "a table of tables";
    case Type::table_list:
      return "a list of tables";
  }
  return "";
}

}  // namespace keyherd::config
