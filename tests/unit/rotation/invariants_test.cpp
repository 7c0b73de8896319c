// Random events against the promises that hold in every one of them.

#include <catch2/catch.hpp>
#include <map>

#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::KeyState;
using model::RotationState;
using rotation::StepDone;
using rotation::StepRequest;
using Kind = rotation::StepRequest::Kind;

namespace {

// What a file's readers have.
struct Published {
  std::string key;
  std::int64_t generation = 0;
};

// A pool with two files and a hook, an engine that commits before it acts and may crash at any
// point, and a world in which keys change, files fail and hooks fail.
class World {
 public:
  explicit World(std::uint64_t seed)
      : random_(seed),
        herd_({key_in("a", "k1"), key_in("a", "k2"), key_in("b", "k3"), key_in("c", "k4")},
              static_cast<model::Strategy>(seed % 3)) {
    herd_.state = {};
    herd_.state.pool = "prod";
    herd_.pool.publish = {file("A"), model::PublishExec{{"/bin/hook"}}, file("B")};
  }

  void event() {
    herd_.now += std::chrono::milliseconds(pick(40'000));
    switch (pick(8)) {
      case 0:
        change_a_key();
        break;
      case 1:
        start(by_schedule());
        break;
      case 2:
        start(by_hand());
        break;
      case 3:
        start(by_hand("k" + std::to_string(1 + pick(4))));
        break;
      case 4:
        crash();
        break;
      default:
        break;
    }
    if (const auto request = herd_.wanted())
      start(*request);
    if (next_)
      run();
    check();
  }

  int switches = 0;

 private:
  static model::PublishTarget file(const std::string& name) { return model::PublishFile{name}; }
  int pick(int below) { return static_cast<int>(random_.next() % static_cast<unsigned>(below)); }

  void change_a_key() {
    auto& member = herd_.members[static_cast<std::size_t>(pick(4))];
    constexpr std::array kStates{KeyState::healthy,   KeyState::healthy, KeyState::healthy,
                                 KeyState::exhausted, KeyState::dead,    KeyState::throttled,
                                 KeyState::degraded,  KeyState::unknown, KeyState::paused};
    member.state = kStates[static_cast<std::size_t>(pick(kStates.size()))];
    member.verified = member.state == KeyState::healthy && pick(4) != 0;
    member.frozen = pick(20) == 0;
    member.last_ok_at = herd_.now - std::chrono::minutes(pick(20));
  }

  rotation::WorkflowContext context() const {
    const auto* previous = rotation::find(herd_.members, row_ ? row_->from : "");
    const bool works = previous != nullptr && model::is_usable(previous->state);
    return {herd_.pool, herd_.state, works, std::nullopt, herd_.now};
  }

  void start(const rotation::Request& request) {
    const auto plan = herd_.plan(request);
    if (!plan)
      return;
    const auto* to = rotation::find(herd_.members, plan->to);
    REQUIRE(to != nullptr);
    REQUIRE((to->verified || plan->verify_first));
    REQUIRE((to->verified || request.to));
    REQUIRE(to->state != KeyState::dead);
    REQUIRE(plan->to != herd_.state.active);
    if (!plan->supersedes.empty()) {
      REQUIRE(row_);
      REQUIRE(plan->supersedes == row_->id);
      commit(rotation::abandon(context(), *row_, "overtaken"));
    }
    REQUIRE_FALSE(row_);  // at most one in flight
    generation_before_ = herd_.state.generation;
    commit(rotation::begin(context(), *plan, rotation::make_rotation_id(herd_.now, random_)));
  }

  void crash() {
    next_.reset();
    if (row_)
      commit(rotation::resume(context(), *row_));
  }

  // Runs the step, or crashes before, during or after it.
  void run() {
    StepDone done;
    done.request = *next_;
    if (done.request.kind == Kind::verify || done.request.kind == Kind::confirm) {
      const auto* member = rotation::find(herd_.members, done.request.key);
      if (member->state != KeyState::healthy || !member->verified)
        done.status = fail(pick(2) == 0 ? ErrorCode::denied : ErrorCode::unavailable, "not ok");
    }
    for (const auto& target : done.request.targets) {
      if (pick(30) == 0)
        return crash();
      done.outcomes.push_back({target, tell(target, done.request)});
    }
    if (pick(30) == 0)
      return crash();
    const auto transition = rotation::advance(context(), *row_, done);
    REQUIRE(transition);
    commit(*transition);
  }

  Status tell(const model::PublishTarget& target, const StepRequest& request) {
    if (pick(6) == 0)
      return fail(pick(2) == 0 ? ErrorCode::no_space : ErrorCode::invalid, "no");
    const auto* into = std::get_if<model::PublishFile>(&target);
    if (into == nullptr)
      return {};
    Published& published = files_[into->path];
    // Readers compare generations: never lower, and never another key under the same one.
    REQUIRE(request.generation >= published.generation);
    if (request.generation == published.generation)
      REQUIRE(request.key == published.key);
    published = {request.key, request.generation};
    return {};
  }

  void commit(const rotation::Transition& transition) {
    if (transition.pool)
      herd_.state = *transition.pool;
    next_ = transition.next;
    auto& history = herd_.history;
    if (history.empty() || history.front().id != transition.rotation.id)
      history.insert(history.begin(), transition.rotation);
    history.front() = transition.rotation;
    if (!model::is_final(transition.rotation.state)) {
      row_ = transition.rotation;
      return;
    }
    row_.reset();
    REQUIRE_FALSE(next_);
    ended(transition.rotation);
  }

  void ended(const model::Rotation& rotation) {
    const auto moved = herd_.state.generation - generation_before_;
    REQUIRE(rotation.generation == herd_.state.generation);
    if (rotation.state == RotationState::committed) {
      REQUIRE(moved == 1);
      REQUIRE(herd_.state.active == rotation.to);
      ++switches;
    } else if (rotation.state == RotationState::rolled_back) {
      REQUIRE((moved == 0 || moved == 2));
      REQUIRE(herd_.state.active == rotation.from);
    }
  }

  void check() const {
    const auto running =
        std::count_if(herd_.history.begin(), herd_.history.end(),
                      [](const model::Rotation& one) { return !model::is_final(one.state); });
    REQUIRE(running <= 1);
    REQUIRE((running == 1) == row_.has_value());
    REQUIRE((!row_ || next_));  // whatever is in flight has a next step
    REQUIRE((herd_.state.active.empty() || herd_.state.generation > 0));
  }

  SeededRandom random_;
  Herd herd_;
  std::map<std::string, Published> files_;
  std::optional<model::Rotation> row_;
  std::optional<StepRequest> next_;
  std::int64_t generation_before_ = 0;
};

}  // namespace

TEST_CASE("random events break none of the promises") {
  int switches = 0;
  for (std::uint64_t seed = 0; seed < 2'500; ++seed) {  // a million events
    CAPTURE(seed);
    World world(seed);
    for (int i = 0; i < 400; ++i)
      world.event();
    switches += world.switches;
  }
  CHECK(switches > 25'000);  // it did something
}

TEST_CASE("while any key is usable, the active one becomes usable within a few steps") {
  SeededRandom random(7);
  for (int round = 0; round < 2'000; ++round) {
    Herd herd({key("k1"), key("k2"), key("k3")});
    for (auto& member : herd.members)
      member.state = random.next() % 2 == 0 ? KeyState::healthy : KeyState::dead;
    const auto request = herd.wanted();
    const bool any = std::any_of(herd.members.begin(), herd.members.end(), [](const auto& member) {
      return member.state == KeyState::healthy;
    });
    if (herd.members[0].state == KeyState::healthy) {
      REQUIRE_FALSE(request);
      continue;
    }
    REQUIRE(request);
    const auto plan = herd.plan(*request);
    REQUIRE(plan.has_value() == any);
    if (!plan)
      continue;
    REQUIRE(rotation::find(herd.members, plan->to)->state == KeyState::healthy);
    const auto transition =
        rotation::begin({herd.pool, herd.state, false, std::nullopt, herd.now}, *plan, "r");
    REQUIRE(transition.rotation.state == RotationState::published);
    REQUIRE(transition.pool->active == plan->to);
  }
}
