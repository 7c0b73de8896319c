#pragma once

// What Keyherd knows of each kind of provider: where its endpoints are, how it wants the
// credential, which probes prove a key and what its error answers mean. Data, one file a type in
// providers/; immutable after the first use, any thread.

#include <array>
#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/evidence.hpp"
#include "model/provider.hpp"
#include "model/verdict.hpp"

namespace keyherd::probe {

// What a successful answer says.
struct Reading {
  model::Verdict verdict = model::Verdict::server_error;
  std::string message;  // raw; empty when there is nothing to add to the verdict
  std::vector<model::Balance> balances;
  std::int64_t input_tokens = 0;  // cached ones included
  std::int64_t cached_input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::optional<model::NanoUsd> cost;        // as the provider states it
  std::optional<model::VerdictScope> scope;  // where it is not the verdict's own
};

// Reads the JSON of a 200. What is not the documented shape is server_error, never ok.
using Reader = Reading (*)(const nlohmann::json& body);

// One request that proves something.
struct Rung {
  std::string_view method = "GET";
  // Joined to base_url as it stands; "{model}" becomes the model's name.
  std::string_view path;
  // The path belongs to the host: a "/v1" at the end of base_url is left out.
  bool at_root = false;
  Reader read = nullptr;  // none: a 200 is nonsense here (auth by an empty body)
};

using model::StatusRange;
using Reset = model::RuleReset;

// As model::ErrorRule, of literals. First match wins.
struct Rule {
  model::Verdict verdict;
  std::vector<StatusRange> statuses;
  std::vector<std::string_view> codes;
  std::vector<std::string_view> texts;
  Reset reset = Reset::none;
  std::optional<model::VerdictScope> scope{};
};

// What a provider's balance is counted in where its answer does not say: by the host's ending.
struct CurrencyOfHost {
  std::string_view host_ending;
  std::string_view currency;
};

enum class ChatShape { openai, anthropic, gemini };

using model::LimitField;

struct ProviderType {
  std::string_view name;
  std::string_view auth_header = "Authorization";
  std::string_view auth_prefix = "Bearer ";
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::array<std::optional<Rung>, model::kProbeKindCount> rungs;  // by ProbeKind
  // Free probes that prove a key, best first.
  std::vector<model::ProbeKind> ladder;
  // Whether the balance probe also tells that the key can spend, so that it ends an exhaustion.
  bool balance_tells_spending = false;
  ChatShape shape = ChatShape::openai;
  LimitField limit_field = LimitField::automatic;
  bool disable_thinking = false;
  std::string_view chat_model;  // empty: the configuration must name one
  model::Price chat_price;      // of chat_model, where the configuration has none; 0: not known
  std::vector<CurrencyOfHost> currencies;
  // It keeps requests open when it is busy: a chat without an answer in time means no capacity.
  bool chat_timeout_is_overload = false;
  // A wait longer than this is a quota, not a rate.
  std::chrono::nanoseconds quota_after = std::chrono::hours(24);
  std::vector<Rule> rules;

  [[nodiscard]] const std::optional<Rung>& rung(model::ProbeKind kind) const {
    return rungs[static_cast<std::size_t>(kind)];
  }
};

// Null for a type this version cannot probe.
const ProviderType* find_provider_type(std::string_view name);

// The names that find_provider_type knows, sorted.
const std::vector<std::string>& supported_types();

// Whether the provider's probe settings can work for its type: error `invalid` naming what to
// change (unknown type, a method that the type does not have, chat without a model).
Status check_provider(const model::Provider& provider);

}  // namespace keyherd::probe
