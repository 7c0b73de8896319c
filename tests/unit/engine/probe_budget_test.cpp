#include "engine/probe_budget.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using engine::ProbeBudget;

namespace {
const WallTime kBudgetNow = test::ManualClock().now().wall;
}

TEST_CASE("without limits everything is admitted, and there is no share to show") {
  ProbeBudget budget;
  budget.spend(1'000'000, 5, kBudgetNow);
  CHECK(budget.admits(kBudgetNow));
  CHECK_FALSE(budget.used_ratio(kBudgetNow));
}

TEST_CASE("the day's tokens are an upper bound, with what is under way") {
  ProbeBudget budget;
  budget.configure(100, std::nullopt);
  int admitted = 0;
  while (budget.admits(kBudgetNow)) {
    budget.begin();
    ++admitted;
  }
  CHECK(admitted == 3);  // 32 tokens are expected of each
  for (int i = 0; i < admitted; ++i) {
    budget.end();
    budget.spend(10, 0, kBudgetNow);
  }
  CHECK(budget.used_ratio(kBudgetNow) == Approx(0.3));
  CHECK(budget.admits(kBudgetNow));
  budget.spend(60, 0, kBudgetNow);
  CHECK_FALSE(budget.admits(kBudgetNow));
  CHECK(budget.used_ratio(kBudgetNow) == 1.0);  // 90 of 100; and no further probe fits
}

TEST_CASE("money is limited too, and the nearer limit shows") {
  ProbeBudget budget;
  budget.configure(1'000'000, 1'000);
  budget.spend(10, 400, kBudgetNow);
  CHECK(budget.used_ratio(kBudgetNow) == Approx(0.4));
  CHECK(budget.admits(kBudgetNow));
  budget.spend(10, 400, kBudgetNow);
  CHECK_FALSE(budget.admits(kBudgetNow));  // another 400 would be too much
}

TEST_CASE("a new day begins at midnight UTC, and a clock that steps back brings none") {
  ProbeBudget budget;
  budget.configure(100, std::nullopt);
  budget.spend(100, 0, kBudgetNow);
  CHECK_FALSE(budget.admits(kBudgetNow));
  CHECK_FALSE(budget.admits(kBudgetNow - 48h));
  CHECK(budget.admits(kBudgetNow + 24h));
  CHECK(budget.used_ratio(kBudgetNow + 24h) == Approx(0));
}

TEST_CASE("a restart brings no new budget") {
  ProbeBudget before;
  before.configure(100, std::nullopt);
  before.spend(90, 7, kBudgetNow);
  ProbeBudget after;
  after.configure(100, std::nullopt);
  after.restore(before.text(), kBudgetNow + 1min);
  CHECK(after.text() == before.text());
  CHECK_FALSE(after.admits(kBudgetNow + 1min));
  ProbeBudget next_day;
  next_day.configure(100, std::nullopt);
  next_day.restore(before.text(), kBudgetNow + 24h);
  CHECK(next_day.admits(kBudgetNow + 24h));
  for (const char* text : {"", "1 2", "a b c", "99999999 5 5", "1 -2 3"}) {
    ProbeBudget fresh;
    fresh.configure(100, std::nullopt);
    fresh.restore(text, kBudgetNow);
    INFO(text);
    CHECK(fresh.admits(kBudgetNow));
  }
}

TEST_CASE("a provider's mad count closes the day, not the days after") {
  ProbeBudget budget;
  budget.configure(100'000, model::kNanosPerUsd);
  budget.spend(INT64_MAX, INT64_MAX, kBudgetNow);
  CHECK_FALSE(budget.admits(kBudgetNow));
  CHECK(budget.admits(kBudgetNow + 24h));
}
