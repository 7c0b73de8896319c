#include "sandbox/bodies.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace keyherd::sandbox {
namespace {

using nlohmann::json;

struct ErrorText {
  std::string message;
  std::string_view type;
  json code = nullptr;
};

Reply error(int status, const ErrorText& text) {
  Reply reply;
  reply.status = status;
  reply.body = dump_json({{"error",
                           {{"message", text.message},
                            {"type", text.type},
                            {"param", nullptr},
                            {"code", text.code}}}});
  return reply;
}

// Providers echo the last four characters of what they were sent.
std::string masked(std::string_view token) {
  return "****" + std::string(token.size() > 8 ? token.substr(token.size() - 4) : "");
}

}  // namespace

Reply model_list(const std::vector<std::string>& models) {
  json data = json::array();
  for (const std::string& model : models)
    data.push_back({{"id", model}, {"object", "model"}, {"owned_by", "sandbox"}});
  Reply reply;
  reply.body = dump_json({{"object", "list"}, {"data", std::move(data)}});
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
  json usage = {{"prompt_tokens", done.input_tokens},
                {"completion_tokens", done.output_tokens},
                {"total_tokens", done.input_tokens + done.output_tokens}};
  switch (dialect) {
    case Dialect::openai:
      usage["prompt_tokens_details"] = {{"cached_tokens", done.cached_tokens}};
      break;
    case Dialect::deepseek:
      usage["prompt_cache_hit_tokens"] = done.cached_tokens;
      usage["prompt_cache_miss_tokens"] = done.input_tokens - done.cached_tokens;
      break;
  }
  Reply reply;
  reply.body = dump_json(
      {{"id", "chatcmpl-sandbox-" + std::to_string(done.number)},
       {"object", "chat.completion"},
       {"model", done.model},
       {"choices", json::array({{{"index", 0},
                                 {"message", {{"role", "assistant"}, {"content", "pong"}}},
                                 {"finish_reason", "stop"}}})},
       {"usage", std::move(usage)}});
  return reply;
}

Reply invalid_key(Dialect dialect, std::string_view token) {
  switch (dialect) {
    case Dialect::openai:
      return error(401, {"Incorrect API key provided: " + masked(token) + ".",
                         "invalid_request_error", "invalid_api_key"});
    case Dialect::deepseek:
      return error(401, {"Authentication Fails, Your api key: " + masked(token) + " is invalid",
                         "authentication_error", "invalid_request_error"});
  }
  return {};
}

Reply disabled_key(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai:
      return error(401, {"This API key has been disabled.", "invalid_request_error", nullptr});
    case Dialect::deepseek:
      return error(401, {"Authentication Fails, Your api key is disabled", "authentication_error",
                         "invalid_request_error"});
  }
  return {};
}

Reply no_balance(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai:
      return error(429, {"You exceeded your current quota, please check your plan and billing "
                         "details.",
                         "insufficient_quota", "insufficient_quota"});
    case Dialect::deepseek:
      return error(402, {"Insufficient Balance", "unknown_error", "invalid_request_error"});
  }
  return {};
}

Reply throttled(Dialect dialect, std::chrono::nanoseconds retry_after) {
  const json code = dialect == Dialect::openai ? json("rate_limit_exceeded") : json(nullptr);
  Reply reply = error(429, {"Rate limit reached, please slow down.", "requests", code});
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  reply.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(1, seconds)));
  return reply;
}

Reply unknown_model(Dialect dialect, std::string_view model) {
  switch (dialect) {
    case Dialect::openai:
      return error(404, {"The model `" + std::string(model) +
                             "` does not exist or you do not have access to it.",
                         "invalid_request_error", "model_not_found"});
    case Dialect::deepseek:
      return error(400, {"Model Not Exist", "invalid_request_error", "invalid_request_error"});
  }
  return {};
}

Reply malformed(Dialect dialect, std::string_view what) {
  const int status = dialect == Dialect::deepseek ? 422 : 400;
  return error(status, {std::string(what), "invalid_request_error", nullptr});
}

Reply outage_reply(Dialect dialect, Outage mode, std::string_view token) {
  switch (mode) {
    case Outage::none:
      break;
    case Outage::error_500:
      return error(500, {"Internal server error", "server_error", nullptr});
    case Outage::error_503:
      return error(503, {"The server is overloaded, please try again later.",
                         "service_unavailable_error", "server_is_overloaded"});
    case Outage::error_529:
      return error(529, {"Overloaded", "overloaded_error", nullptr});
    case Outage::unauthorized:
      return invalid_key(dialect, token);
    case Outage::hang: {
      // What is said when the wait is over after all.
      Reply reply = error(504, {"Gateway timeout", "server_error", nullptr});
      reply.hangs = true;
      return reply;
    }
  }
  return {};
}

}  // namespace keyherd::sandbox
