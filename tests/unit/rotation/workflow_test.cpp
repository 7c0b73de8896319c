#include "rotation/workflow.hpp"

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::RotationFailure;
using model::RotationState;
using rotation::StepDone;
using rotation::StepRequest;
using rotation::Transition;
using Kind = rotation::StepRequest::Kind;
using std::chrono::seconds;

namespace {

const model::PublishTarget kFileA = model::PublishFile{"/run/a.json"};
const model::PublishTarget kFileB = model::PublishFile{"/run/b.json"};
const model::PublishTarget kHook = model::PublishExec{{"/bin/hook"}};
const model::PublishTarget kWebhook = model::PublishWebhook{"https://example.com/x", {}};
using Targets = std::vector<model::PublishTarget>;

// Plays the engine: commits what transitions say, and answers their steps.
struct Play {
  model::Pool pool;
  model::PoolState state;
  bool previous_works = true;
  WallTime now = kNow;
  model::Rotation row;
  std::optional<StepRequest> next;
  std::vector<RotationFailure> counted;

  explicit Play(Targets publish) {
    pool.id = "prod";
    pool.keys = {"k1", "k2"};
    pool.publish = std::move(publish);
    state.pool = "prod";
    state.active = "k1";
    state.generation = 7;
    state.last_rotation = "r0";
  }

  [[nodiscard]] rotation::WorkflowContext context() const {
    return {pool, state, previous_works, std::nullopt, now};
  }

  void take(Transition transition) {
    row = std::move(transition.rotation);
    if (transition.pool)
      state = *transition.pool;
    next = std::move(transition.next);
    if (transition.failure)
      counted.push_back(*transition.failure);
  }

  void begin(bool verify_first = true) {
    rotation::Plan plan;
    plan.pool = "prod";
    plan.from = state.active;
    plan.to = "k2";
    plan.verify_first = verify_first;
    plan.reason = "a test";
    plan.actor = "agent";
    take(rotation::begin(context(), plan, "r1"));
  }

  void verified(Status outcome = {}) {
    StepDone done;
    done.request = *next;
    done.status = std::move(outcome);
    accept(done);
  }

  // Targets not named fail.
  void told(const Targets& reached, ErrorCode code = ErrorCode::unavailable) {
    StepDone done;
    done.request = *next;
    for (const auto& target : next->targets) {
      const bool ok = std::find(reached.begin(), reached.end(), target) != reached.end();
      done.outcomes.push_back(
          {target, ok ? Status{} : fail(code, model::describe(target) + ": no")});
    }
    accept(done);
  }
  void told_all() { told(next->targets); }

  void accept(const StepDone& done) {
    now += seconds(1);
    auto transition = rotation::advance(context(), row, done);
    REQUIRE(transition);
    take(std::move(*transition));
  }

  // What a start after a crash finds: the committed row and state, nothing else.
  void crash_and_resume() {
    next.reset();
    take(rotation::resume(context(), row));
  }

  [[nodiscard]] std::vector<RotationState> path() const {
    std::vector<RotationState> states;
    for (const auto& step : row.steps)
      states.push_back(step.state);
    return states;
  }
};

using Path = std::vector<RotationState>;

}  // namespace

TEST_CASE("a switch is probed, written, told and committed, one generation further") {
  Play play({kHook, kFileA, kWebhook, kFileB});
  play.begin();
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::verify);
  CHECK(play.next->key == "k2");
  CHECK(play.state.active == "k1");

  play.verified();
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::publish);
  CHECK(play.next->targets == Targets{kFileA, kFileB});
  CHECK(play.next->generation == 8);
  CHECK(play.next->published_at == play.now);
  CHECK(play.next->valid_until == play.now + play.pool.valid_for);
  CHECK(play.state.active == "k1");

  const WallTime published_at = play.next->published_at;
  play.told_all();
  CHECK(play.state.active == "k2");
  CHECK(play.state.generation == 8);
  CHECK(play.state.decided_at == published_at);
  CHECK(play.state.switched_at == play.now);
  CHECK(play.state.last_rotation == "r1");
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::deliver);
  CHECK(play.next->targets == Targets{kHook, kWebhook});
  CHECK(play.next->published_at == published_at);

  play.told_all();
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::confirm);
  CHECK(play.next->key == "k2");
  play.verified();
  CHECK_FALSE(play.next);
  CHECK(play.row.generation == 8);
  CHECK(play.counted.empty());
  CHECK(play.path() == Path{RotationState::planned, RotationState::staged, RotationState::published,
                            RotationState::verified, RotationState::committed});
}

