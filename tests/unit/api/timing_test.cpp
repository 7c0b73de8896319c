// Whether the time of a refusal tells how near a token was. Statistics of many samples: run apart.

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <vector>

#include "api/auth.hpp"

using namespace keyherd;
using namespace keyherd::api;

namespace {

struct Sample {
  double mean = 0;
  double variance = 0;
  double count = 0;
};

// Without the slowest twentieth: interruptions by the system, which have no part in it.
Sample sample_of(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  times.resize(times.size() * 19 / 20);
  Sample sample;
  sample.count = static_cast<double>(times.size());
  for (const double time : times)
    sample.mean += time / sample.count;
  for (const double time : times)
    sample.variance += (time - sample.mean) * (time - sample.mean) / (sample.count - 1);
  return sample;
}

double welch_t(const Sample& a, const Sample& b) {
  return (a.mean - b.mean) / std::sqrt(a.variance / a.count + b.variance / b.count);
}

}  // namespace

TEST_CASE("how long a wrong token takes says nothing of where it is wrong", "[timing]") {
  const std::string token = "5f2b9c1d3e5f7a9b5f2b9c1d3e5f7a9b";
  Tokens tokens;
  tokens.add(Secret(token), {model::Role::admin, {}});
  tokens.add(Secret("another-token-of-32-characters-x"), {model::Role::read, {}});
  std::vector<std::string> guesses(3, "Bearer " + token);
  guesses[0][7] = 'x';
  guesses[1].back() = 'x';
  guesses[2][20] = 'x';
  constexpr int kSamples = 20'000;
  std::vector<std::vector<double>> times(guesses.size());
  for (int i = 0; i < kSamples; ++i) {
    for (std::size_t n = 0; n < guesses.size(); ++n) {
      // In turns, each time another first.
      const std::size_t which = (n + static_cast<std::size_t>(i)) % guesses.size();
      const auto began = std::chrono::steady_clock::now();
      const bool found = tokens.find(guesses[which]).has_value();
      const auto took = std::chrono::steady_clock::now() - began;
      REQUIRE_FALSE(found);
      times[which].push_back(static_cast<double>(took.count()));
    }
  }
  const Sample first = sample_of(times[0]);
  CHECK(std::abs(welch_t(first, sample_of(times[1]))) < 4.5);
  CHECK(std::abs(welch_t(first, sample_of(times[2]))) < 4.5);
}
