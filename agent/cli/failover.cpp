#include "cli/failover.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/random.hpp"
#include "probe/client_request.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kFirstWait{500};
constexpr std::chrono::minutes kLongestWait{5};
constexpr int kMostWaits = 3;
constexpr std::size_t kMostKeys = 100;  // what `exclude` takes
// A stream may go on for long; its silences are limited.
constexpr std::chrono::minutes kLongestAnswer{30};
constexpr std::size_t kMostBytes = 1U << 30U;
constexpr std::size_t kKeptTail = 65'536;  // of a stream: its last events tell the tokens

enum class Then { done, next_key, wait, give_up };

Then what_then(model::Verdict verdict) {
  if (verdict == model::Verdict::permission_denied)
    return Then::next_key;  // another key may have the permission
  switch (model::info(verdict).kind) {
    case model::VerdictClass::good:
      return Then::done;
    case model::VerdictClass::auth:
    case model::VerdictClass::quota:
    case model::VerdictClass::rate:
      return Then::next_key;
    case model::VerdictClass::provider:
      return Then::wait;
    case model::VerdictClass::request:
      return Then::give_up;
  }
  return Then::give_up;
}

std::string text_field(std::string_view body, const char* name) {
  const auto value = parse_json(body);
  if (!value || !value->is_object() || !value->contains(name) || !(*value)[name].is_string())
    return "";
  return (*value)[name].get<std::string>();
}

class Call {
 public:
  Call(const CallRequest& request, const CallParts& parts)
      : request_(request), parts_(parts), streams_([&] {
          const auto body = parse_json(request.body);
          return body && body->is_object() && body->value("stream", json(false)) == true;
        }()) {}

  CallOutcome run() {
    while (tried_.size() < kMostKeys) {
      auto named = parts_.next(tried_);
      if (!named) {
        outcome_.error = std::move(named).error();
        break;
      }
      const Then then = attempt(*named);
      if (then == Then::next_key)
        tried_.push_back(named->key);
      const bool goes_on = then == Then::next_key || (then == Then::wait && may_wait());
      if (!outcome_.attempts.empty())
        parts_.tell(outcome_.attempts.back());
      if (!goes_on)
        break;
      if (then == Then::wait)
        parts_.wait(outcome_.attempts.back().waited);
    }
    return std::move(outcome_);
  }

 private:
  Then attempt(const NamedKey& named) {
    Attempt& made = outcome_.attempts.emplace_back();
    made.key = named.key;
    retry_at_.reset();
    auto request =
        probe::client_request(named.provider, named.secret, request_.path, request_.body);
    if (!request) {
      outcome_.error = std::move(request).error();
      outcome_.attempts.pop_back();
      return Then::give_up;
    }
    request->timeout = kLongestAnswer;
    request->connect_timeout = request_.connect_timeout;
    request->read_timeout = request_.read_timeout;
    request->max_response_bytes = kMostBytes;
    std::string tail;
    bool handed_on = false;
    if (streams_)
      request->on_body = [&](std::string_view bytes) {
        handed_on = true;
        parts_.on_body(bytes);
        tail.append(bytes);
        if (tail.size() > 2 * kKeptTail)
          tail.erase(0, tail.size() - kKeptTail);
      };
    const SteadyTime began = parts_.clock.now().steady;
    const auto response = parts_.transport.send(*request, {});
    made.latency = parts_.clock.now().steady - began;
    if (!response)
      return failed(named, made, response.error(), handed_on);
    return answered(named, made, *response, handed_on ? tail : response->body, handed_on);
  }

  Then failed(const NamedKey& named, Attempt& made, const Error& error, bool handed_on) {
    made.what = error.code == ErrorCode::timeout ? "time-out: " + error.message : error.message;
    report(named, made, {});
    // What was written cannot be taken back, and trust does not come by waiting.
    const bool is_final = handed_on || net::is_tls_failure(error) ||
                          error.code == ErrorCode::invalid || error.code == ErrorCode::too_large;
    return is_final ? Then::give_up : Then::wait;
  }

  Then answered(const NamedKey& named, Attempt& made, const net::HttpResponse& response,
                const std::string& body, bool handed_on) {
    outcome_.reached = true;
    const WallTime now = parts_.clock.now().wall;
    net::HttpResponse judged = response;
    judged.body = body;
    const probe::Classified what = probe::judge_answer(named.provider, judged, now);
    made.status = response.status;
    made.verdict = what.reading.verdict;
    made.what = what.reading.message;
    retry_at_ = what.retry_at;
    report(named, made, what.reading, text_field(body, "model"));
    if (made.is_good() && !handed_on)
      parts_.on_body(body);
    return handed_on ? Then::done : what_then(made.verdict);
  }

  // False: it has waited often enough.
  bool may_wait() {
    if (waits_ == kMostWaits)
      return false;
    const std::chrono::nanoseconds back_off = kFirstWait * (1 << waits_++);
    const WallTime now = parts_.clock.now().wall;
    const std::chrono::nanoseconds asked =
        retry_at_ ? *retry_at_ - now : std::chrono::nanoseconds(0);
    if (asked > kLongestWait)
      return false;
    outcome_.attempts.back().waited = std::max(back_off, asked);
    return true;
  }

  void report(const NamedKey& named, const Attempt& made, const probe::Reading& reading,
              const std::string& answered_by = "") {
    json told{
        {"key", named.key},
        {"status", made.status},
        {"verdict", model::to_string(made.verdict)},
        {"latency_ms", std::chrono::duration_cast<std::chrono::milliseconds>(made.latency).count()},
        {"request_id", "call-" + to_hex(random_bytes(8))}};
    const std::string model =
        answered_by.empty() ? text_field(request_.body, "model") : answered_by;
    if (!model.empty())
      told["model"] = model;
    if (made.is_good()) {
      told["input_tokens"] = reading.input_tokens;
      told["output_tokens"] = reading.output_tokens;
      told["cached_input_tokens"] = reading.cached_input_tokens;
    }
    if (retry_at_) {
      const auto left = *retry_at_ - parts_.clock.now().wall;
      told["retry_after"] = std::clamp(std::chrono::duration<double>(left).count(), 0.0, 86'400.0);
    }
    parts_.report(told);
  }

  const CallRequest& request_;
  const CallParts& parts_;
  const bool streams_;
  CallOutcome outcome_;
  std::vector<std::string> tried_;  // keys that were refused
  std::optional<WallTime> retry_at_;
  int waits_ = 0;
};

}  // namespace

CallOutcome call_with_failover(const CallRequest& request, const CallParts& parts) {
  return Call(request, parts).run();
}

}  // namespace keyherd::cli
