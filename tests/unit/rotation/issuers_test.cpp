// Each type of issuer against the sandbox, which speaks the administration APIs as documented.

#include "rotation/issuers/issuer.hpp"

#include <catch2/catch.hpp>

#include "sandbox/sandbox.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::Issuer;
using model::IssuerType;
using sandbox::AdminFault;

namespace {

const Secret kAdmin("sk-admin-secret");

// One face with an administration, and an issuer that speaks to it.
struct Bureau {
  ManualClock clock;
  std::unique_ptr<sandbox::Sandbox> sandbox;
  std::unique_ptr<net::Transport> transport = net::make_http_transport({});
  Redactor redactor;
  Issuer issuer;

  explicit Bureau(IssuerType type) {
    sandbox::SandboxOptions options;
    options.faces = {
        {.name = "alpha", .outages = {}, .open = {}, .admin_secret = "sk-admin-secret"}};
    options.keys = {
        {.id = "spare", .face = "alpha", .secret = "sk-spare-secret", .account = {}, .life = {}}};
    sandbox = sandbox::Sandbox::start(std::move(options), clock).value();
    issuer.id = "office";
    issuer.type = type;
    issuer.base_url = sandbox->base_url("alpha");
    issuer.owner = type == IssuerType::azure
                       ? "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/"
                         "accounts/a"
                       : "42";
  }

  Result<rotation::Minted> mint(const std::string& name, bool maybe_done = false,
                                const Secret* replaced = nullptr) {
    return rotation::mint(issuer, {name, "a", "key1", replaced, maybe_done}, context(), {});
  }
  Result<std::optional<rotation::Minted>> revoke(const std::string& name,
                                                 const std::string& remote_id,
                                                 const Secret* replaced = nullptr,
                                                 bool maybe_done = false) {
    return rotation::revoke(issuer, {name, remote_id, replaced, maybe_done}, context(), {});
  }
  rotation::IssueContext context() { return {*transport, redactor, &kAdmin}; }

  int chat(const Secret& secret) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = sandbox->base_url("alpha") + "/chat/completions";
    request.body = R"({"model":"deepseek-flash","messages":[{"role":"user","content":"x"}]})";
    request.secret = &secret;
    return transport->send(request, {}).value().status;
  }
  void fault(AdminFault kind, bool at_making) {
    sandbox::AdminPlan plan;
    plan.fault = kind;
    plan.at_making = at_making;
    plan.times = 1;
    sandbox->set_admin_plan("alpha", plan);
  }
};

constexpr std::array kMakers{IssuerType::openrouter, IssuerType::litellm, IssuerType::openai,
                             IssuerType::xai, IssuerType::newapi};

}  // namespace

TEST_CASE("every API makes a secret that works, and ends it") {
  for (const IssuerType type : kMakers) {
    CAPTURE(model::to_string(type));
    Bureau bureau(type);
    const auto minted = bureau.mint("keyherd-r1");
    REQUIRE(minted);
    CHECK(bureau.chat(minted->secret) == 200);
    CHECK_FALSE(minted->remote_id.empty());
    CHECK(bureau.sandbox->admin_counts("alpha").live == std::vector<std::string>{"keyherd-r1"});
    // Known to the redactor before anybody can print it.
    CHECK(bureau.redactor.redact(minted->secret.reveal()) == "[redacted]");

    REQUIRE(bureau.revoke("keyherd-r1", minted->remote_id));
    CHECK(bureau.chat(minted->secret) == 401);
    // What is gone is gone.
    REQUIRE(bureau.revoke("keyherd-r1", minted->remote_id));
    CHECK(bureau.sandbox->admin_counts("alpha").ended == 1);
  }
}

TEST_CASE("a reply that was lost leaves one secret, not two") {
  for (const IssuerType type : kMakers) {
    CAPTURE(model::to_string(type));
    Bureau bureau(type);
    bureau.fault(AdminFault::lose, true);
    REQUIRE_FALSE(bureau.mint("keyherd-r1"));
    CHECK(bureau.sandbox->admin_counts("alpha").made == 1);
    const auto minted = bureau.mint("keyherd-r1", true);
    REQUIRE(minted);
    CHECK(bureau.chat(minted->secret) == 200);
    CHECK(bureau.sandbox->admin_counts("alpha").live.size() == 1);
  }
}

