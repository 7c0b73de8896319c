#include "api/guard.hpp"

#include <catch2/catch.hpp>

#include "base/text.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace keyherd::api;
using Kind = net::Admission::Kind;
using model::Role;

namespace {

// bcrypt of "allmine", cost 10.
const std::string kHash = "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga";
constexpr const char* kToken = "reader-token-0123456789";

struct Gate {
  Gate() {
    access->tokens.add(Secret(kToken), {Role::read, {}});
    access->users.add(kHash, {Role::operate, {"prod"}, "anna"});
    request.method = "GET";
    request.peer = "10.0.0.1";
    set("host", "127.0.0.1:9925");
  }
  void set(const std::string& name, const std::string& value) {
    request.headers.erase(name);
    request.headers.emplace(name, value);
  }
  void sign_in(const std::string& user, const std::string& password) {
    set("authorization", "Basic " + base64(user + ":" + password));
  }
  net::Admission at_once() { return guard.admit(request, route, false); }
  net::Admission in_the_end() {
    net::Admission first = at_once();
    return first.kind == Kind::undecided ? guard.admit(request, route, true) : first;
  }
  int status() {
    const net::Admission admission = in_the_end();
    return admission.kind == Kind::admitted ? 200 : admission.refusal.status;
  }

  test::ManualClock clock;
  std::shared_ptr<Access> access = std::make_shared<Access>();
  std::optional<Role> needed = Role::read;
  int failures = 0;
  Guard guard{{clock, [this] { return access; }, [this](const net::Route&) { return needed; },
               [this] { ++failures; }}};
  net::ServerRequest request;
  net::Route route{"GET", "/", 0, {}};
};

}  // namespace

TEST_CASE("a good password is checked once where it may take long, then known at once") {
  Gate gate;
  gate.sign_in("anna", "allmine");
  CHECK(gate.at_once().kind == Kind::undecided);
  CHECK(gate.in_the_end().kind == Kind::admitted);
  CHECK(caller_of(gate.request).name == "anna");
  CHECK(caller_of(gate.request).role == Role::operate);
  CHECK(caller_of(gate.request).pools == std::vector<std::string>{"prod"});
  gate.request.caller.reset();
  CHECK(gate.at_once().kind == Kind::admitted);
  CHECK(caller_of(gate.request).name == "anna");
  CHECK(gate.failures == 0);
}

TEST_CASE("a known password is known no more when its user is gone or has another") {
  Gate gate;
  gate.sign_in("anna", "allmine");
  REQUIRE(gate.in_the_end().kind == Kind::admitted);
  auto changed = std::make_shared<Access>();
  changed->users.add("$2b$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu",
                     {Role::operate, {}, "anna"});
  gate.access = changed;
  CHECK(gate.status() == 401);
  auto gone = std::make_shared<Access>();
  gone->tokens.add(Secret(kToken), {Role::read, {}});
  gate.access = gone;
  CHECK(gate.status() == 401);
}

TEST_CASE("a wrong password, an unknown name, no header and a bad token are refused alike") {
  Gate gate;
  const auto refusal = [&] {
    const net::Admission admission = gate.in_the_end();
    REQUIRE(admission.kind == Kind::refused);
    CHECK(admission.refusal.status == 401);
    return admission.refusal.body;
  };
  const std::string none = refusal();
  gate.sign_in("anna", "wrong");
  CHECK(refusal() == none);
  gate.sign_in("nobody", "allmine");
  CHECK(refusal() == none);
  // CVE-2022-46146: neither the hash nor anything of the cache is a password.
  gate.sign_in("anna", kHash);
  CHECK(refusal() == none);
  for (const char* bad :
       {"Bearer wrong", "Bearer", "Basic", "Digest x", "Basic !!!!", "Bearer \xff"}) {
    gate.set("authorization", bad);
    CHECK(refusal() == none);
  }
}

TEST_CASE("two Authorization headers are none") {
  Gate gate;
  gate.set("authorization", std::string("Bearer ") + kToken);
  CHECK(gate.status() == 200);
  gate.request.headers.emplace("authorization", "Bearer wrong");
  CHECK(gate.status() == 401);
}

