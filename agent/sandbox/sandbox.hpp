#pragma once

// A fake provider that answers like the real ones, with keys that lead lives of their own and
// faults on demand: behind `keyherd sandbox`, the demo and the end-to-end tests. Its secrets are
// play money.
//
// It plays several providers at once, each a "face" under a path prefix: base_url
// http://127.0.0.1:PORT/FACE for types deepseek and anthropic, …/FACE/v1 for type openai_compat,
// …/FACE/v1beta for type gemini. The face "" has no prefix. The control API is under /sandbox/ on
// the same port (docs/sandbox.md).

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd::sandbox {

// What happens to a key at a time of its life.
enum class LifeEventKind { revoke, disable, restore, exhaust, top_up, throttle };

struct LifeEvent {
  std::chrono::nanoseconds at{0};  // since the sandbox started
  LifeEventKind kind = LifeEventKind::revoke;
  std::optional<std::chrono::nanoseconds> lasts;  // throttle: how long; none: until restored
  double amount = 0;                              // top_up: added to the account's balance
};

// How a whole face fails. drop: the connection is closed without an answer.
enum class Outage { none, error_500, error_503, error_529, unauthorized, hang, drop };
std::string_view to_string(Outage outage);
std::optional<Outage> outage_from_string(std::string_view name);

struct OutageWindow {
  std::chrono::nanoseconds at{0};  // since the sandbox started
  std::chrono::nanoseconds lasts{0};
  Outage mode = Outage::error_503;
  std::string path;  // only requests whose path (after the face) contains this; empty: all
};

// What a client can ask for.
enum class CallKind { models, balance, chat };
std::string_view to_string(CallKind kind);
std::optional<CallKind> call_kind_from_string(std::string_view name);

struct SandboxFace {
  std::string name;  // path prefix without slashes; "" is the root
  std::chrono::nanoseconds latency{0};
  std::chrono::nanoseconds jitter{0};  // latency is uniform in latency ± jitter
  std::vector<OutageWindow> outages;
  std::vector<CallKind> open{};  // answered whatever key is shown, and without one
  // Whoever shows it may make and end keys (docs/sandbox.md); empty: nobody.
  std::string admin_secret{};
};

// How the administration of a face misbehaves.
enum class AdminFault {
  none,
  refuse,  // 500, and nothing is done
  deny,    // 403, and nothing is done
  lose,    // it is done, and the connection closed without an answer
};
std::string_view to_string(AdminFault fault);
std::optional<AdminFault> admin_fault_from_string(std::string_view name);

struct AdminPlan {
  AdminFault fault = AdminFault::none;
  bool at_making = true;  // of keys; else at ending them
  int times = 0;          // so many calls, then it works again
  // A key that was made is refused for so long.
  std::chrono::nanoseconds settles_after{0};
  bool broke = false;  // keys that were made have no balance: they list models and cannot chat
};

struct AdminCounts {
  std::int64_t made = 0;
  std::int64_t ended = 0;
  std::vector<std::string> live;  // names of the keys that were made and not ended
};

struct SandboxKey {
  std::string id;  // for the control API
  std::string face;
  std::string secret;
  std::string account;  // keys of one account share a balance; empty: the key's own id
  double balance = 10;  // of the account; the first key that names the account sets it
  double price_per_request = 0.0001;  // taken from the balance by each chat
  std::string currency = "USD";
  std::vector<LifeEvent> life;
};

struct SandboxOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0: any free port
  std::uint64_t seed = 1;
  std::vector<std::string> models{"deepseek-flash", "deepseek-v4-pro", "gpt-4.1-nano",
                                  "claude-haiku-4-5", "gemini-2.5-flash-lite"};
  std::vector<SandboxFace> faces;  // none: the root face
  std::vector<SandboxKey> keys;
};

// Errors (invalid) name the JSON member and what is wrong with it; unknown members are errors.
Result<SandboxOptions> parse_scenario(std::string_view json);

// Requests as they came in, by key id and kind ("models", "balance", "chat").
struct SandboxCounts {
  std::map<std::string, std::map<std::string, std::int64_t>> requests;
  std::int64_t unknown_keys = 0;  // with a secret that no key of the face has, or none
};

// Serves from start() until destroyed. Safe to use from any thread.
class Sandbox {
 public:
  // `clock` outlives the sandbox; its steady time drives the scripted lives. Errors: invalid (two
  // keys of one id, a key of an unknown face), conflict (address in use).
  static Result<std::unique_ptr<Sandbox>> start(SandboxOptions options, const Clock& clock);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  [[nodiscard]] int port() const;
  // "http://127.0.0.1:PORT/FACE"
  [[nodiscard]] std::string base_url(std::string_view face) const;

  // The control API's calls, for tests in the same process. Errors: not_found, invalid, conflict.
  // state: ok revoked disabled no_balance throttled; a throttled key stays so for `lasts`, or until
  // its state is set again.
  Status set_key_state(std::string_view id, std::string_view state,
                       std::optional<std::chrono::nanoseconds> lasts = std::nullopt);
  // Wins over scripted outages until set to none.
  Status set_outage(std::string_view face, Outage mode);
  Status add_key(SandboxKey key);
  [[nodiscard]] SandboxCounts counts() const;
  void set_admin_plan(std::string_view face, const AdminPlan& plan);
  [[nodiscard]] AdminCounts admin_counts(std::string_view face) const;

 private:
  struct Impl;
  explicit Sandbox(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyherd::sandbox
