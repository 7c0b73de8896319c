#pragma once

// What successful answers say, one reader per documented shape. A body of another shape is
// server_error: a page of a proxy or an empty object must never read as a good key or an empty
// purse. Inside this folder only.

#include "probe/provider_type.hpp"

namespace keyherd::probe {

// ISO 4217's code for "no currency": the answer names none.
inline constexpr std::string_view kNoCurrency = "XXX";

// {"data":[…]}, {"models":[…]}, or a bare list.
Reading read_model_list(const nlohmann::json& body);
// {"choices":[…],"usage":{…}}
Reading read_openai_chat(const nlohmann::json& body);
// {"type":"message","content":[…],"usage":{…}}
Reading read_anthropic_message(const nlohmann::json& body);
// {"candidates":[…],"usageMetadata":{…}}
Reading read_gemini_content(const nlohmann::json& body);

// DeepSeek: {"is_available":…,"balance_infos":[{"currency","total_balance"}]}
Reading read_deepseek_balance(const nlohmann::json& body);
// OpenRouter GET /key: {"data":{"limit_remaining":…}}
Reading read_openrouter_key(const nlohmann::json& body);
// Moonshot: {"status":true,"data":{"available_balance":…}}
Reading read_moonshot_balance(const nlohmann::json& body);
// SiliconFlow: {"code":20000,"data":{"totalBalance":"…"}}
Reading read_siliconflow_user(const nlohmann::json& body);
// new-api: {"data":{"total_available":…,"unlimited_quota":…}}
Reading read_newapi_token(const nlohmann::json& body);
// xAI GET /api-key: {"team_blocked","api_key_blocked","api_key_disabled"}
Reading read_xai_key(const nlohmann::json& body);
// LiteLLM GET /key/info: {"info":{"spend","max_budget","blocked"}}
Reading read_litellm_key(const nlohmann::json& body);

}  // namespace keyherd::probe
