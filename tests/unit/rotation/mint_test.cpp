// Rotations by a secret that is made for them, and what becomes of a key once it is published.

#include <catch2/catch.hpp>
#include <map>

#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::CredentialState;
using model::RotationFailure;
using model::RotationMode;
using model::RotationState;
using rotation::HeldSecret;
using rotation::StepDone;
using rotation::StepRequest;
using rotation::Transition;
using Kind = StepRequest::Kind;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const model::PublishTarget kFile = model::PublishFile{"/run/a.json"};

// Plays the engine: commits what transitions say, and answers their steps.
struct Mint {
  model::Pool pool;
  model::PoolState state;
  bool previous_works = true;
  WallTime now = kNow;
  model::Rotation row;
  std::map<std::string, model::Credential> credentials;
  std::optional<model::Credential> ending;
  std::optional<StepRequest> next;
  std::vector<RotationFailure> counted;
  HeldSecret held = HeldSecret::untouched;
  bool has_logs = false;
  std::optional<WallTime> to_used_at, from_used_at;

  Mint() {
    pool.id = "prod";
    pool.mode = RotationMode::provision;
    pool.issuer = "office";
    pool.publish = {kFile};
    pool.settle_within = minutes(5);
    pool.overlap = minutes(30);
    pool.adopt_within = minutes(15);
    state.pool = "prod";
    state.active = "a";
    state.generation = 7;
    ending = model::Credential{"keyherd-r0",          "a",  "prod", "office", "id0",
                               CredentialState::live, "r0", kNow,   kNow,     ""};
    rotation::Plan plan;
    plan.pool = "prod";
    plan.from = "a";
    plan.to = "b";
    plan.mint = true;
    plan.actor = "agent";
    take(rotation::begin(context(), plan, "r1"));
  }

  [[nodiscard]] rotation::WorkflowContext context() const {
    rotation::WorkflowContext made{pool, state, previous_works, std::nullopt, now};
    if (const auto minted = credentials.find(row.credential); minted != credentials.end())
      made.minted = minted->second;
    made.ending = ending;
    made.has_logs = has_logs;
    made.to_used_at = to_used_at;
    made.from_used_at = from_used_at;
    return made;
  }

  void take(Transition transition) {
    row = std::move(transition.rotation);
    if (transition.pool)
      state = *transition.pool;
    for (const auto& credential : transition.credentials)
      credentials[credential.name] = credential;
    next = std::move(transition.next);
    held = transition.held;
    if (transition.failure)
      counted.push_back(*transition.failure);
  }

  void answer(Status status, std::string remote_id = "") {
    REQUIRE(next);
    now += std::chrono::duration_cast<WallTime::duration>(next->delay) + seconds(1);
    StepDone done;
    done.request = *next;
    done.status = std::move(status);
    done.remote_id = std::move(remote_id);
    for (const auto& target : next->targets)
      done.outcomes.push_back({target, done.status});
    if (!next->targets.empty())
      done.status = {};
    auto transition = rotation::advance(context(), row, done);
    REQUIRE(transition);
    take(std::move(*transition));
  }
  void made() { answer({}, "id1"); }
  void refused() { answer(fail(ErrorCode::denied, "invalid_key")); }
  void away() { answer(fail(ErrorCode::unavailable, "server_error")); }
  void ok() { answer({}); }

  void until_published() {
    made();
    ok();
    ok();
    REQUIRE(next->kind == Kind::publish);
    ok();
    REQUIRE(next->kind == Kind::confirm);
  }

  [[nodiscard]] CredentialState credential(const std::string& name = "keyherd-r1") const {
    return credentials.at(name).state;
  }
};

}  // namespace

TEST_CASE("the intention is on record before the provider is asked, the secret before it is used") {
  Mint mint;
  CHECK(mint.next->kind == Kind::mint);
  CHECK(mint.next->issuer == "office");
  CHECK(mint.credential() == CredentialState::intended);
  CHECK(mint.row.credential == "keyherd-r1");
  mint.made();
  CHECK(mint.row.state == RotationState::minted);
  CHECK(mint.held == HeldSecret::hold);
  CHECK(mint.credential() == CredentialState::live);
  CHECK(mint.credentials.at("keyherd-r1").remote_id == "id1");
  CHECK(mint.next->kind == Kind::verify);
  CHECK(mint.next->held);
  CHECK(mint.next->paid);
}

