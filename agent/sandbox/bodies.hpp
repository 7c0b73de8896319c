#pragma once

// What the real providers write into their answers. Inside this folder only.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sandbox/sandbox.hpp"

namespace keyherd::sandbox {

enum class Dialect { openai, deepseek, anthropic, gemini };

struct Reply {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::nanoseconds delay{0};
  bool hangs = false;  // no answer while the client waits
  bool drops = false;  // the connection is closed without an answer
};

Reply model_list(Dialect dialect, const std::vector<std::string>& models);
// Amounts are strings with two decimals, as DeepSeek has them.
Reply balance_info(double balance, std::string_view currency);

struct Completion {
  std::int64_t number = 0;  // makes the id
  std::string_view model;
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t output_tokens = 0;
};
Reply completion(Dialect dialect, const Completion& completion);
// The requests that are left of a limit, in the dialect's headers; nothing where it has none.
void add_rate_limit(Dialect dialect, std::int64_t limit, std::int64_t remaining, Reply& reply);

Reply invalid_key(Dialect dialect, std::string_view token);
Reply disabled_key(Dialect dialect);
Reply no_balance(Dialect dialect);
Reply throttled(Dialect dialect, std::chrono::nanoseconds retry_after);
Reply unknown_model(Dialect dialect, std::string_view model);
Reply malformed(Dialect dialect, std::string_view what);
// Precondition: mode is not none.
Reply outage_reply(Dialect dialect, Outage mode, std::string_view token);

}  // namespace keyherd::sandbox