TEST_CASE("a token in the query is none") {
  Gate gate;
  gate.request.query.emplace("token", kToken);
  gate.request.query.emplace("access_token", kToken);
  CHECK(gate.status() == 401);
}

TEST_CASE("whoever guesses too often has to wait, and nobody else has") {
  Gate gate;
  gate.set("authorization", "Bearer wrong");
  for (int i = 0; i < 10; ++i)
    CHECK(gate.status() == 401);
  const net::Admission refused = gate.in_the_end();
  CHECK(refused.refusal.status == 429);
  const auto& headers = refused.refusal.headers;
  CHECK(std::find(headers.begin(), headers.end(),
                  std::pair<std::string, std::string>("Retry-After", "6")) != headers.end());
  // No more passwords are tried from there, right ones included.
  gate.sign_in("anna", "allmine");
  CHECK(gate.status() == 429);
  // A good token is good, from there too: it cannot be guessed.
  gate.set("authorization", std::string("Bearer ") + kToken);
  CHECK(gate.status() == 200);
  gate.request.peer = "10.0.0.2";
  gate.sign_in("anna", "allmine");
  CHECK(gate.status() == 200);
  // A password that is known is no guess.
  gate.request.peer = "10.0.0.1";
  CHECK(gate.status() == 200);
  gate.clock.advance(std::chrono::seconds(6));
  gate.sign_in("anna", "wrong");
  CHECK(gate.status() == 401);
}

TEST_CASE("many passwords at once from one address are not all tried") {
  Gate gate;
  gate.sign_in("anna", "wrong");
  int undecided = 0;
  for (int i = 0; i < 100; ++i)
    undecided += gate.at_once().kind == Kind::undecided ? 1 : 0;
  CHECK(undecided == 10);
}

TEST_CASE("right passwords never use up the chances of an address") {
  Gate gate;
  for (int i = 0; i < 12; ++i) {
    gate.access = std::make_shared<Access>();
    gate.access->users.add(kHash, {Role::read, {}, "user" + std::to_string(i)});
    gate.sign_in("user" + std::to_string(i), "allmine");
    CHECK(gate.status() == 200);
  }
}

TEST_CASE("a role that is not enough is told so, whoever asks") {
  Gate gate;
  gate.needed = Role::admin;
  gate.set("authorization", std::string("Bearer ") + kToken);
  CHECK(gate.status() == 403);
  gate.sign_in("anna", "allmine");
  CHECK(gate.status() == 403);
}

TEST_CASE("pages of strangers change nothing, whatever they send") {
  Gate gate;
  gate.request.method = "POST";
  gate.set("authorization", std::string("Bearer ") + kToken);
  CHECK(gate.status() == 200);
  for (const auto& [name, value] :
       std::vector<std::pair<const char*, const char*>>{{"origin", "null"},
                                                        {"origin", ""},
                                                        {"origin", "http://evil.example"},
                                                        {"origin", "http://127.0.0.1:1"},
                                                        {"sec-fetch-site", "cross-site"},
                                                        {"sec-fetch-site", "same-site"},
                                                        {"sec-fetch-site", "none"}}) {
    INFO(name << ": " << value);
    gate.set(name, value);
    CHECK(gate.status() == 403);
    gate.request.headers.erase(name);
  }
  gate.set("origin", "http://127.0.0.1:9925");
  gate.set("sec-fetch-site", "same-origin");
  CHECK(gate.status() == 200);
  gate.request.body = "{}";
  for (const char* form : {"text/plain", "TEXT/PLAIN; charset=utf-8", "multipart/form-data; b=x"}) {
    gate.set("content-type", form);
    CHECK(gate.status() == 415);
  }
  gate.set("content-type", "application/json");
  CHECK(gate.status() == 200);
}

TEST_CASE("a rebound name is refused before anything else") {
  Gate gate;
  gate.set("authorization", std::string("Bearer ") + kToken);
  gate.set("host", "evil.example:9925");
  CHECK(gate.status() == 421);
  gate.needed.reset();  // a route that is open to everybody
  CHECK(gate.status() == 421);
}
