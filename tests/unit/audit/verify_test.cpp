// Whatever is done to an audit log afterwards is found, and named.

#include <catch2/catch.hpp>

#include "audit/verify.hpp"
#include "base/text.hpp"
#include "lines.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;

namespace {

std::vector<std::string> sealed_lines(std::int64_t count) {
  std::vector<std::string> text;
  audit::Head head;
  for (const audit::Line& line : lines(1, count))
    text.push_back(audit::seal(line, head));
  return text;
}

std::string joined(const std::vector<std::string>& text) {
  std::string whole;
  for (const std::string& line : text)
    whole += line + "\n";
  return whole;
}

audit::Verdict verdict_on(const std::string& text, std::optional<audit::Head> known = std::nullopt,
                          std::int64_t first = 1) {
  MemoryFileSystem files;
  files.append("audit.jsonl", text);
  return audit::verify(files, {"audit.jsonl", first, known}).value();
}

// "changed 5, missing 7": what was found, by the entries' numbers.
std::string findings(const audit::Verdict& verdict) {
  std::string text;
  for (const audit::Finding& finding : verdict.findings)
    text += (text.empty() ? "" : ", ") + std::string(to_string(finding.flaw)) + " " +
            std::to_string(finding.seq);
  return text;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("an untouched log is whole, and its head is its last line") {
  const auto verdict = verdict_on(joined(sealed_lines(10)));
  CHECK(findings(verdict).empty());
  CHECK(verdict.lines == 10);
  CHECK(verdict.head.seq == 10);
  CHECK(verdict.head.hash.size() == 64);
}

TEST_CASE("a changed line is named") {
  auto text = sealed_lines(10);
  text[4] = replaced(text[4], "number 5", "number 6");
  const auto verdict = verdict_on(joined(text));
  CHECK(findings(verdict) == "changed 5");
  CHECK(verdict.findings.at(0).line == 5);
}

TEST_CASE("a changed line whose hash was made to fit is named by the line behind it") {
  auto text = sealed_lines(10);
  audit::Head head{4, audit::parse_line(text[3])->hash};
  text[4] = audit::seal(line_number(5, "nothing happened"), head);
  CHECK(findings(verdict_on(joined(text))) == "changed 5");
}

TEST_CASE("a removed line is named") {
  const int gone = GENERATE(0, 4, 8);
  auto text = sealed_lines(10);
  text.erase(text.begin() + gone);
  CHECK(findings(verdict_on(joined(text))) == "missing " + std::to_string(gone + 1));
}

TEST_CASE("removed lines at the end are known to the agent's state") {
  auto text = sealed_lines(10);
  const audit::Head known{10, audit::parse_line(text.back())->hash};
  CHECK(findings(verdict_on(joined(text), known)).empty());
  text.resize(7);
  CHECK(findings(verdict_on(joined(text), known)) == "missing 8");
  CHECK(verdict_on(joined(text), known).findings.at(0).message ==
        "entries 8 to 10 are missing: the agent's state knows of them");
  CHECK(findings(verdict_on("", known)) == "missing 1");
}

TEST_CASE("an exchanged last line is known to the agent's state") {
  auto text = sealed_lines(10);
  const audit::Head known{10, audit::parse_line(text.back())->hash};
  audit::Head head{9, audit::parse_line(text[8])->hash};
  text[9] = audit::seal(line_number(10, "nothing happened"), head);
  CHECK(findings(verdict_on(joined(text), known)) == "changed 10");
}

TEST_CASE("an added line is named, though it may fit what stands before it") {
  auto text = sealed_lines(10);
  audit::Head head{5, audit::parse_line(text[4])->hash};
  SECTION("forged to follow entry 5") {
    text.insert(text.begin() + 5, audit::seal(line_number(6, "forged"), head));
    CHECK(findings(verdict_on(joined(text))) == "added 6");
  }
  SECTION("a line that stands there twice") {
    text.insert(text.begin() + 5, text[2]);
    CHECK(findings(verdict_on(joined(text))) == "added 3");
  }
  SECTION("not even a line of ours") {
    text.insert(text.begin() + 5, "# all is well");
    CHECK(findings(verdict_on(joined(text))) == "foreign 0");
  }
}

TEST_CASE("moved lines are named") {
  auto text = sealed_lines(10);
  SECTION("two neighbours") {
    std::swap(text[4], text[5]);
    CHECK(findings(verdict_on(joined(text))) == "moved 6");
  }
  SECTION("far forward") {
    const std::string late = text[8];
    text.erase(text.begin() + 8);
    text.insert(text.begin() + 2, late);
    CHECK(findings(verdict_on(joined(text))) == "moved 9");
  }
}

TEST_CASE("a line without its end is told from the others") {
  const std::string whole = joined(sealed_lines(10));
  const auto verdict = verdict_on(whole.substr(0, whole.size() - 20));
  CHECK(findings(verdict) == "torn 0");
  CHECK(verdict.head.seq == 9);
}

TEST_CASE("a log whose oldest files were taken away begins where one says") {
  auto text = sealed_lines(10);
  text.erase(text.begin(), text.begin() + 4);
  CHECK(findings(verdict_on(joined(text))) == "missing 1");
  CHECK(findings(verdict_on(joined(text), std::nullopt, 5)).empty());
}

// Every single byte matters: flipped, it is found; every line, removed or doubled, is found.
TEST_CASE("no change of a single byte goes unnoticed") {
  const std::string whole = joined(sealed_lines(6));
  const auto known = verdict_on(whole).head;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string text = whole;
    text[i] = static_cast<char>(text[i] ^ 1);
    CAPTURE(i, text.substr(i > 10 ? i - 10 : 0, 20));
    CHECK(verdict_on(text, known).flaws > 0);
  }
}
