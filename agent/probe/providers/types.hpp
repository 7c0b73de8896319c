#pragma once

// The provider types, one file each. A new one is a file here, a line in this header and one in the
// table of provider_type.cpp. Inside this folder only.

#include "probe/provider_type.hpp"

namespace keyherd::probe {

const ProviderType& anthropic_type();
const ProviderType& azure_type();
const ProviderType& dashscope_type();
const ProviderType& deepseek_type();
const ProviderType& gemini_type();
const ProviderType& groq_type();
const ProviderType& litellm_type();
const ProviderType& mistral_type();
const ProviderType& moonshot_type();
const ProviderType& newapi_type();
const ProviderType& openai_compat_type();
const ProviderType& openai_type();
const ProviderType& openrouter_type();
const ProviderType& siliconflow_type();
const ProviderType& xai_type();
const ProviderType& zhipu_type();

// A list price, in USD per million tokens.
model::Price usd_per_million(double input, double cached_input, double cache_write, double output);

// A type that speaks the OpenAI API: models, chat, and auth by an empty chat request.
ProviderType openai_shaped(std::string_view name);

}  // namespace keyherd::probe
