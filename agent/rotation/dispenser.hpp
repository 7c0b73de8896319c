#pragma once

// Hands out a pool's keys, one a call, by the pool's strategy. A Dispenser is immutable: it is what
// the loop believed when it made it. What happened since then is in the KeyLoads, a few atomic
// numbers a key, so that any number of threads may choose at once and none waits for another.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "model/provider.hpp"
#include "rotation/candidate.hpp"
#include "rotation/strategies.hpp"

namespace keyherd::rotation {

// What requests used.
struct Spent {
  std::int64_t requests = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
};

// One key since the loop last looked. Any thread.
class alignas(64) KeyLoad {
 public:
  // A request of which nobody reports is forgotten after so long (and a third more at most).
  static constexpr std::chrono::seconds kForgetAfter{300};

  void handed_out(SteadyTime now);
  void came_back(SteadyTime now);
  [[nodiscard]] std::int64_t in_flight(SteadyTime now) const;

  // Reported, and not yet in what the loop counted.
  void add_uncounted(const Spent& spent);
  void remove_uncounted(const Spent& spent);
  [[nodiscard]] Spent uncounted() const;

  // Whether this call may give the key out, of which it carries only that share: true for so many
  // of the calls that ask.
  [[nodiscard]] bool takes_part(double share);

  // The key was refused: it is left alone until then or, with `until_ok`, until it was seen to work
  // after `now`.
  void skip(WallTime now, WallTime until, bool until_ok);
  // Until when it is left alone; nothing: it is not.
  [[nodiscard]] std::optional<WallTime> skipped(WallTime now,
                                                std::optional<WallTime> last_ok_at) const;

 private:
  static constexpr std::size_t kSlots = 4;
  // How many were handed out in one stretch of time: its number in the upper half, the count below.
  std::array<std::atomic<std::uint64_t>, kSlots> out_{};
  std::atomic<std::int64_t> requests_{0};
  std::atomic<std::int64_t> input_{0};
  std::atomic<std::int64_t> output_{0};
  std::atomic<WallTime::rep> skip_until_{0};
  std::atomic<WallTime::rep> skipped_at_{0};
  std::atomic<std::uint32_t> asked_{0};  // for its share
};

// A member as a call looks at it.
struct Member {
  // Lower ones are handed out only when there is none of the others.
  enum class Tier { proven, at_need, in_incident, unfit };

  std::string key;
  Tier tier = Tier::unfit;
  std::string unfit_because;  // the end of a sentence about it
  Merits merits;
  struct Limit {
    model::QuotaUnit unit;
    std::int64_t remaining;
    std::int64_t limit;
    std::int64_t reserve;  // that much must be left
  };
  std::vector<Limit> limits;
  // Tokens of one request, from what the key was used for.
  std::int64_t usual_input = 0;
  std::int64_t usual_output = 0;
  std::optional<WallTime> last_ok_at;
  std::optional<WallTime> expires_at;
  std::optional<WallTime> cooldown_until;  // of an unfit one: when it may be fit again
  // It has recovered, and carries its full share again at the second of these.
  std::optional<std::pair<WallTime, WallTime>> ramp{};
  std::shared_ptr<KeyLoad> load;
  std::shared_ptr<const Secret> secret;
  std::shared_ptr<const model::Provider> provider;
};
// `load` and `usual_*`, `secret` and `provider` are the caller's to set.
Member make_member(const model::Pool& pool, const Candidate& candidate, WallTime now);

class Dispenser {
 public:
  using Members = std::vector<std::shared_ptr<const Member>>;  // in the pool's order

  Dispenser(std::string pool, model::Strategy strategy, Members members);
  // The same pool with these members in place of those of the same key; the round goes on.
  [[nodiscard]] Dispenser with(const Members& changed) const;
  // Another table of the same pool takes over where this one is in its round.
  void go_on_from(const Dispenser& before) { last_ = before.last_; }

  // The best key now, and its load counts one more; null: none may be handed out. Of more than 64
  // fit keys, the best of the 64 that were best when the table was made, or that are next in turn.
  // `exclude`: keys that the caller does not want.
  [[nodiscard]] const Member* next(Instant now, const std::vector<std::string>& exclude = {}) const;
  // Why next() gives none, one line, and when to ask again.
  struct Nothing {
    std::string message;
    WallTime ask_again;
  };
  [[nodiscard]] Nothing explain(Instant now, const std::vector<std::string>& exclude) const;
  // Null: no such member.
  [[nodiscard]] const Member* find(std::string_view key) const;

 private:
  struct Standing;
  // Members that were alike when the table was made, in the pool's order. What happens since makes
  // none better: nobody looks at a group while a key of a better one is still better than that.
  struct Group {
    Member::Tier tier;
    Preference at_best;
    std::vector<std::size_t> places;
  };
  static std::vector<Group> grouped(model::Strategy strategy, const Members& members);
  // `ramped`: keys that have just recovered take part by their share.
  [[nodiscard]] std::optional<std::size_t> choose(Instant now, std::size_t start,
                                                  const std::vector<std::string>& exclude,
                                                  bool ramped) const;
  [[nodiscard]] std::optional<Standing> look_at(std::size_t place, std::size_t start,
                                                Instant now) const;

  std::string pool_;
  model::Strategy strategy_;
  Members members_;
  std::vector<Group> groups_;  // best first, without the unfit
  std::shared_ptr<const std::map<std::string, std::size_t, std::less<>>> places_;
  // Where the round begins: behind the key that was handed out last.
  std::shared_ptr<std::atomic<std::size_t>> last_ = std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace keyherd::rotation