TEST_CASE("two paid probes prove a new secret; when nothing else works one is enough") {
  Mint mint;
  mint.made();
  mint.ok();
  CHECK(mint.row.state == RotationState::minted);
  mint.ok();
  CHECK(mint.row.state == RotationState::staged);
  CHECK(mint.held == HeldSecret::adopt);

  Mint hurry;
  hurry.previous_works = false;
  hurry.made();
  hurry.ok();
  CHECK(hurry.row.state == RotationState::staged);
}

TEST_CASE("a secret that is refused for 30 s after it was made is waited for") {
  Mint mint;
  mint.made();
  const WallTime begun = mint.now;
  while (mint.now - begun < seconds(30))
    mint.refused();
  CHECK(mint.row.state == RotationState::minted);
  mint.ok();
  mint.ok();
  CHECK(mint.row.state == RotationState::staged);
  CHECK(mint.counted.empty());
}

TEST_CASE("a secret that stays refused is ended and made anew, once; then the rotation ends") {
  Mint mint;
  mint.made();
  while (mint.row.state == RotationState::minted)
    mint.refused();
  CHECK(mint.row.state == RotationState::planned);
  CHECK(mint.held == HeldSecret::discard);
  CHECK(mint.credential() == CredentialState::leaving);
  CHECK(mint.credentials.at("keyherd-r1").key.empty());
  CHECK(mint.credential("keyherd-r1-2") == CredentialState::intended);
  mint.answer({}, "id2");
  while (mint.row.state == RotationState::minted)
    mint.refused();
  CHECK(mint.row.state == RotationState::rolled_back);
  CHECK(mint.held == HeldSecret::discard);
  CHECK(mint.credential("keyherd-r1-2") == CredentialState::leaving);
  CHECK(mint.state.active == "a");
  CHECK(mint.row.generation == 7);
  CHECK(mint.counted == std::vector{RotationFailure::preflight});
}

TEST_CASE("a provider that is away after it made the secret is waited for, a day long") {
  Mint mint;
  mint.made();
  while (mint.now < kNow + std::chrono::hours(23))
    mint.away();
  CHECK(mint.row.state == RotationState::minted);
  mint.ok();
  mint.ok();
  CHECK(mint.row.state == RotationState::staged);
}

TEST_CASE("a mint that failed may have been done: whoever repeats it asks first") {
  Mint mint;
  CHECK_FALSE(mint.next->after_crash);
  mint.away();
  CHECK(mint.next->kind == Kind::mint);
  CHECK(mint.next->after_crash);
  CHECK(mint.row.state == RotationState::planned);
  while (mint.next)
    mint.away();
  CHECK(mint.row.state == RotationState::rolled_back);
  // By its name: nobody knows whether it exists.
  CHECK(mint.credential() == CredentialState::leaving);
  CHECK(mint.credentials.at("keyherd-r1").remote_id.empty());
}

TEST_CASE("a step lost in a crash is done again, knowing nothing") {
  Mint mint;
  const auto resumed = [&] { return *rotation::resume(mint.context(), mint.row).next; };
  CHECK(resumed().kind == Kind::mint);
  CHECK(resumed().after_crash);
  mint.made();
  CHECK(resumed().kind == Kind::verify);
  CHECK(resumed().held);
  mint.ok();
  mint.ok();
  CHECK(resumed().kind == Kind::publish);
  mint.ok();
  CHECK(resumed().kind == Kind::deliver);
  mint.ok();
  CHECK(mint.row.state == RotationState::retiring);
  CHECK_FALSE(rotation::resume(mint.context(), mint.row).next);
}

TEST_CASE("what worked before and does not once it is live is taken back") {
  Mint mint;
  mint.until_published();
  mint.refused();
  CHECK(mint.next->kind == Kind::confirm);
  mint.refused();
  REQUIRE(mint.next->kind == Kind::restore);
  CHECK(mint.next->key == "a");
  CHECK(mint.next->generation == 9);
  // Resumed in the same direction.
  CHECK(rotation::resume(mint.context(), mint.row).next->kind == Kind::restore);
  CHECK_FALSE(rotation::can_be_overtaken(mint.row));
  mint.ok();
  CHECK(mint.row.state == RotationState::rolled_back);
  CHECK(mint.state.active == "a");
  CHECK(mint.state.generation == 9);
  CHECK(mint.credential() == CredentialState::leaving);
  CHECK(mint.credentials.at("keyherd-r1").not_before == mint.now + minutes(30));
  CHECK(mint.counted == std::vector{RotationFailure::preflight});
}

