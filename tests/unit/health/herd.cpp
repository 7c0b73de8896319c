#include "herd.hpp"

#include <catch2/catch.hpp>

namespace keyherd::test {

std::string key_name(int number) {
  return "k" + std::to_string(number);
}

Herd::Herd(int keys) {
  for (int i = 1; i <= keys; ++i)
    facts_.push_back(health::KeyFacts{key_name(i), "p", key_name(i), {}});
  configure();
}

Herd Herd::healthy(int keys) {
  Herd herd(keys);
  for (int i = 1; i <= keys; ++i)
    herd.probe(key_name(i), Verdict::ok);
  herd.wait(1s);
  return herd;
}

Change Herd::probe(const std::string& key, Verdict verdict, model::ProbeKind kind,
                   std::optional<std::chrono::nanoseconds> retry_in) {
  model::Evidence evidence;
  evidence.key = key;
  evidence.verdict = verdict;
  evidence.at = now().wall;
  evidence.probe = kind;
  if (retry_in)
    evidence.retry_at = now().wall + *retry_in;
  return tracker_.observe(evidence, now());
}

Change Herd::log(const std::string& key, Verdict verdict, std::int64_t lines,
                 std::chrono::nanoseconds age) {
  model::Evidence evidence;
  evidence.key = key;
  evidence.source = model::EvidenceSource::usage_log;
  evidence.verdict = verdict;
  evidence.at = now().wall - age;
  evidence.count = lines;
  return tracker_.observe(evidence, now());
}

Change Herd::report(const std::string& key, Verdict verdict) {
  model::Evidence evidence;
  evidence.key = key;
  evidence.source = model::EvidenceSource::report;
  evidence.verdict = verdict;
  evidence.at = now().wall;
  return tracker_.observe(evidence, now());
}

const model::KeyHealth& Herd::health(const std::string& key) const {
  const auto* health = tracker_.health(key);
  REQUIRE(health != nullptr);
  return *health;
}

KeyState Herd::state(const std::string& key) const {
  return health(key).state;
}

int Herd::count(KeyState state) const {
  int count = 0;
  for (const auto& facts : facts_)
    count += tracker_.health(facts.id)->state == state ? 1 : 0;
  return count;
}

std::chrono::nanoseconds Herd::due(const std::string& key) const {
  const auto plan = tracker_.next_probe(key, now());
  REQUIRE(plan);
  return plan->wait;
}

}  // namespace keyherd::test
