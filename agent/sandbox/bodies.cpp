#include "sandbox/bodies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace keyherd::sandbox {
namespace {

using nlohmann::json;

// One error in the four dialects: what differs between providers is a column each.
struct OpenAiError {
  int status;
  std::string message;
  std::string_view type;
  json code = nullptr;
};
struct AnthropicError {
  int status;
  std::string_view type;
  std::string message;
};
struct GeminiError {
  int code;
  std::string_view status;
  std::string message;
  json details = json::array();
};

Reply error(const OpenAiError& text) {
  Reply reply;
  reply.status = text.status;
  reply.body = dump_json({{"error",
                           {{"message", text.message},
                            {"type", text.type},
                            {"param", nullptr},
                            {"code", text.code}}}});
  return reply;
}

Reply error(const AnthropicError& text) {
  Reply reply;
  reply.status = text.status;
  reply.body = dump_json({{"type", "error"},
                          {"error", {{"type", text.type}, {"message", text.message}}},
                          {"request_id", "req_sandbox"}});
  return reply;
}

Reply error(const GeminiError& text) {
  Reply reply;
  reply.status = text.code;
  reply.body = dump_json({{"error",
                           {{"code", text.code},
                            {"message", text.message},
                            {"status", text.status},
                            {"details", text.details}}}});
  return reply;
}

// Providers echo the last four characters of what they were sent.
std::string masked(std::string_view token) {
  return "****" + std::string(token.size() > 8 ? token.substr(token.size() - 4) : "");
}

json openai_usage(Dialect dialect, const Completion& done) {
  json usage = {{"prompt_tokens", done.input_tokens},
                {"completion_tokens", done.output_tokens},
                {"total_tokens", done.input_tokens + done.output_tokens}};
  if (dialect == Dialect::deepseek) {
    usage["prompt_cache_hit_tokens"] = done.cached_tokens;
    usage["prompt_cache_miss_tokens"] = done.input_tokens - done.cached_tokens;
  } else {
    usage["prompt_tokens_details"] = {{"cached_tokens", done.cached_tokens}};
  }
  return usage;
}

json openai_completion(Dialect dialect, const Completion& done) {
  return {{"id", "chatcmpl-sandbox-" + std::to_string(done.number)},
          {"object", "chat.completion"},
          {"model", done.model},
          {"choices", json::array({{{"index", 0},
                                    {"message", {{"role", "assistant"}, {"content", "pong"}}},
                                    {"finish_reason", "stop"}}})},
          {"usage", openai_usage(dialect, done)}};
}

json anthropic_message(const Completion& done) {
  return {{"id", "msg_sandbox_" + std::to_string(done.number)},
          {"type", "message"},
          {"role", "assistant"},
          {"model", done.model},
          {"content", json::array({{{"type", "text"}, {"text", "pong"}}})},
          {"stop_reason", "end_turn"},
          {"usage",
           {{"input_tokens", done.input_tokens - done.cached_tokens},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", done.cached_tokens},
            {"output_tokens", done.output_tokens}}}};
}

json gemini_content(const Completion& done) {
  return {
      {"candidates",
       json::array({{{"content", {{"role", "model"}, {"parts", json::array({{{"text", "pong"}}})}}},
                     {"finishReason", "STOP"},
                     {"index", 0}}})},
      {"modelVersion", done.model},
      {"usageMetadata",
       {{"promptTokenCount", done.input_tokens},
        {"cachedContentTokenCount", done.cached_tokens},
        {"candidatesTokenCount", done.output_tokens},
        {"totalTokenCount", done.input_tokens + done.output_tokens}}}};
}

json google_quota_failure(std::string_view quota_id, std::int64_t retry_seconds) {
  return json::array({{{"@type", "type.googleapis.com/google.rpc.QuotaFailure"},
                       {"violations", json::array({{{"quotaId", quota_id}}})}},
                      {{"@type", "type.googleapis.com/google.rpc.RetryInfo"},
                       {"retryDelay", std::to_string(retry_seconds) + "s"}}});
}

Reply server_fault(Dialect dialect, int status, bool overloaded) {
  const std::string message =
      overloaded ? "The server is overloaded, please try again later." : "Internal server error";
  switch (dialect) {
    case Dialect::openai:
    case Dialect::deepseek:
      return error(overloaded ? OpenAiError{status, message, "service_unavailable_error",
                                            "server_is_overloaded"}
                              : OpenAiError{status, message, "server_error"});
    case Dialect::anthropic:
      return error(AnthropicError{status, overloaded ? "overloaded_error" : "api_error", message});
    case Dialect::gemini:
      return error(GeminiError{status, overloaded ? "UNAVAILABLE" : "INTERNAL", message});
  }
  return {};
}

}  // namespace

