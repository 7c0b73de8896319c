#pragma once

// What stands before every handler: is the request meant for this agent, does a page of a stranger
// send it, who is asking, and may they. Any thread.

#include <functional>
#include <memory>
#include <optional>
#include <variant>

#include "api/auth.hpp"
#include "api/failure_limit.hpp"
#include "base/clock.hpp"
#include "net/server.hpp"

namespace keyherd::api {

class Guard {
 public:
  struct Parts {
    const Clock& clock;
    std::function<std::shared_ptr<const Access>()> access;
    // The role that a route asks for; nothing: open to everybody.
    std::function<std::optional<model::Role>(const net::Route&)> needed;
    std::function<void()> count_failure;
  };
  explicit Guard(Parts parts) : parts_(std::move(parts)) {}

  // As net::ServerOptions::guard wants it. Whoever is admitted stands in request.caller; without
  // tokens and users (loopback only) that is a reader.
  net::Admission admit(net::ServerRequest& request, const net::Route& route, bool may_take_long);

 private:
  struct Wrong {};
  struct Undecided {};
  struct TooOften {
    std::chrono::seconds wait;
  };
  using Found = std::variant<std::monostate, Principal, Wrong, Undecided, TooOften>;

  Found identify(const Access& access, const net::ServerRequest& request, bool may_take_long);
  Found check_password(const Users& users, const net::ServerRequest& request,
                       const Credentials& credentials, bool may_take_long);
  Found wrong(const net::ServerRequest& request);

  Parts parts_;
  KnownPasswords known_;
  FailureLimit failures_;
};

// Of a request that a guard has admitted.
const Principal& caller_of(const net::ServerRequest& request);

}  // namespace keyherd::api
