// Prices: lists, hours of the day, earlier ones, other currencies.

#include <catch2/catch.hpp>

#include "base/time_text.hpp"
#include "config/price_lists.hpp"
#include "config_text.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::config;

namespace {

const std::string kGateway =
    "[providers.p]\ntype = \"openai_compat\"\nbase_url = \"https://h.example\"\n";

LoadResult loaded(const std::string& text) {
  return parse_config(text, "keyherd.toml", test::MemoryFileSystem());
}

std::string error_of(const std::string& text) {
  const LoadResult result = loaded(text);
  REQUIRE(result.errors.size() == 1);
  return to_string(result.errors.front());
}

}  // namespace

TEST_CASE("a provider has the shipped prices of its type, and its own come first") {
  const auto prices = test::parse(R"([providers.p]
type = "deepseek"
[providers.p.prices."deepseek-chat"]
input = 9
output = 9
)")
                          .providers[0]
                          .prices;
  CHECK(prices.at("deepseek-chat").fixed()->input == 9'000'000'000);
  CHECK_FALSE(prices.at("deepseek-chat").listed);
  const model::ModelPrice& flash = prices.at("deepseek-flash");
  CHECK(flash.listed);
  CHECK(flash.fixed() == nullptr);
  REQUIRE(flash.tariffs.size() == 1);
  const model::Tariff& tariff = flash.tariffs[0];
  CHECK(tariff.timezone == "Asia/Shanghai");
  constexpr unsigned kMonday = 1;
  constexpr unsigned kSunday = 0;
  CHECK(tariff.at(kMonday, 8 * 60 + 45).output == 600'000'000);
  CHECK(tariff.at(kMonday, 9 * 60).output == 1'200'000'000);
  CHECK(tariff.at(kMonday, 12 * 60).output == 600'000'000);
  CHECK(tariff.at(kMonday, 17 * 60 + 45).cached_input == 6'000'000);
  CHECK(tariff.at(kSunday, 9 * 60).output == 600'000'000);
}

TEST_CASE("every shipped price is above zero, and cached input is never dearer than fresh") {
  for (const std::string& type : model::provider_types()) {
    const bool has_url =
        type != "azure" && type != "litellm" && type != "newapi" && type != "openai_compat";
    const auto config = test::parse("[providers.p]\ntype = \"" + type + "\"\n" +
                                    (has_url ? "" : "base_url = \"https://h.example\"\n"));
    for (const auto& [name, price] : config.providers[0].prices) {
      INFO(type << " " << name);
      REQUIRE_FALSE(price.tariffs.empty());
      for (const model::Tariff& tariff : price.tariffs) {
        CHECK(tariff.price.input > 0);
        CHECK(tariff.price.output >= tariff.price.input);
        CHECK(tariff.price.cached_input <= tariff.price.input);
        for (const model::PricePeriod& period : tariff.periods)
          CHECK(period.price.input > tariff.price.input);
      }
    }
  }
}

TEST_CASE("a gateway takes the lists that it names, and none by itself") {
  CHECK(test::parse(kGateway).providers[0].prices.empty());
  const auto prices =
      test::parse(kGateway + "list_prices = [\"openai\", \"anthropic\"]\n").providers[0].prices;
  CHECK(prices.at("gpt-4o-mini").fixed()->output == 600'000'000);
  CHECK(prices.at("claude-opus-5").fixed()->cache_write == 6'250'000'000);
  CHECK(test::parse("[providers.p]\ntype = \"openai\"\nlist_prices = []\n")
            .providers[0]
            .prices.empty());
  CHECK(error_of(kGateway + "list_prices = [\"opnai\"]\n") ==
        "keyherd.toml:4:15: providers.p.list_prices: there is no price list \"opnai\"");
}

TEST_CASE("a file of one's own takes the place of the shipped lists") {
  test::MemoryFileSystem files;
  files.append("/etc/prices.toml", R"([lists.openai]
source = "a letter"
date = "2026-11-01"
[lists.openai.models]
"gpt-x" = { input = 1, output = 2 }
)");
  const std::string text =
      "[agent]\nprice_file = \"/etc/prices.toml\"\n[providers.p]\ntype = \"openai\"\n";
  const LoadResult result = parse_config(text, "/etc/keyherd.toml", files);
  REQUIRE(result.config);
  CHECK(result.config->providers[0].prices.size() == 1);
  CHECK(result.config->providers[0].prices.at("gpt-x").fixed()->output == 2'000'000'000);
  const LoadResult absent = parse_config(text, "/etc/keyherd.toml", test::MemoryFileSystem());
  REQUIRE(absent.errors.size() == 1);
  CHECK(absent.errors[0].key == "agent.price_file");
  files.append("/etc/prices.toml", "\"gpt-y\" = { input = 1 }\n");
  const LoadResult wrong = parse_config(text, "/etc/keyherd.toml", files);
  REQUIRE(wrong.errors.size() == 1);
  CHECK(wrong.errors[0].file == "/etc/prices.toml");
  CHECK(wrong.errors[0].line == 6);
}

TEST_CASE("prices in another currency become USD at the rate that the provider states") {
  const auto config = test::parse(kGateway + R"(currency = "CNY"
usd_rate = 0.14
[providers.p.prices.m]
input = 2
output = "8.5"
)");
  const model::Provider& provider = config.providers[0];
  REQUIRE(provider.billed_in);
  CHECK(provider.billed_in->currency == "CNY");
  CHECK(provider.billed_in->rate == 140'000'000);
  CHECK(provider.prices.at("m").fixed()->input == 280'000'000);
  CHECK(provider.prices.at("m").fixed()->output == 1'190'000'000);
  CHECK(error_of(kGateway + "currency = \"CNY\"\n").find("needs usd_rate") != std::string::npos);
  CHECK(error_of(kGateway + "currency = \"Yuan\"\nusd_rate = 1\n").find("no code") !=
        std::string::npos);
  CHECK(error_of(kGateway + "usd_rate = 2\n").find("another currency") != std::string::npos);
  CHECK(error_of(kGateway + "currency = \"CNY\"\nusd_rate = 0\n").find("above 0") !=
        std::string::npos);
}

TEST_CASE("hours, days and earlier prices are read strictly") {
  const std::string base = kGateway + "[providers.p.prices.m]\ninput = 1\noutput = 2\n";
  const auto price = test::parse(base + R"(timezone = "Asia/Tokyo"
periods = [{ days = ["fri", "sat"], from = "22:00", to = "02:00", input = 3, output = 4 }]
earlier = [
  { until = 2026-01-01T00:00:00Z, input = 10, output = 20 },
  { until = 2026-02-01T00:00:00Z, input = 5, output = 6 },
]
)")
                         .providers[0]
                         .prices.at("m");
  REQUIRE(price.tariffs.size() == 3);
  CHECK(price.tariff_at(*parse_rfc3339("2025-12-31T23:59:59Z"))->price.input == 10'000'000'000);
  CHECK(price.tariff_at(*parse_rfc3339("2026-01-01T00:00:00Z"))->price.input == 5'000'000'000);
  const model::Tariff& now = *price.tariff_at(*parse_rfc3339("2026-02-01T00:00:00Z"));
  constexpr unsigned kFriday = 5;
  constexpr unsigned kSaturday = 6;
  CHECK(now.at(kFriday, 21 * 60 + 45).input == 1'000'000'000);
  CHECK(now.at(kFriday, 22 * 60).input == 3'000'000'000);
  CHECK(now.at(kFriday, 60).input == 1'000'000'000);  // the night from Thursday
  CHECK(now.at(kSaturday, 60).input == 3'000'000'000);
  CHECK(now.at(0, 60).input == 3'000'000'000);
  CHECK(now.at(0, 22 * 60).input == 1'000'000'000);

  const auto period = [&](const std::string& more) {
    return error_of(base + "periods = [{ input = 1, output = 2, " + more + " }]\n");
  };
  CHECK(period("from = \"9:00\"").find("quarter of an hour") != std::string::npos);
  CHECK(period("from = \"09:05\"").find("quarter of an hour") != std::string::npos);
  CHECK(period("from = \"09:00\", to = \"09:00\"").find("empty") != std::string::npos);
  CHECK(period("days = []").find("at least one day") != std::string::npos);
  CHECK(period("days = [\"monday\"]").find("days") != std::string::npos);
  CHECK(error_of(base + "earlier = [{ until = 2026-02-01T00:00:00Z, input = 1, output = 2 }, "
                        "{ until = 2026-01-01T00:00:00Z, input = 1, output = 2 }]\n")
            .find("must be later") != std::string::npos);
}

TEST_CASE("a quota says when its windows begin, and a limit group which quotas are its own") {
  const auto quota = [](const std::string& window, const std::string& resets_at) {
    return "[quotas.q]\nlimit = 5\nwindow = \"" + window + "\"\nresets_at = \"" + resets_at +
           "\"\n";
  };
  const auto month = test::parse(quota("month", "day 15 09:30")).quotas[0];
  CHECK(month.anchor_day == 15);
  CHECK(month.anchor_time == std::chrono::minutes(9 * 60 + 30));
  CHECK(test::parse(quota("month", "00:00")).quotas[0].anchor_day == 1);
  const auto week = test::parse(quota("week", "sun 06:00")).quotas[0];
  CHECK(week.anchor_day == 7);
  CHECK(week.anchor_time == std::chrono::hours(6));
  CHECK(test::parse(quota("day", "00:00")).quotas[0].anchor_time == std::chrono::minutes(0));
  for (const auto& [window, wrong] : {std::pair{"day", "day 1"},
                                      {"day", "24:00"},
                                      {"day", "9"},
                                      {"week", "day 1"},
                                      {"week", "funday"},
                                      {"month", "mon"},
                                      {"month", "day 0"},
                                      {"month", "day 32"},
                                      {"month", "day"},
                                      {"hour", "00:15"},
                                      {"rolling 24h", "00:00"},
                                      {"total", "00:00"}}) {
    INFO(window << " " << wrong);
    CHECK(error_of(quota(window, wrong)).find("quotas.q.resets_at: ") != std::string::npos);
  }

  const std::string group = quota("day", "00:00") +
                            "[limit_groups.acct]\nquotas = [\"q\"]\n[providers.p]\n"
                            "type = \"deepseek\"\n[keys.k]\nprovider = \"p\"\nsecret = \"env:K\"\n";
  CHECK(test::parse(group + "limit_group = \"acct\"\n").limit_groups[0].quotas ==
        std::vector<std::string>{"q"});
  CHECK(error_of(group).find("limit_groups.acct: no key has limit_group = \"acct\"") !=
        std::string::npos);
}
