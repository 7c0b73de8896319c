// The audit log as a file: what is appended is there, once, whatever happens in between.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "audit/verify.hpp"
#include "lines.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace keyherd::test;

namespace {

struct Log {
  TempDir dir;
  std::unique_ptr<FileSystem> files = make_posix_file_system();
  std::string path = dir / "audit.jsonl";

  std::unique_ptr<audit::Journal> open(std::uint64_t max_bytes = 1 << 20,
                                       const audit::Head& known = {}) const {
    return audit::make_file_journal({path, max_bytes, known}, *files);
  }
  audit::Verdict verdict(std::int64_t first = 1) const {
    return audit::verify(*files, {path, first, std::nullopt}).value();
  }
};

}  // namespace

TEST_CASE("entries are appended to a private file and the chain goes on after a restart") {
  const Log log;
  const auto first = log.open()->append(lines(1, 3));
  REQUIRE(first);
  CHECK(first->head.seq == 3);
  struct stat status {};
  REQUIRE(::stat(log.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  REQUIRE(log.open()->append(lines(4, 5)));
  const auto verdict = log.verdict();
  CHECK(verdict.flaws == 0);
  CHECK(verdict.lines == 5);
}

TEST_CASE("what is given again after a crash is not written twice") {
  const Log log;
  REQUIRE(log.open()->append(lines(1, 3)));
  const auto again = log.open()->append(lines(2, 4));
  REQUIRE(again);
  CHECK(again->head.seq == 4);
  CHECK(log.verdict().lines == 4);
  CHECK(log.verdict().flaws == 0);
}

TEST_CASE("a line that a crash cut short is removed, said, and written anew") {
  const Log log;
  REQUIRE(log.open()->append(lines(1, 3)));
  const std::string whole = slurp(log.path);
  for (std::size_t cut = 1; cut < 60; ++cut) {
    spill(log.path, whole.substr(0, whole.size() - cut));
    const auto appended = log.open()->append(lines(3, 4));
    REQUIRE(appended);
    REQUIRE(appended->mended.size() == 1);
    CHECK(appended->mended.front().find("a crash had cut short") != std::string::npos);
    CHECK(log.verdict().lines == 4);
    CHECK(log.verdict().flaws == 0);
  }
}

TEST_CASE("a file that has grown large is put aside and the chain goes on in the next") {
  const Log log;
  {
    const auto journal = log.open(2'000);
    for (std::int64_t seq = 1; seq <= 40; ++seq)
      REQUIRE(journal->append({line_number(seq)}));
  }
  const auto verdict = log.verdict();
  CHECK(verdict.files.size() > 4);
  CHECK(verdict.lines == 40);
  CHECK(verdict.flaws == 0);
  CHECK(verdict.files.front() == log.path + ".000000000001");
  for (const std::string& file : verdict.files)
    CHECK(std::filesystem::file_size(file) < 2'500);
  // A whole file that is taken away is missed.
  std::filesystem::remove(verdict.files.at(1));
  CHECK(log.verdict().flaws == 1);
  CHECK(log.verdict().findings.at(0).flaw == audit::Flaw::missing);
}

TEST_CASE("an agent that died between putting a file aside and beginning the next goes on") {
  const Log log;
  REQUIRE(log.open()->append(lines(1, 3)));
  std::filesystem::rename(log.path, log.path + ".000000000001");
  const auto appended = log.open()->append(lines(4, 4));
  REQUIRE(appended);
  CHECK(appended->mended.empty());
  CHECK(log.verdict().flaws == 0);
  CHECK(log.verdict().lines == 4);
}

TEST_CASE("lines that vanished from the end are noticed at the next append and stay noticeable") {
  const Log log;
  const auto head = log.open()->append(lines(1, 5))->head;
  const std::string whole = slurp(log.path);
  spill(log.path, whole.substr(0, whole.rfind("{\"seq\":4")));
  const auto appended = log.open(1 << 20, head)->append(lines(6, 7));
  REQUIRE(appended);
  REQUIRE(appended->mended.size() == 1);
  CHECK(appended->mended.front() == "lines 4 to 5 are missing from the end of " + log.path);
  REQUIRE(log.verdict().flaws == 1);
  CHECK(log.verdict().findings.at(0).message == "entries 4 to 5 are missing");
}

TEST_CASE("a file that is moved away under a running agent is followed by a new one") {
  const Log log;
  const auto journal = log.open();
  REQUIRE(journal->append(lines(1, 3)));
  std::filesystem::rename(log.path, log.path + ".000000000001");
  REQUIRE(journal->append(lines(4, 5)));
  CHECK(log.verdict().lines == 5);
  CHECK(log.verdict().flaws == 0);
}

TEST_CASE("two agents do not write into one log") {
  const Log log;
  const auto one = log.open();
  REQUIRE(one->append(lines(1, 2)));
  const auto other = log.open()->append(lines(3, 3));
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ErrorCode::conflict);
  CHECK(log.verdict().lines == 2);
}

// RLIMIT_FSIZE stands for a full disk: the write fails in the middle of a line.
TEST_CASE("a disk that fills up leaves whole lines, and the rest is written when there is room") {
  const Log log;
  const auto journal = log.open();
  REQUIRE(journal->append(lines(1, 3)));
  const auto size = std::filesystem::file_size(log.path);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit tight{size + 100, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const auto refused = journal->append(lines(4, 6));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE_FALSE(refused);
  CHECK(std::filesystem::file_size(log.path) == size);
  CHECK(log.verdict().flaws == 0);
  const auto written = journal->append(lines(4, 6));
  REQUIRE(written);
  CHECK(written->mended.empty());
  CHECK(log.verdict().lines == 6);
  CHECK(log.verdict().flaws == 0);
}

TEST_CASE("a log that cannot be opened says why") {
  const Log log;
  const auto journal =
      audit::make_file_journal({log.dir / "nowhere/audit.jsonl", 1'000, {}}, *log.files);
  const auto appended = journal->append(lines(1, 1));
  REQUIRE_FALSE(appended);
  CHECK(appended.error().message.find("audit log") != std::string::npos);
}

TEST_CASE("entries are found by time, pool and key, the newest ones first to be kept") {
  const Log log;
  const auto journal = log.open(2'000);
  for (std::int64_t seq = 1; seq <= 30; ++seq)
    REQUIRE(journal->append({line_number(seq)}));
  const auto numbers = [&](const audit::Query& query) {
    std::vector<std::int64_t> found;
    const auto entries = journal->read(query).value();
    for (const auto& entry : entries)
      found.push_back(entry.seq);
    return found;
  };
  CHECK(numbers({}).size() == 30);
  audit::Query newest;
  newest.limit = 3;
  CHECK(numbers(newest) == std::vector<std::int64_t>{28, 29, 30});
  audit::Query some;
  some.pool = "even";
  some.key = "k0";
  CHECK(numbers(some) == std::vector<std::int64_t>{6, 12, 18, 24, 30});
  some.from = WallTime(std::chrono::seconds(1'790'000'000 + 12 * 60));
  some.to = WallTime(std::chrono::seconds(1'790'000'000 + 24 * 60));
  CHECK(numbers(some) == std::vector<std::int64_t>{12, 18});
}

// A process is killed while it appends, again and again; what it did not hear to be written it
// gives again, as the agent does from its state.
TEST_CASE("kill -9 while appending loses and doubles nothing") {
  const Log log;
  std::int64_t known = 0;
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto journal = log.open(4'000);
      for (std::int64_t seq = known + 1;; ++seq) {
        const auto appended = journal->append({line_number(seq)});
        if (!appended || ::write(pipe_ends[1], &seq, sizeof seq) != sizeof seq)
          ::_exit(1);
      }
    }
    ::close(pipe_ends[1]);
    std::int64_t seq = 0;
    for (int i = 0; i < 5 + round; ++i)
      REQUIRE(::read(pipe_ends[0], &seq, sizeof seq) == sizeof seq);
    ::kill(child, SIGKILL);
    known = seq;
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(pipe_ends[0]);
    CHECK(WIFSIGNALED(status));
    CHECK(log.verdict().head.seq >= known);
  }
  const auto verdict = log.verdict();
  INFO(verdict.files.size() << " files");
  std::int64_t torn = 0;
  for (const auto& finding : verdict.findings)
    torn += finding.flaw == audit::Flaw::torn ? 1 : 0;
  CHECK(verdict.flaws == torn);
  CHECK(verdict.lines == verdict.head.seq);
}