Reply model_list(Dialect dialect, const std::vector<std::string>& models) {
  json list = json::array();
  for (const std::string& model : models) {
    if (dialect == Dialect::gemini)
      list.push_back({{"name", "models/" + model}});
    else if (dialect == Dialect::anthropic)
      list.push_back({{"type", "model"}, {"id", model}, {"display_name", model}});
    else
      list.push_back({{"id", model}, {"object", "model"}, {"owned_by", "sandbox"}});
  }
  Reply reply;
  if (dialect == Dialect::gemini)
    reply.body = dump_json({{"models", std::move(list)}});
  else if (dialect == Dialect::anthropic)
    reply.body = dump_json({{"data", std::move(list)}, {"has_more", false}});
  else
    reply.body = dump_json({{"object", "list"}, {"data", std::move(list)}});
  return reply;
}

Reply balance_info(double balance, std::string_view currency) {
  const std::string total = fmt::format("{:.2f}", balance);
  Reply reply;
  reply.body = dump_json({{"is_available", balance > 0},
                          {"balance_infos", json::array({{{"currency", currency},
                                                          {"total_balance", total},
                                                          {"granted_balance", "0.00"},
                                                          {"topped_up_balance", total}}})}});
  return reply;
}

Reply completion(Dialect dialect, const Completion& done) {
  Reply reply;
  switch (dialect) {
    case Dialect::openai:
    case Dialect::deepseek:
      reply.body = dump_json(openai_completion(dialect, done));
      break;
    case Dialect::anthropic:
      reply.body = dump_json(anthropic_message(done));
      break;
    case Dialect::gemini:
      reply.body = dump_json(gemini_content(done));
      break;
  }
  return reply;
}

void add_rate_limit(Dialect dialect, std::int64_t limit, std::int64_t remaining, Reply& reply) {
  const auto add = [&](std::string_view prefix, std::string_view suffix) {
    const auto name = [&](std::string_view part) {
      return std::string(prefix) + std::string(part) + std::string(suffix);
    };
    reply.headers.emplace_back(name("limit"), std::to_string(limit));
    reply.headers.emplace_back(name("remaining"), std::to_string(remaining));
  };
  switch (dialect) {
    case Dialect::openai:
      return add("x-ratelimit-", "-requests");
    case Dialect::anthropic:
      return add("anthropic-ratelimit-requests-", "");
    case Dialect::deepseek:
    case Dialect::gemini:
      return;  // they state none
  }
}

Reply invalid_key(Dialect dialect, std::string_view token) {
  switch (dialect) {
    case Dialect::openai:
      return error(OpenAiError{401, "Incorrect API key provided: " + masked(token) + ".",
                               "invalid_request_error", "invalid_api_key"});
    case Dialect::deepseek:
      return error(
          OpenAiError{401, "Authentication Fails, Your api key: " + masked(token) + " is invalid",
                      "authentication_error", "invalid_request_error"});
    case Dialect::anthropic:
      return error(AnthropicError{401, "authentication_error", "invalid x-api-key"});
    case Dialect::gemini:
      return error(GeminiError{400, "INVALID_ARGUMENT",
                               "API key not valid. Please pass a valid API key.",
                               json::array({{{"@type", "type.googleapis.com/google.rpc.ErrorInfo"},
                                             {"reason", "API_KEY_INVALID"},
                                             {"domain", "googleapis.com"}}})});
  }
  return {};
}

