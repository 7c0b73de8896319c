// The user's own command as an issuer.

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <fstream>

#include "rotation/issuers/issuer.hpp"
#include "support/scripted_transport.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace keyherd::test;

namespace {

struct Vendor {
  TempDir directory;
  ScriptedTransport transport;
  Redactor redactor;
  model::Issuer issuer;

  // `body`: shell, with the request in $input.
  explicit Vendor(const std::string& body) {
    const std::string path = directory / "issue";
    std::ofstream(path) << "#!/bin/sh\ninput=$(cat)\n" << body;
    ::chmod(path.c_str(), 0700);
    issuer.id = "vendor";
    issuer.type = model::IssuerType::command;
    issuer.command = {path};
    issuer.request = R"({"team":"search"})";
  }
  rotation::IssueContext context() { return {transport, redactor, nullptr}; }
  Result<rotation::Minted> mint(bool maybe_done = false) {
    return rotation::mint(issuer, {"keyherd-r1", "a", "", nullptr, maybe_done}, context(), {});
  }
};

}  // namespace

TEST_CASE("a command is told what to make, and its secret goes no further") {
  Vendor vendor(R"(echo "$input" > "$0.request"
echo '{"id":"k1","secret":"sk-made-by-a-command","expires_at":"2027-01-01T00:00:00Z"}')");
  const auto minted = vendor.mint();
  REQUIRE(minted);
  CHECK(minted->secret == Secret("sk-made-by-a-command"));
  CHECK(minted->remote_id == "k1");
  CHECK(minted->expires_at.has_value());
  std::ifstream file(vendor.directory / "issue.request");
  std::string request;
  std::getline(file, request);
  CHECK(request ==
        R"({"action":"create","key":"a","name":"keyherd-r1","request":{"team":"search"}})");
  CHECK(vendor.redactor.redact("sk-made-by-a-command") == "[redacted]");
}

TEST_CASE("a command that may have made it is asked before it makes another") {
  Vendor vendor(R"(case "$input" in
*'"find"'*) echo '{"keys":[{"id":"k1","secret":"sk-found-again-0123"},{"id":"k2"}]}' ;;
*) echo "$input" >> "$0.log" ;;
esac)");
  const auto minted = vendor.mint(true);
  REQUIRE(minted);
  CHECK(minted->secret == Secret("sk-found-again-0123"));
  std::ifstream file(vendor.directory / "issue.log");
  std::string line;
  std::getline(file, line);
  CHECK(line == R"({"action":"revoke","id":"k2"})");
}

TEST_CASE("a command's failures are told apart, and its stdout is never quoted") {
  Vendor later("echo sk-not-to-be-seen; echo busy >&2; exit 75\n");
  const auto busy = later.mint();
  REQUIRE_FALSE(busy);
  CHECK(busy.error().code == ErrorCode::unavailable);
  CHECK(busy.error().message.find("busy") != std::string::npos);
  CHECK(busy.error().message.find("sk-not-to-be-seen") == std::string::npos);
  CHECK(Vendor("exit 1\n").mint().error().code == ErrorCode::invalid);
  CHECK(Vendor("echo nonsense\n").mint().error().code == ErrorCode::invalid);
  CHECK_FALSE(Vendor("echo '{\"id\":\"k1\"}'\n").mint());
  CHECK_FALSE(Vendor("echo '{\"secret\":\"sk-without-an-id-012\"}'\n").mint());
  // Without an answer to "find" nobody can say what exists.
  CHECK(Vendor("echo '{}'\n").mint(true).error().code == ErrorCode::invalid);
}

TEST_CASE("what a command says to a revocation is its exit code") {
  Vendor done("exit 0\n");
  CHECK(rotation::revoke(done.issuer, {"n", "k1", nullptr, false}, done.context(), {}));
  Vendor failed("exit 75\n");
  CHECK(rotation::revoke(failed.issuer, {"n", "k1", nullptr, false}, failed.context(), {})
            .error()
            .code == ErrorCode::unavailable);
}
