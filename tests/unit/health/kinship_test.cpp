// Keys that claim different limit groups and behave as one account.

#include <catch2/catch.hpp>
#include <random>

#include "herd.hpp"

namespace keyherd::test {

namespace {

constexpr std::int64_t kCent = 10'000'000;

Change see_balance(Herd& herd, const std::string& key, std::int64_t cents) {
  model::Evidence evidence;
  evidence.key = key;
  evidence.verdict = cents > 0 ? Verdict::ok : Verdict::balance_exhausted;
  evidence.at = herd.now().wall;
  evidence.probe = model::ProbeKind::balance;
  evidence.balances = {{"USD", cents * kCent}};
  return herd.tracker().observe(evidence, herd.now());
}

}  // namespace

TEST_CASE("balances that come to the same amounts together show a shared account, told once") {
  Herd herd = Herd::healthy(3);
  int told = 0;
  for (int i = 0; i < 10; ++i) {
    for (const char* key : {"k1", "k2"}) {
      for (const auto& pair : see_balance(herd, key, 1'000 - 7 * i).shared_accounts) {
        ++told;
        CHECK(((pair.a == "k1" && pair.b == "k2") || (pair.a == "k2" && pair.b == "k1")));
        CHECK(pair.why.find("seem to share an account") != std::string::npos);
        CHECK(i == 4);  // the fourth amount that both moved to
      }
      herd.wait(2min);
    }
    CHECK(see_balance(herd, "k3", 1'000 - 11 * i).shared_accounts.empty());
  }
  CHECK(told == 1);
}

TEST_CASE("a group that is declared needs no suspicion, nor do equal sums that stand still") {
  Herd herd(4);
  herd.facts()[0].limit_group = herd.facts()[1].limit_group = "acct";
  herd.configure();
  for (int i = 0; i < 10; ++i) {
    CHECK(see_balance(herd, "k1", 1'000 - i).shared_accounts.empty());
    CHECK(see_balance(herd, "k2", 1'000 - i).shared_accounts.empty());
    CHECK(see_balance(herd, "k3", 1'000).shared_accounts.empty());
    CHECK(see_balance(herd, "k4", 1'000).shared_accounts.empty());
    herd.wait(5min);
  }
}

TEST_CASE("accounts that are used alike, but are not one, are not confused") {
  Herd herd = Herd::healthy(20);
  std::mt19937 random(3);
  std::vector<std::int64_t> cents(20, 1'000'000);
  for (int i = 0; i < 2'000; ++i) {
    for (int k = 0; k < 20; ++k) {
      auto& left = cents[static_cast<std::size_t>(k)];
      left -= static_cast<std::int64_t>(random() % 400);
      CHECK(see_balance(herd, key_name(k + 1), left).shared_accounts.empty());
    }
    herd.wait(5min);
  }
}

TEST_CASE("money that ends and returns together shows it too") {
  Herd herd = Herd::healthy(12);
  std::vector<std::string> told;
  for (int round = 0; round < 2; ++round) {
    for (const Verdict verdict : {Verdict::balance_exhausted, Verdict::ok}) {
      for (const char* key : {"k1", "k2"}) {
        for (const auto& pair : herd.probe(key, verdict, model::ProbeKind::chat).shared_accounts)
          told.push_back(pair.why);
      }
      herd.wait(1h);
    }
  }
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("together 3 times") != std::string::npos);
}

TEST_CASE("what everybody's money does at once is the provider's doing") {
  Herd herd = Herd::healthy(40);
  std::size_t pairs = 0;
  for (int round = 0; round < 4; ++round) {
    for (const Verdict verdict : {Verdict::quota_exhausted, Verdict::ok}) {
      for (int i = 1; i <= 40; ++i)
        pairs += herd.probe(key_name(i), verdict, model::ProbeKind::chat).shared_accounts.size();
      herd.wait(1h);
    }
  }
  // Only the first ones of a crowd can be taken for a pair.
  CHECK(pairs <= 28);
}

}  // namespace keyherd::test
