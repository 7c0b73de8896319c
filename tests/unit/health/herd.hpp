#pragma once

// A tracker with a clock and keys, and short words to feed it: for the tests of health.

#include <chrono>
#include <string>
#include <vector>

#include "health/tracker.hpp"
#include "support/manual_clock.hpp"

namespace keyherd::test {

using namespace std::chrono_literals;
using health::Change;
using model::KeyState;
using model::Verdict;

class Herd {
 public:
  // Keys "k1" to "kN" of provider "p", each its own limit group, all unknown.
  explicit Herd(int keys);
  // All of them proven by one probe.
  static Herd healthy(int keys);

  [[nodiscard]] std::vector<health::KeyFacts>& facts() { return facts_; }
  Change configure() { return tracker_.configure(facts_, clock_.now()); }

  Change probe(const std::string& key, Verdict verdict,
               model::ProbeKind kind = model::ProbeKind::models,
               std::optional<std::chrono::nanoseconds> retry_in = std::nullopt);
  // `age`: how long ago the last of the lines was written.
  Change log(const std::string& key, Verdict verdict, std::int64_t lines = 1,
             std::chrono::nanoseconds age = 0ns);
  Change report(const std::string& key, Verdict verdict);
  void wait(std::chrono::nanoseconds time) { clock_.advance(time); }
  Change tick() { return tracker_.tick(now()); }

  [[nodiscard]] KeyState state(const std::string& key) const;
  [[nodiscard]] const model::KeyHealth& health(const std::string& key) const;
  [[nodiscard]] int count(KeyState state) const;
  [[nodiscard]] bool incident() const { return tracker_.incident("p").has_value(); }
  // Until the next probe of the key.
  [[nodiscard]] std::chrono::nanoseconds due(const std::string& key) const;
  [[nodiscard]] Instant now() const { return clock_.now(); }
  health::Tracker& tracker() { return tracker_; }
  ManualClock& clock() { return clock_; }

 private:
  ManualClock clock_;
  std::vector<health::KeyFacts> facts_;
  health::Tracker tracker_;
};

std::string key_name(int number);

}  // namespace keyherd::test