TEST_CASE("an emergency writes first and asks for a probe at once") {
  Play play({kFileA});
  rotation::Plan plan;
  plan.pool = "prod";
  plan.from = "k1";
  plan.to = "k2";
  plan.verify_first = false;
  const Transition transition = rotation::begin(play.context(), plan, "r1");
  CHECK(transition.probe_now);
  CHECK(transition.rotation.state == RotationState::staged);
  REQUIRE(transition.next);
  CHECK(transition.next->kind == Kind::publish);
}

TEST_CASE("a pool without targets is switched for the API alone") {
  Play play({});
  play.begin(false);
  CHECK(play.state.active == "k2");
  play.verified();
  CHECK(play.row.state == RotationState::committed);
  CHECK(play.state.generation == 8);
}

TEST_CASE("a key that does not prove itself is refused and nothing changes") {
  Play play({kFileA});
  play.begin();
  play.verified(fail(ErrorCode::invalid, "the provider said invalid_key"));
  CHECK(play.row.state == RotationState::refused);
  CHECK(play.row.steps.back().note == "k2 is not proven: the provider said invalid_key");
  CHECK(play.state.active == "k1");
  CHECK(play.state.generation == 7);
  CHECK(play.counted == std::vector{RotationFailure::preflight});
}

TEST_CASE("when no file could be written nothing is changed") {
  Play play({kFileA, kFileB, kHook});
  play.begin();
  play.verified();
  play.told({});
  CHECK(play.row.state == RotationState::rolled_back);
  CHECK(play.row.generation == 7);
  CHECK(play.state.generation == 7);
  CHECK(play.state.active == "k1");
  CHECK_FALSE(play.next);
  CHECK(play.counted == std::vector{RotationFailure::publish});
}

TEST_CASE("when some files were written the previous key is written there again") {
  Play play({kFileA, kFileB, kHook});
  play.begin();
  play.verified();
  play.told({kFileA});
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::restore);
  CHECK(play.next->key == "k1");
  CHECK(play.next->targets == Targets{kFileA});
  CHECK(play.next->generation == 9);  // consumers of A have seen 8
  play.told_all();
  CHECK(play.row.state == RotationState::rolled_back);
  CHECK(play.state.active == "k1");
  CHECK(play.state.generation == 9);
  CHECK(play.row.generation == 9);
  CHECK(play.counted == std::vector{RotationFailure::publish});
}

TEST_CASE("a way back that stays closed ends with a person") {
  Play play({kFileA, kFileB});
  play.begin();
  play.verified();
  play.told({kFileA});
  int attempts = 0;
  for (; play.next; ++attempts)
    play.told({});
  CHECK(attempts == rotation::kDeliveryAttempts);
  CHECK(play.row.state == RotationState::needs_human);
  CHECK(play.state.active == "k1");
  CHECK(play.state.generation == 9);
}

TEST_CASE("without a working previous key it goes on, and the other file is tried again") {
  Play play({kFileA, kFileB, kHook});
  play.previous_works = false;
  play.begin(false);
  play.told({kFileB});
  CHECK(play.row.state == RotationState::published);
  CHECK(play.state.active == "k2");
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::deliver);
  CHECK(play.next->targets == Targets{kFileA, kHook});
  play.told({kHook});
  REQUIRE(play.next);
  CHECK(play.next->targets == Targets{kFileA});
  CHECK(play.next->delay == seconds(1));
  play.told_all();
  play.verified();
  CHECK(play.row.state == RotationState::committed);
  CHECK(play.counted == std::vector{RotationFailure::publish});
}

