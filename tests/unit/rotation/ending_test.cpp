#include "rotation/ending.hpp"

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::Credential;
using model::CredentialState;
using model::RotationMode;
using rotation::Ending;
using rotation::EndingFacts;
using rotation::StepDone;
using Kind = rotation::StepRequest::Kind;
using std::chrono::minutes;

namespace {

Credential leaving() {
  return {"keyherd-r0", "a",  "prod", "office", "id0", CredentialState::leaving,
          "r1",         kNow, kNow,   ""};
}

EndingFacts facts(WallTime now = kNow) {
  EndingFacts made;
  made.mode = RotationMode::provision;
  made.replaced = true;
  made.quiet_for = minutes(10);
  made.can_probe = true;
  made.now = now;
  return made;
}

StepDone answered(const Ending& ending, Status status) {
  StepDone done;
  done.request = *ending.next;
  done.status = std::move(status);
  return done;
}

}  // namespace

TEST_CASE("nothing is ended before the overlap is over and its users have left") {
  Credential credential = leaving();
  credential.not_before = kNow + minutes(30);
  const Ending early = rotation::consider_ending(credential, facts());
  CHECK(early.ask_again == credential.not_before);
  CHECK(early.credential.state == CredentialState::leaving);

  EndingFacts used = facts(credential.not_before);
  used.last_used_at = used.now - minutes(1);
  const Ending busy = rotation::consider_ending(credential, used);
  CHECK(busy.ask_again == *used.last_used_at + minutes(10));
  CHECK(busy.credential.note.find("a is still used") == 0);

  used.last_used_at = used.now - minutes(10);
  const Ending quiet = rotation::consider_ending(credential, used);
  CHECK(quiet.begins);
  CHECK(quiet.credential.state == CredentialState::revoking);
  CHECK(quiet.next->kind == Kind::revoke);
  CHECK(quiet.next->remote_id == "id0");
}

TEST_CASE("the only key that works is never ended") {
  EndingFacts alone = facts();
  alone.replaced = false;
  const Ending ending = rotation::consider_ending(leaving(), alone);
  CHECK_FALSE(ending.begins);
  CHECK(ending.ask_again > kNow);
}

TEST_CASE("a refused key gives way to the next secret, though nothing else works") {
  EndingFacts alone = facts();
  alone.replaced = false;
  alone.refused = true;
  for (const auto mode : {RotationMode::provision, RotationMode::slot, RotationMode::command}) {
    alone.mode = mode;
    CHECK(rotation::consider_ending(leaving(), alone).begins);
  }
  // No next one comes of ending this.
  for (const auto mode : {RotationMode::deactivate, RotationMode::guided}) {
    alone.mode = mode;
    CHECK_FALSE(rotation::consider_ending(leaving(), alone).begins);
  }
}

TEST_CASE("a key that is active again is not ended") {
  EndingFacts used = facts();
  used.in_use = true;
  const Ending ending = rotation::consider_ending(leaving(), used);
  CHECK(ending.called_off);
  CHECK_FALSE(ending.over);
  CHECK(ending.credential.state == CredentialState::live);
}

TEST_CASE("an overlap that the provider does not keep is over") {
  Credential credential = leaving();
  credential.not_before = kNow + minutes(30);
  EndingFacts broken = facts();
  broken.refused = true;
  CHECK(rotation::consider_ending(credential, broken).begins);
}

TEST_CASE("it is over when the provider says so and the secret is refused") {
  const Ending begun = rotation::consider_ending(leaving(), facts());
  const Ending asked =
      rotation::advance_ending(begun.credential, facts(), answered(begun, Status{}));
  CHECK(asked.credential.state == CredentialState::confirming);
  CHECK(asked.next->kind == Kind::refusal);
  // It still answers: providers take their time.
  const Ending slow =
      rotation::advance_ending(asked.credential, facts(), answered(asked, Status{}));
  CHECK_FALSE(slow.over);
  CHECK(slow.next->kind == Kind::refusal);
  CHECK(slow.credential.note.find("still answers") != std::string::npos);
  // A provider that is away proves nothing.
  CHECK_FALSE(rotation::advance_ending(slow.credential, facts(),
                                       answered(slow, fail(ErrorCode::unavailable, "503")))
                  .over);
  CHECK(rotation::advance_ending(slow.credential, facts(),
                                 answered(slow, fail(ErrorCode::denied, "invalid_key")))
            .over);
}

TEST_CASE("a revocation that fails for two days is tried on, and its id is kept") {
  Ending ending = rotation::consider_ending(leaving(), facts());
  WallTime now = kNow;
  int attempts = 0;
  while (now < kNow + std::chrono::hours(48)) {
    ending = rotation::advance_ending(ending.credential, facts(now),
                                      answered(ending, fail(ErrorCode::unavailable, "500")));
    REQUIRE(ending.next);
    CHECK(ending.next->delay <= rotation::kLongestEndingDelay);
    CHECK(ending.credential.state == CredentialState::revoking);
    CHECK(ending.credential.remote_id == "id0");
    CHECK(ending.credential.note == "500");
    now += std::chrono::duration_cast<WallTime::duration>(ending.next->delay);
    ++attempts;
  }
  CHECK(attempts > 280);
  ending = rotation::advance_ending(ending.credential, facts(now), answered(ending, Status{}));
  CHECK(ending.credential.state == CredentialState::confirming);
}

TEST_CASE("without an API a person is asked, and the key is probed until it is refused") {
  EndingFacts guided = facts();
  guided.mode = RotationMode::guided;
  const Ending asked = rotation::consider_ending(leaving(), guided);
  CHECK(asked.begins);
  CHECK(asked.credential.state == CredentialState::confirming);
  CHECK(asked.credential.note.find("revoke a at its provider") == 0);
  CHECK(asked.next->kind == Kind::refusal);
  const Ending not_yet =
      rotation::advance_ending(asked.credential, guided, answered(asked, Status{}));
  CHECK(not_yet.credential.note == asked.credential.note);
  CHECK(rotation::advance_ending(not_yet.credential, guided,
                                 answered(not_yet, fail(ErrorCode::denied, "invalid_key")))
            .over);
}

TEST_CASE("after a crash an ending goes on where its outcome is not known") {
  Ending ending = rotation::consider_ending(leaving(), facts());
  CHECK_FALSE(rotation::resume_ending(leaving(), facts()));
  const auto revoke = rotation::resume_ending(ending.credential, facts());
  REQUIRE(revoke);
  CHECK(revoke->kind == Kind::revoke);
  CHECK(revoke->after_crash);
}