Reply disabled_key(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai:
      return error(OpenAiError{401, "This API key has been disabled.", "invalid_request_error"});
    case Dialect::deepseek:
      return error(OpenAiError{401, "Authentication Fails, Your api key is disabled",
                               "authentication_error", "invalid_request_error"});
    case Dialect::anthropic:
      return error(AnthropicError{401, "authentication_error", "This API key has been disabled."});
    case Dialect::gemini:
      return error(GeminiError{403, "PERMISSION_DENIED",
                               "Your API key was reported as leaked. Please use another API key."});
  }
  return {};
}

Reply no_balance(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai:
      return error(OpenAiError{429,
                               "You exceeded your current quota, please check your plan and "
                               "billing details.",
                               "insufficient_quota", "insufficient_quota"});
    case Dialect::deepseek:
      return error(
          OpenAiError{402, "Insufficient Balance", "unknown_error", "invalid_request_error"});
    case Dialect::anthropic:
      return error(AnthropicError{400, "invalid_request_error",
                                  "Your credit balance is too low to access the Anthropic API. "
                                  "Please go to Plans & Billing to upgrade or purchase credits."});
    case Dialect::gemini:
      return error(GeminiError{402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."});
  }
  return {};
}

Reply throttled(Dialect dialect, std::chrono::nanoseconds retry_after) {
  const std::int64_t seconds =
      std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(retry_after).count());
  if (dialect == Dialect::gemini)  // in the body alone
    return error(
        GeminiError{429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.",
                    google_quota_failure("GenerateRequestsPerMinutePerProjectPerModel", seconds)});
  Reply reply;
  if (dialect == Dialect::anthropic)
    reply = error(AnthropicError{429, "rate_limit_error",
                                 "This request would exceed your organization's rate limit."});
  else
    reply = error(
        OpenAiError{429, "Rate limit reached, please slow down.", "requests",
                    dialect == Dialect::openai ? json("rate_limit_exceeded") : json(nullptr)});
  reply.headers.emplace_back("Retry-After", std::to_string(seconds));
  return reply;
}

Reply unknown_model(Dialect dialect, std::string_view model) {
  switch (dialect) {
    case Dialect::openai:
      return error(OpenAiError{
          404,
          "The model `" + std::string(model) + "` does not exist or you do not have access to it.",
          "invalid_request_error", "model_not_found"});
    case Dialect::deepseek:
      return error(
          OpenAiError{400, "Model Not Exist", "invalid_request_error", "invalid_request_error"});
    case Dialect::anthropic:
      return error(AnthropicError{404, "not_found_error", "model: " + std::string(model)});
    case Dialect::gemini:
      return error(
          GeminiError{404, "NOT_FOUND", "models/" + std::string(model) + " is not found."});
  }
  return {};
}

Reply malformed(Dialect dialect, std::string_view what) {
  switch (dialect) {
    case Dialect::openai:
      return error(OpenAiError{400, std::string(what), "invalid_request_error"});
    case Dialect::deepseek:
      return error(OpenAiError{422, std::string(what), "invalid_request_error"});
    case Dialect::anthropic:
      return error(AnthropicError{400, "invalid_request_error", std::string(what)});
    case Dialect::gemini:
      return error(GeminiError{400, "INVALID_ARGUMENT", std::string(what)});
  }
  return {};
}

Reply outage_reply(Dialect dialect, Outage mode, std::string_view token) {
  switch (mode) {
    case Outage::none:
      break;
    case Outage::error_500:
      return server_fault(dialect, 500, false);
    case Outage::error_503:
      return server_fault(dialect, 503, true);
    case Outage::error_529:
      return server_fault(dialect, 529, true);
    case Outage::unauthorized:
      return invalid_key(dialect, token);
    case Outage::hang: {
      // What is said when the wait is over after all.
      Reply reply = server_fault(dialect, 504, false);
      reply.hangs = true;
      return reply;
    }
    case Outage::drop: {
      Reply reply;
      reply.drops = true;
      return reply;
    }
  }
  return {};
}

}  // namespace keyherd::sandbox