TEST_CASE("a first publication has no key to go back to") {
  Play play({kFileA, kFileB});
  play.state.active.clear();
  play.begin(false);
  play.told({kFileA});
  CHECK(play.row.state == RotationState::published);
  CHECK(play.state.active == "k2");
}

TEST_CASE("a failing hook is tried five times more, with growing pauses, and counted once") {
  Play play({kFileA, kHook, kWebhook});
  play.begin(false);
  play.told_all();
  std::vector<std::int64_t> pauses;
  while (play.next) {
    pauses.push_back(std::chrono::duration_cast<seconds>(play.next->delay).count());
    play.told({kWebhook}, ErrorCode::invalid);
    CHECK(play.counted.size() == 1);
  }
  CHECK(pauses == std::vector<std::int64_t>{0, 1, 2, 4, 8, 16});
  CHECK(play.counted == std::vector{RotationFailure::hook});
  CHECK(play.row.state == RotationState::needs_human);
  CHECK(play.row.steps.back().note == "k2 is live, but after 6 attempts: exec:/bin/hook: no");
  CHECK(play.state.active == "k2");  // the files stay
  CHECK(play.state.generation == 8);
}

TEST_CASE("a hook that asks for patience is counted only when it never comes right") {
  Play play({kHook});
  play.begin(false);
  play.told({}, ErrorCode::unavailable);
  CHECK(play.counted.empty());
  play.told_all();
  play.verified();
  CHECK(play.row.state == RotationState::committed);
  CHECK(play.counted.empty());

  Play never({kHook});
  never.begin(false);
  while (never.next)
    never.told({}, ErrorCode::unavailable);
  CHECK(never.counted == std::vector{RotationFailure::hook});
}

TEST_CASE("a webhook that is never reached leaves the rotation committed, with a note") {
  Play play({kWebhook});
  play.begin(false);
  while (play.next->kind == Kind::deliver)
    play.told({});
  const std::string note = play.row.steps.back().note;
  play.verified();
  CHECK(play.row.state == RotationState::committed);
  CHECK(note == "k2 is live, but after 6 attempts: webhook:https://example.com: no");
  CHECK(play.counted == std::vector{RotationFailure::hook});
}

TEST_CASE("a report that does not belong to the present step is ignored") {
  Play play({kFileA, kHook});
  play.begin();
  StepDone verified;
  verified.request = *play.next;
  play.verified();
  CHECK_FALSE(rotation::advance(play.context(), play.row, verified));

  StepDone foreign;
  foreign.request = *play.next;
  foreign.request.rotation = "r9";
  CHECK_FALSE(rotation::advance(play.context(), play.row, foreign));

  StepDone older;
  older.request = *play.next;
  older.request.generation = play.row.generation - 1;
  CHECK_FALSE(rotation::advance(play.context(), play.row, older));

  StepDone of_a_secret;
  of_a_secret.request = *play.next;
  of_a_secret.request.credential = "keyherd-r0";
  CHECK_FALSE(rotation::advance(play.context(), play.row, of_a_secret));

  StepDone published;
  published.request = *play.next;
  published.outcomes = {{kFileA, {}}};
  play.told_all();
  CHECK_FALSE(rotation::advance(play.context(), play.row, published));
  CHECK(play.state.generation == 8);
}

TEST_CASE("a step that a shutdown cancelled leaves the row for the next start") {
  Play play({kFileA});
  play.begin(false);
  StepDone done;
  done.request = *play.next;
  done.outcomes = {{kFileA, fail(ErrorCode::cancelled, "stopping")}};
  CHECK_FALSE(rotation::advance(play.context(), play.row, done));
  play.crash_and_resume();
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::publish);
}

