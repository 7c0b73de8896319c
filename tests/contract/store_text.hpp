#pragma once

// What a store gave back, as text: two states are alike when their texts are, and a failed
// comparison shows the line that differs.

#include <string>
#include <vector>

#include "store/store.hpp"

namespace keyherd::test {

std::string text_of(const model::UsageCounts& counts);
std::string text_of(const model::UsageRow& row);
std::string text_of(const model::MinuteRow& row);
std::string text_of(const model::FileCursor& cursor);
std::string text_of(const model::QuotaWindow& window);
std::string text_of(const model::BalanceRecord& balance);
std::string text_of(const model::BalanceDrop& drop);
std::string text_of(const model::KeyHealth& health);
std::string text_of(const model::Evidence& evidence);
std::string text_of(const model::StateChange& change);
std::string text_of(const model::PoolState& pool);
std::string text_of(const model::Rotation& rotation);
std::string text_of(const store::ScheduleFire& fire);
std::string text_of(const store::State& state);

template <class Entry>
std::string text_of(const std::vector<Entry>& entries) {
  std::string text;
  for (const auto& entry : entries)
    text += text_of(entry) + "\n";
  return text;
}

}  // namespace keyherd::test
