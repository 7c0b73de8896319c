#pragma once

// Rows of the schema about providers and prices. For schema.cpp alone.

#include <array>
#include <cstddef>
#include <utility>

#include "config/schema.hpp"
#include "config/schema_ranges.hpp"

namespace keyherd::config {

inline constexpr std::array kProvider{
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
    Field{.name = "prices",
          .type = Type::table_map,
          .doc = "What its models cost, by model name; comes before the price lists."},
    Field{.name = "list_prices",
          .type = Type::texts,
          .doc = "Names of the price lists that hold here too, such as `[\"openai\"]` for a "
                 "gateway; `[]`: "
                 "none. Without it the list of the provider's type, where there is one."},
    Field{.name = "currency",
          .fallback = "\"USD\"",
          .doc = "What `prices` are written in and the account is billed in, such as `CNY`."},
    Field{.name = "usd_rate",
          .type = Type::usd,
          .doc = "How many USD one unit of another `currency` is worth, such as 0.14."},
    Field{.name = "ca_file",
          .type = Type::path,
          .doc = "PEM file with a further certificate authority to trust."},
    Field{.name = "headers",
          .type = Type::text_map,
          .doc = "Extra request headers, such as `OpenAI-Organization`. Not for secrets."},
    Field{.name = "auth_header",
          .doc = "Header that carries the key, where it is not the type's: `X-Litellm-Key`."},
    Field{.name = "auth_prefix",
          .doc =
              "With `auth_header`: what stands before the key, such as `\"Bearer \"`; without it "
              "nothing."},
    Field{.name = "rules",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "How to read answers, before the type's own rules."},
    Field{.name = "balance_thresholds",
          .type = Type::table_map,
          .doc = "Balances that are worth an alert, by currency."},
};

inline constexpr std::array kProbe{
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
    Field{
        .name = "paths",
        .type = Type::text_map,
        .doc =
            "Paths after `base_url` in place of the type's, by probe: `{ balance = \"/v2/credits\" "
            "}`. `{model}` stands for the model's name."},
    Field{
        .name = "limit_field",
        .type = Type::choice,
        .choices = "auto max_tokens max_completion_tokens",
        .doc =
            "Field of a paid request that limits its answer; `auto`: by the model's name. Without "
            "it the provider type's."},
    Field{.name = "limit_tokens",
          .type = Type::integer,
          .range = {1, 1024},
          .doc = "That limit; without it 1, or 16 for reasoning models."},
    Field{.name = "paid_every",
          .type = Type::duration,
          .fallback = "\"6h\"",
          .range = {0, 365 * kDay},
          .doc =
              "With `auto`: how often spending is proven, by a tiny paid request unless the usage "
              "log shows it. `\"0s\"`: never."},
    Field{.name = "control_every",
          .type = Type::duration,
          .fallback = "\"24h\"",
          .range = {0, 365 * kDay},
          .doc =
              "How often a made-up key is sent, which must be refused: where it is not, the probe "
              "proves nothing and a stronger one is used. `\"0s\"`: never."},
    Field{.name = "min_spacing",
          .type = Type::duration,
          .fallback = "\"100ms\"",
          .range = {0, kMinute},
          .doc = "Least time between two probes at the same endpoint, of whatever keys; less where "
                 "there are so many keys that they would not fit into half of `every`."},
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

inline constexpr std::array kErrorRule{
    Field{.name = "verdict",
          .type = Type::choice,
          .required = true,
          .choices = "ok invalid_key disabled_key account_disabled permission_denied region_denied "
                     "balance_exhausted quota_exhausted rate_limited overloaded server_error "
                     "model_missing bad_request upstream_auth network",
          .doc = "What the answer says."},
    Field{.name = "status",
          .type = Type::texts,
          .fallback = "[]",
          .doc = "HTTP statuses: `\"429\"`, `\"500-599\"`; `\"0\"` for an error inside a 200."},
    Field{.name = "codes",
          .type = Type::texts,
          .fallback = "[]",
          .doc = "Codes, types or reasons in the body, whole."},
    Field{.name = "texts",
          .type = Type::texts,
          .fallback = "[]",
          .doc = "Parts of the message, whatever their case; `*` stands for anything between."},
    Field{.name = "scope",
          .type = Type::choice,
          .choices = "key limit_group provider agent",
          .doc = "Whom it concerns; without it what is usual for the verdict."},
    Field{.name = "reset",
          .type = Type::choice,
          .fallback = "\"none\"",
          .choices = "none next_month midnight_pacific in_message in_message_beijing",
          .doc =
              "When the condition ends, if no header and no field says: first of next month UTC, "
              "midnight in California, the date in the message (UTC or Beijing)."},
};

inline constexpr std::array kBalanceThreshold{
    Field{.name = "warning", .type = Type::usd, .doc = "At or below it: severity warning."},
    Field{.name = "critical", .type = Type::usd, .doc = "At or below it: severity critical."},
};

// The fields of one table, and of another behind them.
template <std::size_t N, std::size_t M>
constexpr std::array<Field, N + M> joined(const std::array<Field, N>& first,
                                          const std::array<Field, M>& second) {
  return [&]<std::size_t... I, std::size_t... J>(std::index_sequence<I...>,
                                                 std::index_sequence<J...>) {
    return std::array<Field, N + M>{first[I]..., second[J]...};
  }
  (std::make_index_sequence<N>(), std::make_index_sequence<M>());
}

inline constexpr std::array kTokenPrices{
    Field{.name = "input", .type = Type::usd, .required = true, .doc = "Prompt tokens."},
    Field{.name = "cached_input",
          .type = Type::usd,
          .doc = "Prompt tokens read from the cache; without it as `input`."},
    Field{.name = "cache_write",
          .type = Type::usd,
          .doc = "Prompt tokens written to the cache; without it as `input`."},
    Field{.name = "output", .type = Type::usd, .required = true, .doc = "Answer tokens."},
};

inline constexpr std::array kPrice = joined(
    kTokenPrices, std::array{
                      Field{.name = "timezone",
                            .type = Type::timezone,
                            .fallback = "\"UTC\"",
                            .doc = "Of the periods."},
                      Field{.name = "periods",
                            .type = Type::table_list,
                            .fallback = "[]",
                            .doc = "Hours with other prices; the first that fits counts."},
                      Field{.name = "earlier",
                            .type = Type::table_list,
                            .fallback = "[]",
                            .doc = "What it cost before, oldest first: old usage keeps its price."},
                  });

inline constexpr std::array kPricePeriod = joined(
    std::array{
        Field{.name = "days",
              .type = Type::choices,
              .choices = "sun mon tue wed thu fri sat",
              .doc = "Days of the week; without it all. Of a period over midnight: those on which "
                     "it begins."},
        Field{.name = "from",
              .fallback = "\"00:00\"",
              .doc = "Local time, a whole quarter of an hour."},
        Field{.name = "to",
              .fallback = "\"24:00\"",
              .doc = "End, exclusive; not later than `from`: on the next day."},
    },
    kTokenPrices);

inline constexpr std::array kPriceEarlier =
    joined(std::array{Field{.name = "until",
                            .type = Type::time,
                            .required = true,
                            .doc = "From then on the next entry holds."}},
           kTokenPrices);

inline constexpr std::array kPriceLists{
    Field{.name = "lists", .type = Type::table_map, .doc = "Price lists, by name."},
};

inline constexpr std::array kPriceList{
    Field{.name = "source", .required = true, .doc = "Where the prices were published."},
    Field{.name = "date", .required = true, .doc = "When they were looked up."},
    Field{.name = "models",
          .type = Type::table_map,
          .doc = "Prices in USD, by model name, as `[providers.ID.prices.\"MODEL\"]`."},
};

}  // namespace keyherd::config
