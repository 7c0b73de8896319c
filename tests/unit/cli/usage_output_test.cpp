#include "cli/usage_output.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "cli/progress.hpp"
#include "cli/screen.hpp"
#include "cli_context.hpp"

using namespace keyherd;
using namespace keyherd::cli;

namespace {

std::vector<api::UsageLine> two_lines() {
  api::UsageLine cheap{{"a", "search"}, {}};
  cheap.counts.requests = 1'234'567;
  cheap.counts.cost = 9'007'199'254'740'993;
  cheap.counts.table_cost = 12;
  api::UsageLine dear{{"b", ""}, {}};
  dear.counts.requests = 1;
  dear.counts.failed = 1;
  dear.counts.cost = 1'500'000'000;
  return {cheap, dear};
}

const std::vector<api::UsageTerm> kBy = *api::parse_usage_terms("key,label.team");

}  // namespace

TEST_CASE("a table of usage has totals, grouped digits and exact money, its points in line") {
  test::CliContext world;
  print_usage(world.context, two_lines(), kBy, UsageStyle::as_table);
  CHECK(world.out.str() ==
        "KEY    LABEL.TEAM   REQUESTS  FAILED  INPUT  CACHED  OUTPUT           COST USD\n"
        "a      search      1,234,567       0      0       0       0  9007199.254740993\n"
        "b      -                   1       1      0       0       0        1.500000000\n"
        "total              1,234,568       1      0       0       0  9007200.754740993\n");
}

TEST_CASE("one line needs no totals, none says so, and unpriced requests are not hidden") {
  test::CliContext one;
  auto lines = two_lines();
  lines.pop_back();
  lines[0].counts.unpriced = 3;
  print_usage(one.context, lines, kBy, UsageStyle::as_table);
  CHECK(one.out.str().find("total") == std::string::npos);
  CHECK(one.out.str().find("3 requests have no price") != std::string::npos);
  test::CliContext none;
  print_usage(none.context, {}, kBy, UsageStyle::as_table);
  CHECK(none.out.str() == "No usage.\n");
}

TEST_CASE("what the agent answers comes back to the last digit") {
  const auto lines = two_lines();
  const auto back = parse_usage_answer(api::usage_json(lines, kBy), kBy);
  REQUIRE(back);
  REQUIRE(back->size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK((*back)[i].values == lines[i].values);
    CHECK((*back)[i].counts == lines[i].counts);
  }
  CHECK(parse_usage_answer("[]", kBy)->empty());
  for (const char* bad : {"", "{}", "[1]", "[{\"key\":{}}]", "[[", "null", "[{\"requests\":null}]"})
    CHECK_FALSE(parse_usage_answer(bad, kBy));
}

TEST_CASE("progress tells part, rate and what is left") {
  using namespace std::chrono_literals;
  CHECK(progress_line(150'000'000, 300'000'000, 3s) ==
        "[###############---------------]  50%  150 of 300 MB, 50 MB/s, 3s left");
  CHECK(progress_line(300'000'000, 300'000'000, 3s).find("100%") != std::string::npos);
  CHECK(progress_line(126'000'000, 0, 2s) == "126 MB, 63 MB/s");
}

TEST_CASE("a bar is drawn on a terminal only, after a second, and is taken away") {
  using namespace std::chrono_literals;
  test::CliContext world;
  world.context.err_terminal = true;
  {
    Progress progress(world.context, 100);
    progress.at(10);
    CHECK(world.err.str().empty());
    world.clock.advance(2s);
    progress.at(50);
    CHECK(world.err.str().find("50%") != std::string::npos);
  }
  CHECK(world.err.str().ends_with("\r\033[K"));
  test::CliContext pipe;
  {
    Progress progress(pipe.context, 100);
    pipe.clock.advance(2s);
    progress.at(50);
  }
  CHECK(pipe.err.str().empty());
}

TEST_CASE("what is shown again is repainted on a terminal, and follows elsewhere") {
  const auto two = [](Context& into) { into.out << "one\ntwo\n"; };
  test::CliContext pipe;
  Screen follows(pipe.context);
  follows.show(two);
  follows.show(two);
  CHECK(pipe.out.str() == "one\ntwo\n\none\ntwo\n");
  test::CliContext terminal;
  terminal.context.terminal = true;
  Screen painted(terminal.context);
  painted.show(two);
  terminal.out.str("");
  painted.show(two);
  CHECK(terminal.out.str() == "\033[H\033[?7lone\033[K\ntwo\033[K\n\033[J\033[?7h");
  terminal.out.str("");
  painted.show([](Context& into) {
    for (int i = 0; i < 100; ++i)
      into.out << i << "\n";
  });
  CHECK(terminal.out.str().find("… 78 more lines") != std::string::npos);
}
