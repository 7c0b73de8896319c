// One batch is killed, or fails, at each of its system calls in turn: strace does it.

#include <sys/wait.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "child.hpp"
#include "support/temp_dir.hpp"
#include "teller.hpp"
#include "writer.hpp"

namespace keyherd::test {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLines = 90;

// A state with a batch in it, then a rotation and more lines, among them some that repeat ids.
void prepare(const TempDir& directory) {
  const std::string log = directory / "usage.jsonl";
  std::int64_t n = 0;
  const auto write = [&](int lines) {
    for (int i = 0; i < lines; ++i) {
      ++n;
      append_to(log, log_line(n, "id-" + std::to_string(n)));
      if (n % 10 == 0)
        append_to(log, log_line(n, "id-" + std::to_string(n)));
      if (n % 15 == 0)
        append_to(log, log_line(n - 5, "id-" + std::to_string(n - 5)));
    }
  };
  write(30);
  {
    auto teller = Teller::open(directory.path(), false);
    REQUIRE(teller);
    REQUIRE((*teller)->drain());
  }
  write(30);
  rotate(directory.path());
  write(30);
  REQUIRE(n == kLines);
}

void check_exact(const std::string& directory) {
  auto teller = Teller::open(directory, false);
  REQUIRE(teller);
  REQUIRE((*teller)->drain());
  const auto totals = (*teller)->totals();
  REQUIRE(totals);
  CHECK(totals->requests == kLines);
  CHECK(totals->input == kLines * (kLines + 1) / 2);
}

int traced(const std::string& inject, const std::string& log, const std::string& directory) {
  std::vector<std::string> argv{"strace", "-qq", "-o", log};
  if (!inject.empty())
    argv.insert(argv.end(), {"-e", "inject=" + inject});
  argv.insert(argv.end(), {KEYHERD_CRASH_TOOL, directory});
  return Child(argv).wait();
}

// A fresh copy of the prepared directory.
class Copy {
 public:
  Copy(const TempDir& from, const TempDir& parent) : path_(parent / "copy") {
    fs::remove_all(path_);
    fs::copy(from.path(), path_);
    fs::permissions(path_, fs::perms::owner_all);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Of each system call, the first and the last invocation that belong to the batch: from the opening
// of the state file on.
struct Range {
  int first = 1;
  int last = 0;
};
std::map<std::string, Range> calls_of_a_batch(const TempDir& prepared, const TempDir& scratch) {
  const Copy copy(prepared, scratch);
  const std::string log = scratch / "calls";
  REQUIRE(traced("", log, copy.path()) == 0);
  std::map<std::string, Range> calls;
  std::ifstream lines(log);
  bool begun = false;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t name_end = line.find('(');
    if (name_end == std::string::npos || line.starts_with("+++"))
      continue;
    begun = begun || line.find("state.db") != std::string::npos;
    Range& range = calls[line.substr(0, name_end)];
    ++range.last;
    if (!begun)
      range.first = range.last + 1;
  }
  check_exact(copy.path());
  return calls;
}

bool can_trace() {
  const TempDir scratch;
  const std::string log = scratch / "calls";
  return Child({"strace", "-qq", "-o", log, "true"}).wait() == 0;
}

}  // namespace

TEST_CASE("a kill at each system call of a batch leaves exact sums") {
  if (!can_trace()) {
    WARN("strace may not trace here; not tested");
    return;
  }
  const TempDir prepared;
  const TempDir scratch;
  prepare(prepared);
  int kills = 0;
  for (const auto& [name, range] : calls_of_a_batch(prepared, scratch)) {
    for (int n = range.first; n <= range.last; ++n) {
      CAPTURE(name, n);
      const Copy copy(prepared, scratch);
      const int status =
          traced(name + ":signal=KILL:when=" + std::to_string(n), "/dev/null", copy.path());
      kills += WIFSIGNALED(status) ? 1 : 0;
      check_exact(copy.path());
    }
  }
  CHECK(kills > 50);
  WARN("killed at each of " << kills << " system calls: exact");
}

TEST_CASE("an error of the disk at each write of a batch loses nothing and counts nothing twice") {
  if (!can_trace()) {
    WARN("strace may not trace here; not tested");
    return;
  }
  const TempDir prepared;
  const TempDir scratch;
  prepare(prepared);
  const auto calls = calls_of_a_batch(prepared, scratch);
  int errors = 0;
  for (const std::string name : {"pwrite64", "fdatasync", "ftruncate"}) {
    const auto call = calls.find(name);
    for (int n = 1; call != calls.end() && n <= call->second.last; ++n) {
      for (const std::string error : {"EIO", "ENOSPC"}) {
        CAPTURE(name, n, error);
        const Copy copy(prepared, scratch);
        // A start may be refused; what was started goes on by itself.
        traced(name + ":error=" + error + ":when=" + std::to_string(n), "/dev/null", copy.path());
        ++errors;
        check_exact(copy.path());
      }
    }
  }
  CHECK(errors > 10);
}

}  // namespace keyherd::test
