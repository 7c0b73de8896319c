#include "probe/readers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "probe/json_path.hpp"

namespace keyherd::probe {
namespace {

using model::Verdict;
using nlohmann::json;

Reading not_understood(std::string_view expected) {
  Reading reading;
  reading.message = "a 200 without " + std::string(expected);
  return reading;
}

Reading good() {
  Reading reading;
  reading.verdict = Verdict::ok;
  return reading;
}

Reading refused(Verdict verdict, std::string_view message,
                std::optional<model::VerdictScope> scope = std::nullopt) {
  Reading reading;
  reading.verdict = verdict;
  reading.scope = scope;
  reading.message = message;
  return reading;
}

bool holds_list(const json& body, std::string_view pointer) {
  const json* list = find(body, pointer);
  return list != nullptr && list->is_array();
}

bool holds_items(const json& body, std::string_view pointer) {
  return holds_list(body, pointer) && !find(body, pointer)->empty();
}

std::int64_t count_or_zero(const json& body, std::string_view pointer) {
  return as_count(find(body, pointer)).value_or(0);
}

bool is_currency(std::string_view code) {
  return code.size() == 3 &&
         std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// Adds the balance and decides by its sign.
Reading by_balance(std::string currency, std::int64_t nanos) {
  Reading reading = good();
  reading.balances.push_back({std::move(currency), nanos});
  if (nanos <= 0) {
    reading.verdict = Verdict::balance_exhausted;
    reading.message = "the balance is used up";
  }
  return reading;
}

}  // namespace

Reading read_model_list(const json& body) {
  if (holds_list(body, "/data") || holds_list(body, "/models") || body.is_array())
    return good();
  return not_understood("a list of models");
}

Reading read_openai_chat(const json& body) {
  const auto input = as_count(find(body, "/usage/prompt_tokens"));
  const auto output = as_count(find(body, "/usage/completion_tokens"));
  if (!holds_items(body, "/choices"))
    return not_understood("choices");
  if (!input || !output)
    return not_understood("token counts");
  Reading reading = good();
  reading.input_tokens = *input;
  reading.output_tokens = *output;
  reading.cached_input_tokens =
      std::min(*input, std::max(count_or_zero(body, "/usage/prompt_tokens_details/cached_tokens"),
                                count_or_zero(body, "/usage/prompt_cache_hit_tokens")));
  reading.cost = as_nanos(find(body, "/usage/cost"));
  if (reading.cost && *reading.cost < 0)
    reading.cost.reset();
  return reading;
}

Reading read_anthropic_message(const json& body) {
  const auto fresh = as_count(find(body, "/usage/input_tokens"));
  const auto output = as_count(find(body, "/usage/output_tokens"));
  if (!holds_list(body, "/content"))
    return not_understood("content");
  if (!fresh || !output)
    return not_understood("token counts");
  Reading reading = good();
  reading.cached_input_tokens = count_or_zero(body, "/usage/cache_read_input_tokens");
  const auto written = count_or_zero(body, "/usage/cache_creation_input_tokens");
  reading.input_tokens =
      model::saturating_add(*fresh, model::saturating_add(reading.cached_input_tokens, written));
  reading.output_tokens = *output;
  return reading;
}

Reading read_gemini_content(const json& body) {
  // With one token of room a thinking model may return no candidate text: the counts tell.
  const auto input = as_count(find(body, "/usageMetadata/promptTokenCount"));
  if (!input)
    return not_understood("token counts");
  if (!holds_items(body, "/candidates"))
    return not_understood("candidates");
  Reading reading = good();
  reading.input_tokens = *input;
  reading.cached_input_tokens =
      std::min(*input, count_or_zero(body, "/usageMetadata/cachedContentTokenCount"));
  reading.output_tokens =
      model::saturating_add(count_or_zero(body, "/usageMetadata/candidatesTokenCount"),
                            count_or_zero(body, "/usageMetadata/thoughtsTokenCount"));
  return reading;
}

Reading read_deepseek_balance(const json& body) {
  const auto available = as_bool(find(body, "/is_available"));
  if (!available || !holds_items(body, "/balance_infos"))
    return not_understood("a balance");
  Reading reading = good();
  bool in_debt = true;
  for (const json& entry : *find(body, "/balance_infos")) {
    const auto currency = as_text(find(entry, "/currency"));
    const auto total = as_nanos(find(entry, "/total_balance"));
    if (!currency || !is_currency(*currency) || !total)
      return not_understood("a balance");
    in_debt = in_debt && *total < 0;
    reading.balances.push_back({*currency, *total});
  }
  if (!*available) {
    reading.verdict = Verdict::balance_exhausted;
    reading.message = "the provider says that the balance does not suffice for a call";
  } else if (in_debt) {  // available and below zero: the answer contradicts itself
    return not_understood("a balance that makes sense");
  }
  return reading;
}

Reading read_openrouter_key(const json& body) {
  const json* data = find(body, "/data");
  const json* remaining = find(body, "/data/limit_remaining");
  if (data == nullptr || !data->is_object() || remaining == nullptr)
    return not_understood("the key's limit");
  if (remaining->is_null())
    return good();
  const auto nanos = as_nanos(remaining);
  if (!nanos)
    return not_understood("the key's limit");
  Reading reading = by_balance("USD", *nanos);
  if (reading.verdict != Verdict::ok) {
    reading.verdict = Verdict::quota_exhausted;  // the key's own cap, not the account's money
    reading.message = "the key's spending limit is used up";
    reading.scope = model::VerdictScope::key;
  }
  return reading;
}

Reading read_moonshot_balance(const json& body) {
  const auto nanos = as_nanos(find(body, "/data/available_balance"));
  if (!nanos || !as_bool(find(body, "/status")).value_or(false))
    return not_understood("a balance");
  return by_balance(std::string(kNoCurrency), *nanos);
}

Reading read_siliconflow_user(const json& body) {
  // The HTTP status is 200 for business errors too; 20000 is success.
  const auto nanos = as_nanos(find(body, "/data/totalBalance"));
  if (as_count(find(body, "/code")).value_or(0) != 20'000 || !nanos)
    return not_understood("a balance");
  return by_balance(std::string(kNoCurrency), *nanos);
}

Reading read_newapi_token(const json& body) {
  const auto unlimited = as_bool(find(body, "/data/unlimited_quota"));
  const auto available = as_nanos(find(body, "/data/total_available"));
  if (!unlimited || !available)
    return not_understood("the token's quota");
  if (*unlimited || *available > 0)
    return good();
  return refused(Verdict::quota_exhausted, "the token's quota is used up",
                 model::VerdictScope::key);
}

Reading read_xai_key(const json& body) {
  const auto team_blocked = as_bool(find(body, "/team_blocked"));
  const auto key_blocked = as_bool(find(body, "/api_key_blocked"));
  const auto key_disabled = as_bool(find(body, "/api_key_disabled"));
  if (!team_blocked || !key_blocked || !key_disabled)
    return not_understood("the key's flags");
  if (*team_blocked)
    return refused(Verdict::account_disabled, "the team is blocked");
  if (*key_blocked)
    return refused(Verdict::disabled_key, "the key is blocked");
  if (*key_disabled)
    return refused(Verdict::disabled_key, "the key is disabled");
  return good();
}

Reading read_litellm_key(const json& body) {
  const json* info = find(body, "/info");
  const auto spend = as_nanos(find(body, "/info/spend"));
  if (info == nullptr || !info->is_object() || !spend)
    return not_understood("the key's spend");
  if (as_bool(find(body, "/info/blocked")).value_or(false))
    return refused(Verdict::disabled_key, "the key is blocked");
  const auto budget = as_nanos(find(body, "/info/max_budget"));
  if (budget && *spend >= *budget)
    return refused(Verdict::quota_exhausted, "the key's budget is used up",
                   model::VerdictScope::key);
  return good();
}

}  // namespace keyherd::probe
