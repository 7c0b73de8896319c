#include "usage/presets.hpp"

#include <algorithm>

namespace keyherd::usage {

namespace {

using enum Field;
using Rule = FilterText::Rule;
using Words = std::vector<FormatText::StatusWord>;

// What Python clients call their exceptions; gateways log the class, or its last word.
Words error_classes(Words more) {
  Words words{{"*RateLimitError", 429},
              {"*AuthenticationError", 401},
              {"*PermissionDeniedError", 403},
              {"*NotFoundError", 404},
              {"*BadRequestError", 400},
              {"*ContextWindowExceededError", 400},
              {"*ContentPolicyViolationError", 400},
              {"*ServiceUnavailableError", 503},
              {"*InternalServerError", 500},
              {"*APIConnectionError", 0},
              {"*Timeout", 408}};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

FormatText native() {
  FormatText text;
  for (std::size_t i = 0; i < kNativeFieldCount; ++i) {
    const auto field = static_cast<Field>(i);
    text.fields[field] = {"/" + std::string(to_string(field))};
  }
  return text;
}

// Where the text does not say otherwise.
void add_fields(FormatText& text, const std::map<Field, FormatText::Place>& fields) {
  text.fields.insert(fields.begin(), fields.end());
}

// What stands beside a captured /response.
FormatText capture(FormatText response) {
  add_fields(response, {{ts, {"/ts", "utc"}},
                        {key, {"/key | /key_alias"}},
                        {model, {"/response/model | /request/model"}},
                        {status, {"/status"}},
                        {latency_ms, {"/latency_ms"}},
                        {request_id, {"/response/id | /request_id"}},
                        {cost_usd, {"/cost_usd"}}});
  return response;
}

// Chat and Responses API. Some providers leave reasoning out of the completion (xAI, Gemini's
// OpenAI route): the total knows.
FormatText openai_capture() {
  return capture(
      {.fields = {{ts, {"/ts | /response/created | /response/created_at", "s"}},
                  {input_tokens, {"/response/usage/prompt_tokens | /response/usage/input_tokens"}},
                  {output_tokens,
                   {"/response/usage/total_tokens - /response/usage/prompt_tokens | "
                    "/response/usage/total_tokens - /response/usage/input_tokens | "
                    "/response/usage/completion_tokens | /response/usage/output_tokens"}},
                  {cached_input_tokens,
                   {"/response/usage/prompt_tokens_details/cached_tokens | "
                    "/response/usage/input_tokens_details/cached_tokens | "
                    "/response/usage/prompt_cache_hit_tokens | /response/usage/cached_tokens"}},
                  {cache_write_tokens,
                   {"/response/usage/prompt_tokens_details/cache_write_tokens | "
                    "/response/usage/input_tokens_details/cache_write_tokens"}},
                  {reasoning_tokens,
                   {"/response/usage/completion_tokens_details/reasoning_tokens | "
                    "/response/usage/output_tokens_details/reasoning_tokens"}},
                  {cost_usd, {"/cost_usd | /response/usage/cost"}}}});
}

// input_tokens leaves out what was read from or written to the cache.
FormatText anthropic_capture() {
  return capture(
      {.fields = {{input_tokens,
                   {"/response/usage/input_tokens + /response/usage/cache_read_input_tokens + "
                    "/response/usage/cache_creation_input_tokens"}},
                  {output_tokens, {"/response/usage/output_tokens"}},
                  {cached_input_tokens, {"/response/usage/cache_read_input_tokens"}},
                  {cache_write_tokens, {"/response/usage/cache_creation_input_tokens"}}}});
}

// Thoughts are apart from the candidates, tool results apart from the prompt. An answer cut off
// while it was thinking has no candidates at all.
FormatText gemini_capture() {
  return capture(
      {.fields = {{model, {"/response/modelVersion | /model | /request/model"}},
                  {input_tokens,
                   {"/response/usageMetadata/promptTokenCount + "
                    "/response/usageMetadata/toolUsePromptTokenCount"}},
                  {output_tokens,
                   {"/response/usageMetadata/candidatesTokenCount + "
                    "/response/usageMetadata/thoughtsTokenCount | "
                    "/response/usageMetadata/thoughtsTokenCount"}},
                  {cached_input_tokens, {"/response/usageMetadata/cachedContentTokenCount"}},
                  {reasoning_tokens, {"/response/usageMetadata/thoughtsTokenCount"}},
                  {request_id, {"/response/responseId | /request_id"}}}});
}

// What LiteLLM answered from its own cache reached no provider.
FormatText litellm(FormatText text) {
  add_fields(text, {{ts, {"/endTime | /startTime", "s"}},
                    {started_at, {"/startTime", "s"}},
                    {model, {"/model | /model_group"}},
                    {input_tokens, {"/prompt_tokens"}},
                    {output_tokens, {"/completion_tokens"}},
                    {cached_input_tokens,
                     {"/metadata/usage_object/prompt_tokens_details/cached_tokens | "
                      "/metadata/usage_object/cache_read_input_tokens"}},
                    {cache_write_tokens, {"/metadata/usage_object/cache_creation_input_tokens"}}});
  text.status_words = error_classes({{"success", 200}, {"failure", 500}});
  text.filters = {{Rule::except, "/cache_hit", {"true"}}};
  return text;
}

// Not by trace_id: several requests share one.
FormatText litellm_slp() {
  return litellm(
      {.fields = {
           {key, {"/metadata/user_api_key_hash | /metadata/user_api_key_alias | /model_id"}},
           {reasoning_tokens,
            {"/metadata/usage_object/completion_tokens_details/reasoning_tokens"}},
           {status, {"/error_information/error_code | /error_information/error_class | /status"}},
           {latency_ms, {"/response_time", "s"}},
           {request_id, {"/id"}},
           {cost_usd, {"/response_cost"}}}});
}

FormatText litellm_spendlogs() {
  return litellm(
      {.fields = {{key, {"/api_key | /metadata/user_api_key_alias | /model_id"}},
                  {status,
                   {"/metadata/error_information/error_code | "
                    "/metadata/error_information/error_class | /status | /metadata/status"}},
                  {request_id, {"/request_id"}},
                  {cost_usd, {"/spend"}}}});
}

FormatText portkey_export() {
  return {.fields = {{ts, {"/created_at", "utc"}},
                     {key, {"/virtual_key | /api_key_id"}},
                     {model, {"/ai_model"}},
                     {input_tokens, {"/req_units"}},
                     {output_tokens, {"/res_units"}},
                     {status, {"/response_status_code | /is_success"}},
                     {latency_ms, {"/response_time", "ms"}},
                     {request_id, {"/id"}},
                     {cost_usd, {"/cost", "cent"}}},
          .status_words = {{"1", 200}, {"true", 200}, {"0", 500}, {"false", 500}},
          .filters = {{Rule::except, "/cache_status", {"*HIT"}}}};
}

FormatText helicone() {
  return {.fields = {{ts, {"/request_created_at", "utc"}},
                     {key, {"/request_properties/key_alias | /helicone_user"}},
                     {model, {"/response_model | /request_model"}},
                     {input_tokens, {"/prompt_tokens"}},
                     {output_tokens, {"/completion_tokens"}},
                     {cached_input_tokens, {"/prompt_cache_read_tokens"}},
                     {cache_write_tokens, {"/prompt_cache_write_tokens"}},
                     {status, {"/response_status"}},
                     {latency_ms, {"/delay_ms"}},
                     {request_id, {"/request_id"}},
                     {cost_usd, {"/cost | /costUSD"}}}};
}

// Native tokens are what the upstream counted and billed. latency is up to the first token.
FormatText openrouter_generation() {
  return {
      .fields = {{ts, {"/data/created_at", "utc"}},
                 {key, {"/key | /data/external_user"}},
                 {model, {"/data/model"}},
                 {input_tokens, {"/data/native_tokens_prompt | /data/tokens_prompt"}},
                 {output_tokens, {"/data/native_tokens_completion | /data/tokens_completion"}},
                 {cached_input_tokens, {"/data/native_tokens_cached"}},
                 {reasoning_tokens, {"/data/native_tokens_reasoning"}},
                 {latency_ms, {"/data/latency + /data/generation_time | /data/generation_time"}},
                 {request_id, {"/data/id"}},
                 {cost_usd, {"/data/total_cost | /data/usage"}}}};
}

// Spans of OpenTelemetry's conventions for generative AI. Spans of agents and tools sum up what
// their calls' spans say already.
FormatText otel(FormatText around) {
  add_fields(
      around,
      {{model, {"/attributes/gen_ai.response.model | /attributes/gen_ai.request.model"}},
       {input_tokens,
        {"/attributes/gen_ai.usage.input_tokens | /attributes/gen_ai.usage.prompt_tokens"}},
       {output_tokens,
        {"/attributes/gen_ai.usage.output_tokens | /attributes/gen_ai.usage.completion_tokens"}},
       {cached_input_tokens, {"/attributes/gen_ai.usage.cache_read.input_tokens"}},
       {cache_write_tokens, {"/attributes/gen_ai.usage.cache_creation.input_tokens"}},
       {reasoning_tokens, {"/attributes/gen_ai.usage.reasoning.output_tokens"}},
       {status, {"/attributes/error.type | /attributes/http.response.status_code | /status/code"}},
       {cost_usd, {"/attributes/gen_ai.usage.cost"}}});
  around.status_words = error_classes({{"timeout", 408},
                                       {"0", 200},
                                       {"1", 200},
                                       {"2", 500},
                                       {"*UNSET", 200},
                                       {"*OK", 200},
                                       {"*", 500}});
  around.filters = {
      {Rule::only, "/attributes/gen_ai.response.model | /attributes/gen_ai.request.model", {"*"}},
      {Rule::if_present,
       "/attributes/gen_ai.operation.name",
       {"chat", "text_completion", "generate_content", "embeddings"}}};
  return around;
}

// Not by traceId: several spans share one.
FormatText otlp_json() {
  return otel({.fields = {{ts, {"/endTimeUnixNano", "ns"}},
                          {started_at, {"/startTimeUnixNano", "ns"}},
                          {key,
                           {"/attributes/keyherd.key | /attributes/api_key.name | "
                            "/attributes/ai.telemetry.metadata.keyAlias | "
                            "^/resource/attributes/keyherd.key | /attributes/user.id"}},
                          {request_id, {"/attributes/gen_ai.response.id | /spanId"}}},
               .records = "/resourceSpans/*/scopeSpans/*/spans/*",
               .attribute_lists = true});
}

FormatText otel_flat() {
  return otel({.fields = {{ts, {"/timestamp | /end_time", "utc"}},
                          {key,
                           {"/attributes/keyherd.key | /attributes/api_key.name | "
                            "/resource/keyherd.key | /attributes/user.id"}},
                          {latency_ms, {"/duration_ms"}},
                          {request_id, {"/attributes/gen_ai.response.id | /span_id"}}}});
}

// response_code 0: the client went away before there was an answer. Only POST costs tokens.
FormatText envoy(FormatText::Place whose, FormatText::Place which) {
  return {.fields = {{ts, {"/start_time", "utc"}},
                     {key, std::move(whose)},
                     {model, std::move(which)},
                     {status, {"/response_code"}},
                     {latency_ms, {"/duration", "ms"}},
                     {request_id, {"/x-request-id | /request_id"}}},
          .status_words = {{"0", 499}},
          .filters = {{Rule::if_present, "/method", {"POST"}}}};
}

FormatText envoy_ai_gateway() {
  FormatText text = envoy({"/api_key_id | /genai_backend_name"},
                          {"/genai_model_name | /genai_model_name_override"});
  text.fields[input_tokens] = {"/genai_tokens_input"};
  text.fields[output_tokens] = {"/genai_tokens_output"};
  return text;
}

FormatText envoy_json() {
  return envoy({"/api_key_id | /key_id | /key"}, {"/model"});
}

// All values are strings. Tokens only where a script puts them there.
FormatText nginx_json() {
  return {.fields = {{ts, {"/time_iso8601 | /msec", "s"}},
                     {key, {"/key_id | /key"}},
                     {model, {"/model"}},
                     {input_tokens, {"/prompt_tokens"}},
                     {output_tokens, {"/completion_tokens"}},
                     {status, {"/status"}},
                     {latency_ms, {"/request_time", "s"}},
                     {request_id, {"/request_id | /upstream_http_x_request_id"}},
                     {cost_usd, {"/upstream_http_x_litellm_response_cost"}}},
          .filters = {{Rule::if_present, "/request_method", {"POST"}}}};
}

// ai.generateText and its .doGenerate both say what was used; only the latter is one request.
FormatText vercel_ai_sdk() {
  return {
      .fields =
          {{ts, {"/timestamp | /end_time", "utc"}},
           {key,
            {"/attributes/ai.telemetry.metadata.keyAlias | "
             "/attributes/ai.telemetry.metadata.key | /attributes/keyherd.key"}},
           {model,
            {"/attributes/ai.response.model | /attributes/gen_ai.response.model | "
             "/attributes/ai.model.id | /attributes/gen_ai.request.model"}},
           {input_tokens,
            {"/attributes/gen_ai.usage.input_tokens | /attributes/ai.usage.inputTokens | "
             "/attributes/ai.usage.promptTokens | /attributes/gen_ai.usage.prompt_tokens | "
             "/attributes/ai.usage.tokens"}},
           {output_tokens,
            {"/attributes/gen_ai.usage.output_tokens | /attributes/ai.usage.outputTokens | "
             "/attributes/ai.usage.completionTokens | /attributes/gen_ai.usage.completion_tokens"}},
           {cached_input_tokens, {"/attributes/ai.usage.cachedInputTokens"}},
           {reasoning_tokens, {"/attributes/ai.usage.reasoningTokens"}},
           {status, {"/status/code | /status"}},
           {latency_ms, {"/duration_ms | /attributes/ai.response.msToFinish"}},
           {request_id,
            {"/attributes/ai.response.id | /attributes/gen_ai.response.id | /span_id"}}},
      .status_words =
          {{"0", 200}, {"1", 200}, {"2", 500}, {"*UNSET", 200}, {"*OK", 200}, {"*ERROR", 500}},
      .filters = {{Rule::only,
                   "/attributes/ai.operationId | /name",
                   {"*.doGenerate", "*.doStream", "*.doEmbed"}}}};
}

// Chains and tools sum up the runs below them; a pending run is written again when it ends.
FormatText langsmith_run() {
  return {.fields = {{ts, {"/end_time | /start_time", "utc"}},
                     {started_at, {"/start_time", "utc"}},
                     {key, {"/extra/metadata/key_alias | /extra/metadata/keyherd_key"}},
                     {model, {"/extra/metadata/ls_model_name | /name"}},
                     {input_tokens, {"/prompt_tokens"}},
                     {output_tokens, {"/completion_tokens"}},
                     {status, {"/status"}},
                     {request_id, {"/id"}},
                     {cost_usd, {"/total_cost"}}},
          .status_words = {{"success", 200}, {"error", 500}},
          .filters = {{Rule::only, "/run_type", {"llm"}}, {Rule::except, "/status", {"pending"}}}};
}

// type 2 is consumption, 5 an error; the others are top-ups and administration.
FormatText newapi_log() {
  return {.fields = {{ts, {"/created_at", "s"}},
                     {key, {"/token_name | /token_id"}},
                     {model, {"/model_name"}},
                     {input_tokens, {"/prompt_tokens"}},
                     {output_tokens, {"/completion_tokens"}},
                     {status, {"/type"}},
                     {latency_ms, {"/use_time", "s"}},
                     {request_id, {"/request_id"}},
                     {cost_usd, {"/quota", "newapi_quota"}}},
          .status_words = {{"2", 200}, {"5", 500}},
          .filters = {{Rule::only, "/type", {"2", "5"}}}};
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> kPresets{
      {"keyherd", "", "the native format", native()},
      {"openai_capture", "", "captured answers of OpenAI's shape: DeepSeek, xAI, Moonshot, …",
       openai_capture()},
      {"anthropic_capture", "", "captured answers of Anthropic", anthropic_capture()},
      {"gemini_capture", "", "captured answers of Gemini's own API", gemini_capture()},
      {"litellm_slp", "litellm", "LiteLLM's StandardLoggingPayload (generic_api, file)",
       litellm_slp()},
      {"litellm_spendlogs", "", "rows of LiteLLM's /spend/logs", litellm_spendlogs()},
      {"portkey_export", "", "Portkey's log export", portkey_export()},
      {"helicone", "", "Helicone's request records", helicone()},
      {"openrouter_generation", "", "OpenRouter's /generation answers, with `key` added",
       openrouter_generation()},
      {"otlp_json", "otel", "OTLP JSON: the collector's file exporter, OpenRouter Broadcast",
       otlp_json()},
      {"otel_flat", "", "OpenTelemetry spans with attributes as an object", otel_flat()},
      {"envoy_ai_gateway", "", "Envoy AI Gateway's access log", envoy_ai_gateway()},
      {"envoy_json", "", "Envoy's access log as JSON", envoy_json()},
      {"nginx_json", "", "nginx's access log with escape=json", nginx_json()},
      {"vercel_ai_sdk", "", "spans of the Vercel AI SDK", vercel_ai_sdk()},
      {"langsmith_run", "", "LangSmith runs", langsmith_run()},
      {"newapi_log", "", "log rows of new-api and one-api", newapi_log()},
  };
  return kPresets;
}

const Preset* find_preset(std::string_view name) {
  const auto& all = presets();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Preset& preset) {
    return preset.name == name || (!preset.alias.empty() && preset.alias == name);
  });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    names.emplace_back(preset.name);
    if (!preset.alias.empty())
      names.emplace_back(preset.alias);
  }
  return names;
}

}  // namespace keyherd::usage
