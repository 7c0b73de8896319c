#pragma once

// Keys that claim different limit groups and yet behave as one account: their balances take the
// same values at the same time, or their money ends and returns together. Such keys are no spare
// for each other, whatever the configuration says. Of one provider; for the health folder alone.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "health/record.hpp"

namespace keyherd::health {

class Kinship {
 public:
  // After the evidence of the key was judged, with the state that it was in before. The pairs that
  // this shows for the first time.
  std::vector<SharedAccount> observe(const Record& record, const model::Evidence& evidence,
                                     model::KeyState before, SteadyTime now);
  // Forgets the keys that are not there any more.
  template <class IsPresent>
  void retain(IsPresent is_present) {
    std::erase_if(purses_, [&](const auto& entry) { return !is_present(entry.first); });
    std::erase_if(owners_, [&](const auto& entry) { return !is_present(entry.second); });
    std::erase_if(pairs_, [&](const auto& entry) {
      return !is_present(entry.first.first) || !is_present(entry.first.second);
    });
    turns_.clear();
  }

 private:
  // What a key's balance was last, and since when.
  struct Purse {
    std::string amount;
    std::string group;
    std::int64_t moves = 0;  // before the first one the amount says nothing: a round sum, perhaps
    SteadyTime since;
  };
  enum class Sign { spent, closed, refilled };
  // Money that ended or returned.
  struct Turn {
    std::string key;
    std::string group;
    Sign sign;
    SteadyTime at;
  };
  struct Score {
    std::int64_t balances = 0;
    std::int64_t turns = 0;
    SteadyTime last_turn{};  // of the other key, that was counted last
    bool told = false;
  };

  static std::optional<Sign> sign_of(const Record& record, const model::Evidence& evidence,
                                     model::KeyState before);
  void compare_balance(const Record& record, const model::Evidence& evidence, SteadyTime now,
                       std::vector<SharedAccount>& found);
  void compare_turn(const Record& record, Sign sign, SteadyTime now,
                    std::vector<SharedAccount>& found);
  Score* score_of(const std::string& a, const std::string& b);
  void conclude(const std::string& a, const std::string& b, Score& score,
                std::vector<SharedAccount>& found) const;
  // Of the key of the pair whose balance moved less often.
  [[nodiscard]] std::int64_t moves_of(const std::string& a, const std::string& b) const;

  std::map<std::string, Purse> purses_;             // by key
  std::multimap<std::string, std::string> owners_;  // amount → keys that moved to it
  std::deque<Turn> turns_;                          // of the last window, oldest first
  std::map<std::pair<std::string, std::string>, Score> pairs_;
};

}  // namespace keyherd::health
