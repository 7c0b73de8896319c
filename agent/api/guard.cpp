#include "api/guard.hpp"

#include <any>
#include <string>

#include "api/responses.hpp"
#include "base/bcrypt.hpp"
#include "base/text.hpp"

namespace keyherd::api {

using model::Role;
using net::Admission;
using net::ServerRequest;
using net::ServerResponse;

namespace {

Admission refuse(ServerResponse response) {
  return {Admission::Kind::refused, std::move(response)};
}

bool changes_something(const ServerRequest& request) {
  return request.method != "GET" && request.method != "HEAD";
}

// What a browser says of the page that sends the request. Other clients say nothing.
bool is_of_a_stranger(const ServerRequest& request) {
  const auto site = request.header("sec-fetch-site");
  const auto origin = request.header("origin");
  return (!site.empty() && site != "same-origin") ||
         (request.headers.contains("origin") && !is_same_origin(origin, request.header("host")));
}

// Types that a form may send to any site unasked, with JSON in them. (The third, curl's default,
// has no braces left when a form has made it.)
bool is_form(const ServerRequest& request) {
  const std::string_view type = trim(split(request.header("content-type"), ';').front());
  return equals_ignore_case(type, "text/plain") || equals_ignore_case(type, "multipart/form-data");
}

// The same words whatever is wrong: an answer must not tell a name that exists from one that does
// not.
ServerResponse who_are_you(const Access& access) {
  ServerResponse response = respond_error(
      401, "denied",
      access.users.empty() ? "a token is needed: Authorization: Bearer …"
                           : "a token (Authorization: Bearer …) or a user's password is needed");
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"keyherd\"");
  if (!access.users.empty())
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"keyherd\", charset=\"UTF-8\"");
  return response;
}

ServerResponse come_again(std::chrono::seconds wait) {
  ServerResponse response =
      respond_error(429, "too_many_failures",
                    "too many wrong tokens or passwords from this address; try again in " +
                        std::to_string(wait.count()) + " s");
  response.headers.emplace_back("Retry-After", std::to_string(wait.count()));
  return response;
}

ServerResponse not_allowed(const Access& access, Role needed) {
  const std::string role(model::to_string(needed));
  if (!access.asks_who())
    return respond_error(
        403, "denied",
        "this needs a token with role " + role + "; none is configured: add [[web.tokens]]");
  return respond_error(403, "denied", "this needs the role " + role);
}

}  // namespace

Admission Guard::admit(ServerRequest& request, const net::Route& route, bool may_take_long) {
  const auto access = parts_.access();
  if (!is_served_host(request.header("host"), *access))
    return refuse(respond_error(421, "denied",
                                "this Host is not served here; names that are belong into "
                                "web.hosts"));
  if (changes_something(request) && is_of_a_stranger(request))
    return refuse(respond_error(403, "denied", "cross-site requests are refused"));
  if (changes_something(request) && !request.body.empty() && is_form(request))
    return refuse(respond_error(415, "unsupported_type",
                                "the body must be JSON: Content-Type: application/json"));
  const auto needed = parts_.needed(route);
  if (!needed)
    return {};
  const Found found = identify(*access, request, may_take_long);
  if (std::holds_alternative<Undecided>(found))
    return {Admission::Kind::undecided};
  if (const auto* who = std::get_if<Principal>(&found);
      who != nullptr && model::includes(who->role, *needed)) {
    request.caller = *who;
    return {};
  }
  parts_.count_failure();
  if (std::holds_alternative<Principal>(found))
    return refuse(not_allowed(*access, *needed));
  if (const auto* often = std::get_if<TooOften>(&found))
    return refuse(come_again(often->wait));
  return refuse(who_are_you(*access));
}

Guard::Found Guard::identify(const Access& access, const ServerRequest& request,
                             bool may_take_long) {
  if (!access.asks_who())
    return Principal{Role::read};
  switch (request.headers.count("authorization")) {
    case 0:
      return std::monostate();
    case 1:
      break;
    default:  // which of them would be meant?
      return wrong(request);
  }
  const auto text = request.header("authorization");
  // Tokens are random and cost nothing to check: a good one is good however many bad ones came
  // from its address.
  if (auto who = access.tokens.find(text))
    return std::move(*who);
  if (const auto credentials = parse_basic(text); credentials && !access.users.empty())
    return check_password(access.users, request, *credentials, may_take_long);
  return wrong(request);
}

Guard::Found Guard::check_password(const Users& users, const ServerRequest& request,
                                   const Credentials& credentials, bool may_take_long) {
  const Users::User* const user = users.find(credentials.user);
  if (user != nullptr && known_.contains(credentials, user->hash))
    return user->principal;
  if (!may_take_long) {
    // Counted before it is known to be one, so that not many at once can be tried.
    const auto wait = failures_.take(request.peer, parts_.clock.now().steady);
    return wait > wait.zero() ? Found(TooOften{wait}) : Found(Undecided{});
  }
  const std::string& hash = user != nullptr ? user->hash : users.decoy();
  if (!matches_bcrypt(credentials.password, hash) || user == nullptr)
    return Wrong{};
  failures_.give_back(request.peer);
  known_.add(credentials, hash);
  return user->principal;
}

Guard::Found Guard::wrong(const ServerRequest& request) {
  const auto wait = failures_.take(request.peer, parts_.clock.now().steady);
  return wait > wait.zero() ? Found(TooOften{wait}) : Found(Wrong{});
}

const Principal& caller_of(const ServerRequest& request) {
  return std::any_cast<const Principal&>(request.caller);
}

}  // namespace keyherd::api
