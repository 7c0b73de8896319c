#include "health/kinship.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace keyherd::health {

namespace {

using model::KeyState;
using model::Verdict;

// Once may be chance, and so may twice; of many moves a few are.
constexpr std::int64_t kJointTurns = 3;
constexpr std::int64_t kJointBalances = 4;
constexpr std::int64_t kOneIn = 20;
// What so many keys do at once is the provider's doing (midnight, a new month), or a round sum that
// everybody was given.
constexpr std::size_t kCrowd = 8;
// Bounds on what is remembered.
constexpr std::size_t kMostPairs = 4'096;
constexpr std::size_t kMostTurns = 256;

// Nothing when there is no money: that is alike in all empty accounts.
std::string amount_of(const std::vector<model::Balance>& balances) {
  std::vector<std::string> parts;
  for (const model::Balance& balance : balances) {
    if (balance.nanos > 0)
      parts.push_back(fmt::format("{}{}", balance.currency, balance.nanos));
  }
  std::sort(parts.begin(), parts.end());
  return fmt::format("{}", fmt::join(parts, " "));
}

}  // namespace

std::vector<SharedAccount> Kinship::observe(const Record& record, const model::Evidence& evidence,
                                            KeyState before, SteadyTime now) {
  std::vector<SharedAccount> found;
  if (!evidence.balances.empty())
    compare_balance(record, evidence, now, found);
  if (const auto sign = sign_of(record, evidence, before))
    compare_turn(record, *sign, now, found);
  return found;
}

std::optional<Kinship::Sign> Kinship::sign_of(const Record& record, const model::Evidence& evidence,
                                              KeyState before) {
  const KeyState state = record.health.state;
  if (state == before)
    return std::nullopt;
  if (state == KeyState::exhausted)
    return Sign::spent;
  if (state == KeyState::dead && evidence.verdict == Verdict::account_disabled)
    return Sign::closed;
  // A reset by the clock goes through `unknown`: it is the calendar's doing.
  if (state == KeyState::healthy && before == KeyState::exhausted)
    return Sign::refilled;
  return std::nullopt;
}

void Kinship::compare_balance(const Record& record, const model::Evidence& evidence, SteadyTime now,
                              std::vector<SharedAccount>& found) {
  const std::string& key = record.facts.id;
  std::string amount = amount_of(evidence.balances);
  Purse& purse = purses_[key];
  if (purse.amount == amount)
    return;
  const auto [first, last] = owners_.equal_range(purse.amount);
  for (auto owner = first; owner != last; ++owner) {
    if (owner->second == key) {
      owners_.erase(owner);
      break;
    }
  }
  const bool moved = !purse.amount.empty() && !amount.empty();
  purse = Purse{amount, record.facts.limit_group, purse.moves + (moved ? 1 : 0), now};
  if (!moved)
    return;
  const auto [same, end] = owners_.equal_range(amount);
  if (std::distance(same, end) < static_cast<std::ptrdiff_t>(kCrowd)) {
    for (auto owner = same; owner != end; ++owner) {
      const Purse& other = purses_.at(owner->second);
      const bool alike =
          other.group != record.facts.limit_group && now - other.since <= window_of(record);
      Score* score = alike ? score_of(key, owner->second) : nullptr;
      if (score == nullptr)
        continue;
      ++score->balances;
      conclude(key, owner->second, *score, found);
    }
  }
  owners_.emplace(std::move(amount), key);
}

void Kinship::compare_turn(const Record& record, Sign sign, SteadyTime now,
                           std::vector<SharedAccount>& found) {
  const auto window = window_of(record);
  while (!turns_.empty() && (now - turns_.front().at > window || turns_.size() >= kMostTurns))
    turns_.pop_front();
  std::vector<const Turn*> alike;
  for (const Turn& turn : turns_) {
    if (turn.sign == sign && turn.group != record.facts.limit_group)
      alike.push_back(&turn);
  }
  if (alike.size() < kCrowd) {
    for (const Turn* turn : alike) {
      Score* score = score_of(record.facts.id, turn->key);
      if (score != nullptr && score->last_turn != turn->at) {
        score->last_turn = turn->at;
        ++score->turns;
        conclude(record.facts.id, turn->key, *score, found);
      }
    }
  }
  turns_.push_back(Turn{record.facts.id, record.facts.limit_group, sign, now});
}

// Null when too many pairs are being watched already.
Kinship::Score* Kinship::score_of(const std::string& a, const std::string& b) {
  const auto pair = std::minmax(a, b);
  const auto known = pairs_.find({pair.first, pair.second});
  if (known != pairs_.end())
    return &known->second;
  if (pairs_.size() >= kMostPairs)
    return nullptr;
  return &pairs_[{pair.first, pair.second}];
}

std::int64_t Kinship::moves_of(const std::string& a, const std::string& b) const {
  const auto moves = [this](const std::string& key) {
    const auto purse = purses_.find(key);
    return purse == purses_.end() ? 0 : purse->second.moves;
  };
  return std::min(moves(a), moves(b));
}

void Kinship::conclude(const std::string& a, const std::string& b, Score& score,
                       std::vector<SharedAccount>& found) const {
  const bool alike = score.balances >= kJointBalances && score.balances * kOneIn >= moves_of(a, b);
  if (score.told || (!alike && score.turns < kJointTurns))
    return;
  score.told = true;
  std::string why = "they seem to share an account:";
  if (score.balances > 0)
    why += fmt::format(" their balances came to the same amount {} times", score.balances);
  if (score.turns > 0)
    why += fmt::format("{} their money ended or returned together {} times",
                       score.balances > 0 ? " and" : "", score.turns);
  found.push_back({a, b, std::move(why)});
}

}  // namespace keyherd::health
