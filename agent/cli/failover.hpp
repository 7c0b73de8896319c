#pragma once

// One request through a pool: the agent names a key, the answer says whether another one is to be
// tried, and the agent is told what became of each. Everything outside comes in, so that it is
// tested without a network and without waiting.

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "model/provider.hpp"
#include "model/verdict.hpp"
#include "net/transport.hpp"

namespace keyherd::cli {

// A key that the agent names.
struct NamedKey {
  std::string key;
  Secret secret;
  model::Provider provider;
};

struct CallRequest {
  std::string body;
  std::optional<std::string> path;  // none: where the provider's type takes chats
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds read_timeout{30'000};
};

struct CallParts {
  // A key that is none of those. Error conflict: the pool has none; unavailable: no agent.
  std::function<Result<NamedKey>(const std::vector<std::string>& exclude)> next;
  // The fields of a report, see POST report; what it says about a failure is up to the caller.
  std::function<void(const nlohmann::json& report)> report;
  net::Transport& transport;
  const Clock& clock;
  std::function<void(std::chrono::nanoseconds)> wait;
  std::function<void(std::string_view bytes)> on_body;  // a good answer, as it comes
  std::function<void(const struct Attempt&)> tell;      // of each as soon as it is judged
};

// One key that was tried.
struct Attempt {
  std::string key;
  int status = 0;  // 0: no answer
  model::Verdict verdict = model::Verdict::network;
  std::string what;  // why it failed, as the provider or the transport says; may echo anything
  std::chrono::nanoseconds latency{0};
  std::chrono::nanoseconds waited{0};  // after it, before the next
  [[nodiscard]] bool is_good() const { return verdict == model::Verdict::ok; }
};

struct CallOutcome {
  std::vector<Attempt> attempts;  // the last one is good, or the call has failed
  // Why there was no (further) attempt, where that is the reason.
  std::optional<Error> error;
  bool reached = false;  // some answer came
};

// The next key at once when an answer refuses this one (401, 402, 403, 429, by what the provider
// means); the same or another after 0.5 s × 2ⁿ, or when the provider says, on 5xx, broken
// connections and time-outs, three times at the most; no more on what another key cannot mend: a
// request that is wrong, or a certificate that is not trusted.
CallOutcome call_with_failover(const CallRequest& request, const CallParts& parts);

}  // namespace keyherd::cli
