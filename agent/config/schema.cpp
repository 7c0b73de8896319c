#include "config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::config {

namespace {

constexpr double kMinute = 60;
constexpr double kHour = 3600;
constexpr double kDay = 86400;
constexpr double kYear = 366 * kDay;

constexpr std::array kRoot{
    Field{.name = "agent", .type = Type::table, .doc = "The agent itself."},
    Field{.name = "providers", .type = Type::table_map, .doc = "Endpoints, by id."},
    Field{.name = "keys", .type = Type::table_map, .doc = "Credentials, by id."},
    Field{.name = "quotas", .type = Type::table_map, .doc = "Limits, by id."},
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
    Field{.name = "keep_usage",
          .type = Type::duration,
          .fallback = "\"400d\"",
          .range = {kDay, 10 * kYear},
          .doc = "How long usage history is kept."},
    Field{.name = "keep_evidence",
          .type = Type::duration,
          .fallback = "\"30d\"",
          .range = {kHour, 10 * kYear},
          .doc = "How long the evidence behind states is kept for `explain`."},
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

constexpr Range kNotNegative{0, std::numeric_limits<double>::infinity()};

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

constexpr std::array kPool{
    Field{.name = "keys", .type = Type::ids, .required = true, .doc = "Ids of `[keys.ID]`."},
    Field{.name = "strategy",
          .type = Type::choice,
          .fallback = "\"priority\"",
          .choices = "round_robin priority quota_aware least_used lowest_latency",
          .doc = "Which key comes next."},
    Field{
        .name = "schedule",
        .type = Type::cron,
        .doc = "Cron expression, such as `0 3 * * *` or `@daily`; without it only events rotate."},
    Field{.name = "timezone",
          .type = Type::timezone,
          .fallback = "\"UTC\"",
          .doc = "Of the schedule."},
    Field{.name = "schedule_jitter",
          .type = Type::duration,
          .fallback = "\"0s\"",
          .range = {0, kDay},
          .doc =
              "Firings come later by a part of this that is always the same for the pool, so that "
              "pools of one schedule do not rotate together. Shorter than `catch_up_window` and "
              "than the time between two firings."},
    Field{.name = "catch_up",
          .type = Type::choice,
          .fallback = "\"once\"",
          .choices = "once skip",
          .doc =
              "After a stop: `once` makes up for the missed firings with one rotation if the last "
              "was due less than `catch_up_window` ago; `skip` waits for the next."},
    Field{.name = "catch_up_window",
          .type = Type::duration,
          .fallback = "\"10m\"",
          .range = {kMinute, kYear},
          .doc = "How late a firing may still rotate."},
    Field{.name = "freeze",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "Times in which only emergencies rotate."},
    Field{.name = "rotate_on",
          .type = Type::choices,
          .fallback = "[\"dead\", \"exhausted\"]",
          .choices = "dead exhausted throttled degraded",
          .doc = "States of the active key that start a rotation."},
    Field{.name = "publish",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "Who is told of the active key."},
    Field{.name = "min_remaining",
          .type = Type::integer,
          .fallback = "100",
          .range = kNotNegative,
          .doc = "With `quota_aware`: a key with less left of its quota is no candidate."},
    Field{.name = "max_error_ratio",
          .type = Type::ratio,
          .fallback = "0.05",
          .doc = "Of a key's logged requests in the last 5 minutes; above it the key is avoided."},
    Field{.name = "min_available",
          .type = Type::integer,
          .fallback = "1",
          .range = {1, 100'000},
          .doc = "Fewer usable keys are worth an alert."},
    Field{.name = "slo_objective",
          .type = Type::ratio,
          .fallback = "0.999",
          .doc = "Share of requests that should succeed."},
    Field{.name = "valid_for",
          .type = Type::duration,
          .fallback = "\"24h\"",
          .range = {kMinute, kYear},
          .doc = "How long consumers may go on with a published key if they hear nothing more."},
    Field{.name = "min_stay",
          .type = Type::duration,
          .fallback = "\"60s\"",
          .range = {0, kDay},
          .doc = "Least time between two automatic rotations."},
    Field{.name = "rotations_per_hour",
          .type = Type::integer,
          .fallback = "30",
          .range = {1, 3600},
          .doc = "Most automatic rotations within an hour; emergencies are counted, not refused."},
    Field{.name = "recovery_wait",
          .type = Type::duration,
          .fallback = "\"0s\"",
          .range = {0, 7 * kDay},
          .doc =
              "With `priority`: how long a better key must have been healthy again before the pool "
              "returns to it."},
};

constexpr std::array kFreeze{
    Field{.name = "start",
          .type = Type::cron,
          .required = true,
          .doc = "When it begins, such as `0 18 * * FRI`, in the pool's `timezone`."},
    Field{.name = "lasts",
          .type = Type::duration,
          .required = true,
          .range = {kMinute, 60 * kDay},
          .doc = "For how long."},
};

constexpr std::array kPublish{
    Field{.name = "file",
          .type = Type::path,
          .doc = "Writes the decision, secret included, to this file."},
    Field{.name = "mode",
          .fallback = "\"0600\"",
          .doc = "With `file`: its permissions; nothing for others."},
    Field{.name = "exec",
          .type = Type::texts,
          .doc = "Runs this command (program and arguments, no shell)."},
    Field{.name = "timeout",
          .type = Type::duration,
          .fallback = "\"10s\"",
          .range = {0.1, 10 * kMinute},
          .doc = "With `exec`: killed after it."},
    Field{.name = "webhook", .type = Type::url, .doc = "Posts the decision to this URL."},
    Field{.name = "signing_secret",
          .type = Type::secret,
          .doc = "With `webhook`: signs the request, so that the receiver can trust it."},
    Field{.name = "allow_plain_http",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "With `webhook`: permits `http://` to another machine."},
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