TEST_CASE("a crash in any state is continued to the same end") {
  for (int crash_before = 0; crash_before < 3; ++crash_before) {
    Play play({kHook, kFileA});
    play.begin();
    for (int step = 0; play.next; ++step) {
      if (step == crash_before) {
        const Kind lost = play.next->kind;
        const auto generation = play.next->generation;
        play.crash_and_resume();
        REQUIRE(play.next);
        CHECK(play.next->kind == lost);
        CHECK(play.next->generation == generation);
        CHECK(play.next->rotation == "r1");
        CHECK(play.next->after_crash);
      }
      if (play.next->targets.empty())
        play.verified();
      else
        play.told_all();
    }
    CHECK(play.row.state == RotationState::committed);
    CHECK(play.state.active == "k2");
    CHECK(play.state.generation == 8);
  }
}

TEST_CASE("after a crash a failed file may have been written before: all are restored") {
  Play play({kFileA, kFileB});
  play.begin(false);
  play.crash_and_resume();
  play.told({});
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::restore);
  CHECK(play.next->targets == Targets{kFileA, kFileB});
  CHECK(play.next->generation == 9);
}

TEST_CASE("a crash on the way back goes on going back") {
  Play play({kFileA, kFileB});
  play.begin();
  play.verified();
  play.told({kFileA});
  play.crash_and_resume();
  REQUIRE(play.next);
  CHECK(play.next->kind == Kind::restore);
  CHECK(play.next->key == "k1");
  CHECK(play.next->generation == 9);
  play.told_all();
  CHECK(play.row.state == RotationState::rolled_back);
  CHECK(play.state.generation == 9);
}

TEST_CASE("a row that has ended stays as it is") {
  for (const auto state : {RotationState::committed, RotationState::rolled_back,
                           RotationState::needs_human, RotationState::refused}) {
    Play play({kFileA});
    play.row = rotation_to("k2", kNow, state);
    play.crash_and_resume();
    CHECK_FALSE(play.next);
    CHECK(play.row.state == state);
    CHECK(play.row.steps.empty());
  }
}

TEST_CASE("what waits for others waits on after a crash") {
  for (const auto state : {RotationState::verified, RotationState::retiring}) {
    Play play({kFileA});
    play.row = rotation_to("k2", kNow, state);
    play.crash_and_resume();
    CHECK_FALSE(play.next);
    CHECK(play.row.state == state);
  }
}

TEST_CASE("an abandoned rotation ends where its effects are") {
  const auto end = [](RotationState state) {
    const Play play({});
    return rotation::abandon(play.context(), rotation_to("k2", kNow, state), "the pool is gone")
        .rotation.state;
  };
  CHECK(end(RotationState::planned) == RotationState::refused);
  CHECK(end(RotationState::staged) == RotationState::needs_human);
  CHECK(end(RotationState::verified) == RotationState::committed);
  CHECK(end(RotationState::published) == RotationState::committed);
  CHECK(end(RotationState::rolled_back) == RotationState::rolled_back);
}

TEST_CASE("a refresh repeats key and generation for the files alone") {
  Play play({kHook, kFileA});
  const StepRequest request = rotation::refresh(play.context());
  CHECK(request.kind == Kind::refresh);
  CHECK(request.key == "k1");
  CHECK(request.generation == 7);
  CHECK(request.rotation == "r0");
  CHECK(request.targets == Targets{kFileA});
  CHECK(request.valid_until == kNow + play.pool.valid_for);
}

TEST_CASE("a decision is not promised beyond its key's own expiry") {
  model::Pool pool;
  CHECK(rotation::valid_until(pool, std::nullopt, kNow) == kNow + std::chrono::hours(24));
  CHECK(rotation::valid_until(pool, kNow + seconds(5), kNow) == kNow + seconds(5));
}

TEST_CASE("rotation ids sort by time and differ within a millisecond") {
  SeededRandom random(1);
  const std::string first = rotation::make_rotation_id(kNow, random);
  const std::string second = rotation::make_rotation_id(kNow, random);
  const std::string later = rotation::make_rotation_id(kNow + std::chrono::milliseconds(1), random);
  CHECK(first.substr(0, 20) == "20260501T000000000Z-");
  CHECK(first.size() == 28);
  CHECK(first != second);
  CHECK(std::max(first, second) < later);
}