TEST_CASE("what was never made is made when it is asked for again") {
  for (const IssuerType type : kMakers) {
    CAPTURE(model::to_string(type));
    Bureau bureau(type);
    bureau.fault(AdminFault::refuse, true);
    const auto refused = bureau.mint("keyherd-r1");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unavailable);
    REQUIRE(bureau.mint("keyherd-r1", true));
    CHECK(bureau.sandbox->admin_counts("alpha").made == 1);
  }
}

TEST_CASE("without an id everything of that name is ended, and nothing else") {
  for (const IssuerType type : kMakers) {
    CAPTURE(model::to_string(type));
    Bureau bureau(type);
    bureau.fault(AdminFault::lose, true);
    REQUIRE_FALSE(bureau.mint("keyherd-r1"));
    REQUIRE(bureau.mint("keyherd-r2"));
    REQUIRE(bureau.revoke("keyherd-r1", ""));
    CHECK(bureau.sandbox->admin_counts("alpha").live == std::vector<std::string>{"keyherd-r2"});
    REQUIRE(bureau.revoke("keyherd-r1", ""));
  }
}

TEST_CASE("a lost reply to an ending is no second ending") {
  for (const IssuerType type : kMakers) {
    CAPTURE(model::to_string(type));
    Bureau bureau(type);
    const auto minted = bureau.mint("keyherd-r1");
    REQUIRE(minted);
    bureau.fault(AdminFault::lose, false);
    // The transport sends what may be repeated (DELETE) again by itself, and 404 is success then.
    const bool told_of_loss = !bureau.revoke("keyherd-r1", minted->remote_id);
    CHECK(bureau.sandbox->admin_counts("alpha").ended == 1);
    CHECK(told_of_loss == (type == IssuerType::litellm));
    REQUIRE(bureau.revoke("keyherd-r1", minted->remote_id, nullptr, true));
    CHECK(bureau.sandbox->admin_counts("alpha").ended == 1);
    CHECK(bureau.sandbox->admin_counts("alpha").live.empty());
  }
}

TEST_CASE("a wrong admin secret is told from an office that is away") {
  for (const IssuerType type : kMakers) {
    CAPTURE(model::to_string(type));
    Bureau bureau(type);
    const Secret wrong("sk-not-the-admin");
    const auto refused = rotation::mint(bureau.issuer, {"n", "a", "", nullptr, false},
                                        {*bureau.transport, bureau.redactor, &wrong}, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::denied);
    CHECK(refused.error().message.find("issuer office: POST /") == 0);
    bureau.fault(AdminFault::deny, true);
    CHECK(bureau.mint("n").error().code == ErrorCode::denied);
    bureau.issuer.base_url = "http://127.0.0.1:1";
    CHECK(bureau.mint("n").error().code == ErrorCode::unavailable);
  }
}

TEST_CASE("an Azure slot is regenerated once, whatever becomes of the reply") {
  Bureau bureau(IssuerType::azure);
  const auto first = bureau.mint("r1");
  REQUIRE(first);
  CHECK(bureau.chat(first->secret) == 200);
  bureau.fault(AdminFault::lose, true);
  REQUIRE_FALSE(bureau.mint("r2", false, &first->secret));
  const auto made = bureau.sandbox->admin_counts("alpha").made;
  const auto second = bureau.mint("r2", true, &first->secret);
  REQUIRE(second);
  CHECK(bureau.sandbox->admin_counts("alpha").made == made);
  CHECK(bureau.chat(second->secret) == 200);
  CHECK(bureau.chat(first->secret) == 401);
  // Ending it is making the next.
  const auto third = bureau.revoke("r3", "key1", &second->secret);
  REQUIRE(third);
  REQUIRE(third->has_value());
  CHECK(bureau.chat((**third).secret) == 200);
  CHECK(bureau.chat(second->secret) == 401);
  // No other slot is taken for one that is not known.
  const auto made_by_then = bureau.sandbox->admin_counts("alpha").made;
  for (const char* unknown : {"", "key3", "Key1"})
    CHECK(bureau.revoke("r4", unknown).error().message ==
          "issuer office: the slots of Azure are key1 and key2; \"" + std::string(unknown) +
              "\" is none");
  CHECK(bureau.sandbox->admin_counts("alpha").made == made_by_then);
}

TEST_CASE("Anthropic's keys are set inactive, and never made") {
  Bureau bureau(IssuerType::anthropic);
  CHECK(bureau.mint("r1").error().code == ErrorCode::invalid);
  REQUIRE(bureau.revoke("r1", "apikey_spare"));
  CHECK(bureau.chat(Secret("sk-spare-secret")) == 401);
  REQUIRE(bureau.revoke("r1", "apikey_that_is_gone"));
}
