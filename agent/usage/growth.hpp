#pragma once

// Finds logs that write running totals where a request's own tokens belong: of one key and model
// both input and output grow with every line. One such line is chance, a long run is not.
//
// A table of fixed size: names that fall on the same place end each other's runs, so that with very
// many keys and models a run may go unseen; none is seen that is not there.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>

#include "usage/hash.hpp"

namespace keyherd::usage {

class Growth {
 public:
  // Lines that grew in a row before the next one is suspect. By chance about one run in 2¹⁶.
  static constexpr std::uint32_t kSuspectAfter = 16;

  static std::uint64_t hash_of(std::uint32_t key, std::uint32_t model) {
    return mix64(static_cast<std::uint64_t>(key) << 32U | model, 0x9e3779b97f4a7c15ULL);
  }
  // Asks the memory for what note() will look at.
  void expect(std::uint64_t hash) const { __builtin_prefetch(&(*runs_)[hash % kRuns], 1); }
  // Notes a line with tokens, in the order of the log; whether it continues a suspect run. `hash`:
  // of its key and model.
  bool note(std::uint64_t hash, std::int64_t input, std::int64_t output) {
    Run& run = (*runs_)[hash % kRuns];
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    const std::uint32_t in = narrow(input);
    const std::uint32_t out = narrow(output);
    const bool grew = run.tag == tag && in > run.input && out > run.output;
    run = Run{tag, grew ? run.length + 1 : 0, in, out};
    return run.length >= kSuspectAfter;
  }

 private:
  static constexpr std::size_t kRuns = 8192;
  struct Run {
    std::uint32_t tag = 0;
    std::uint32_t length = 0;
    std::uint32_t input = 0;
    std::uint32_t output = 0;
  };
  static std::uint32_t narrow(std::int64_t tokens) {
    return static_cast<std::uint32_t>(
        std::min<std::int64_t>(tokens, std::numeric_limits<std::uint32_t>::max()));
  }
  std::unique_ptr<std::array<Run, kRuns>> runs_ = std::make_unique<std::array<Run, kRuns>>();
};

}  // namespace keyherd::usage