TEST_CASE("without a way back a key that cannot be proven stays, and says so") {
  Mint mint;
  mint.until_published();
  mint.previous_works = false;
  while (mint.next)
    mint.refused();
  CHECK(mint.state.active == "b");
  CHECK(mint.row.state == RotationState::retiring);
}

TEST_CASE("adoption is seen in the usage logs, and only then the last key may leave") {
  Mint mint;
  mint.has_logs = true;
  mint.until_published();
  mint.ok();
  CHECK(mint.row.state == RotationState::verified);
  CHECK_FALSE(rotation::watch(mint.context(), mint.row));
  mint.from_used_at = mint.now;
  CHECK_FALSE(rotation::watch(mint.context(), mint.row));
  mint.to_used_at = mint.now;
  auto adopted = rotation::watch(mint.context(), mint.row);
  REQUIRE(adopted);
  mint.take(*adopted);
  CHECK(mint.row.state == RotationState::retiring);
  CHECK(mint.credential("keyherd-r0") == CredentialState::leaving);
  CHECK(mint.credentials.at("keyherd-r0").rotation == "r1");
}

TEST_CASE("consumers that stay on the last key take the pool back in time") {
  Mint mint;
  mint.has_logs = true;
  mint.until_published();
  mint.ok();
  const auto due = rotation::adoption_due(mint.pool, mint.row);
  REQUIRE(due);
  mint.now = *due;
  mint.from_used_at = mint.now - seconds(1);
  auto back = rotation::watch(mint.context(), mint.row);
  REQUIRE(back);
  mint.take(*back);
  CHECK(mint.next->kind == Kind::restore);
  CHECK(mint.counted == std::vector{RotationFailure::adoption});
  mint.ok();
  CHECK(mint.row.state == RotationState::rolled_back);
  CHECK(mint.state.active == "a");
}

TEST_CASE("a pool that nobody uses is not taken back for want of traffic") {
  Mint mint;
  mint.has_logs = true;
  mint.until_published();
  mint.ok();
  mint.now = *rotation::adoption_due(mint.pool, mint.row);
  auto kept = rotation::watch(mint.context(), mint.row);
  REQUIRE(kept);
  CHECK(kept->rotation.state == RotationState::retiring);
}

TEST_CASE("a key that is not ours to end stays, and the journal says why") {
  Mint mint;
  mint.ending.reset();
  mint.until_published();
  mint.ok();
  CHECK(mint.row.state == RotationState::committed);
}

TEST_CASE("an emergency may take over while nothing is published, and nothing is left behind") {
  Mint mint;
  CHECK(rotation::can_be_overtaken(mint.row));
  mint.made();
  CHECK(rotation::can_be_overtaken(mint.row));
  mint.take(rotation::abandon(mint.context(), mint.row, "overtaken"));
  CHECK(mint.row.state == RotationState::rolled_back);
  CHECK(mint.row.generation == 7);
  CHECK(mint.held == HeldSecret::discard);
  CHECK(mint.credential() == CredentialState::leaving);
}

TEST_CASE("the last key is retired though an emergency takes over from the one that is live") {
  Mint mint;
  mint.made();
  while (mint.row.state != RotationState::published)
    mint.ok();
  mint.take(rotation::abandon(mint.context(), mint.row, "overtaken"));
  CHECK(mint.row.state == RotationState::retiring);
}

TEST_CASE("a slot keeps the secret that it was given, whatever is thought of it") {
  Mint mint;
  mint.pool.mode = RotationMode::slot;
  mint.row.mode = RotationMode::slot;
  mint.made();
  while (mint.row.state == RotationState::minted)
    mint.refused();
  CHECK(mint.row.state == RotationState::rolled_back);
  CHECK(mint.held == HeldSecret::adopt);
}

TEST_CASE("a slot that an emergency takes over from is not regenerated once more") {
  Mint mint;
  mint.pool.mode = RotationMode::slot;
  mint.row.mode = RotationMode::slot;
  const auto early = rotation::abandon(mint.context(), mint.row, "overtaken");
  CHECK(early.credentials.empty());
  CHECK(early.held == HeldSecret::untouched);
  mint.made();
  const auto late = rotation::abandon(mint.context(), mint.row, "overtaken");
  CHECK(late.credentials.empty());
  CHECK(late.held == HeldSecret::adopt);
}
