#pragma once

// The families that come from a Snapshot, in the catalogue's order: how each is written, a row at a
// time, so that a scrape can stop after any row and go on later.

#include <array>
#include <span>
#include <string_view>

#include "metrics/herd.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

// Exactly one of the three is set.
struct FamilyWriter {
  std::string_view name;
  void (*of_key)(TextWriter&, const KeyRow&) = nullptr;      // for each key
  void (*of_quota)(TextWriter&, const QuotaRow&) = nullptr;  // for each quota
  void (*whole)(TextWriter&, const Herd&) = nullptr;         // at once: few series
};

constexpr FamilyWriter per_key(std::string_view name, void (*row)(TextWriter&, const KeyRow&)) {
  return {name, row, nullptr, nullptr};
}
constexpr FamilyWriter per_quota(std::string_view name, void (*row)(TextWriter&, const QuotaRow&)) {
  return {name, nullptr, row, nullptr};
}
constexpr FamilyWriter whole(std::string_view name, void (*all)(TextWriter&, const Herd&)) {
  return {name, nullptr, nullptr, all};
}

using FamilyTable = std::span<const FamilyWriter>;
FamilyTable key_families();
FamilyTable probe_families();
FamilyTable quota_families();
FamilyTable usage_families();
FamilyTable limit_families();
FamilyTable pool_families();
FamilyTable usage_log_families();
FamilyTable agent_families();

}  // namespace keyherd::metrics
