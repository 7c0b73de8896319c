#pragma once

// How handlers answer: JSON, errors as {"error":{"code","message"}} with the right status, and what
// the loop will say, without a thread that waits.

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "api/control.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/server.hpp"

namespace keyherd::api {

inline constexpr std::chrono::seconds kCommandWait{30};

net::ServerResponse respond(int status, const nlohmann::json& body);
net::ServerResponse respond_error(int status, std::string_view code, std::string_view message);
net::ServerResponse respond_error(const Error& error);
// 429 with Retry-After: what was sent is not kept.
net::ServerResponse respond_try_later(std::string_view why);

// render(value) once it is there; at_deadline() if it is not within kCommandWait.
template <class T, class Render, class AtDeadline>
net::Answer when_ready(const Clock& clock, Pending<T> pending, Render render,
                       AtDeadline at_deadline) {
  const auto look = [pending, render]() -> std::optional<net::ServerResponse> {
    auto outcome = pending();
    if (!outcome)
      return std::nullopt;
    return render(std::move(*outcome));
  };
  if (auto ready = look())
    return std::move(*ready);
  return net::Park{clock.now().steady + kCommandWait, look, at_deadline, false};
}

// The same for a command: its errors, and that it takes too long, are answered in the usual way.
template <class T, class Render>
net::Answer when_ready(const Clock& clock, Pending<T> pending, Render render) {
  const auto settle = [render](Result<T> outcome) {
    return outcome ? render(*outcome) : respond_error(outcome.error());
  };
  return when_ready<T>(clock, std::move(pending), settle, [] {
    return respond_error(504, "timeout",
                         "the agent is still busy with it; look at GET /api/v1/status for the "
                         "outcome");
  });
}

}  // namespace keyherd::api
