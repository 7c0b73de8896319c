#pragma once

// Rows of the schema about providers and prices. For schema.cpp alone.

#include <array>

#include "config/schema.hpp"

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
};

#define KH_PRICE_FIELDS                                                                 \
  Field{.name = "input", .type = Type::usd, .required = true, .doc = "Prompt tokens."}, \
      Field{.name = "cached_input",                                                     \
            .type = Type::usd,                                                          \
            .doc = "Prompt tokens read from the cache; without it as `input`."},        \
      Field{.name = "cache_write",                                                      \
            .type = Type::usd,                                                          \
            .doc = "Prompt tokens written to the cache; without it as `input`."},       \
      Field {                                                                           \
    .name = "output", .type = Type::usd, .required = true, .doc = "Answer tokens."      \
  }

inline constexpr std::array kPrice{
    KH_PRICE_FIELDS,
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
};

inline constexpr std::array kPricePeriod{
    Field{.name = "days",
          .type = Type::choices,
          .choices = "sun mon tue wed thu fri sat",
          .doc = "Days of the week; without it all. Of a period over midnight: those on which it "
                 "begins."},
    Field{
        .name = "from", .fallback = "\"00:00\"", .doc = "Local time, a whole quarter of an hour."},
    Field{.name = "to",
          .fallback = "\"24:00\"",
          .doc = "End, exclusive; not later than `from`: on the next day."},
    KH_PRICE_FIELDS,
};

inline constexpr std::array kPriceEarlier{
    Field{.name = "until",
          .type = Type::time,
          .required = true,
          .doc = "From then on the next entry holds."},
    KH_PRICE_FIELDS,
};
#undef KH_PRICE_FIELDS

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
