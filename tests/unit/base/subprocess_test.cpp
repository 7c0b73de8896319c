#include "base/subprocess.hpp"

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace std::chrono_literals;

namespace {
SubprocessRequest shell(std::string script) {
  return {{"/bin/sh", "-c", std::move(script)}, "", {}, 5'000ms, 65'536};
}
std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}
// A process that has ended may wait for the machine's init to collect it.
bool runs(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stat, line);
  const auto name_ends = line.rfind(')');
  return name_ends != std::string::npos && line.at(name_ends + 2) != 'Z';
}
}  // namespace

TEST_CASE("a child gets its input and gives output and exit code") {
  auto request = shell("cat; echo oops >&2; exit 3");
  request.input = "hello";
  const auto result = run_subprocess(request, {});
  REQUIRE(result);
  CHECK(result->output == "hello");
  CHECK(result->error_output == "oops\n");
  CHECK(result->exit_code == 3);
}

TEST_CASE("a child gets a clean environment and only three descriptors") {
  auto request = shell("env | cut -d= -f1 | sort | tr '\\n' ' '; ls /proc/self/fd | wc -l");
  request.environment["KEYHERD_POOL"] = "prod";
  ::setenv("LEAKY", "secret", 1);
  const auto result = run_subprocess(request, {});
  ::unsetenv("LEAKY");
  REQUIRE(result);
  CHECK(result->output.find("KEYHERD_POOL") != std::string::npos);
  CHECK(result->output.find("LEAKY") == std::string::npos);
  CHECK(result->output.ends_with("4\n"));  // 0, 1, 2 and the directory that ls reads
}

TEST_CASE("a child that hangs is ended with its whole family") {
  const test::TempDir directory;
  auto request = shell("sleep 60 & echo $! > " + directory / "child" + "; sleep 60");
  request.timeout = 500ms;
  const auto start = std::chrono::steady_clock::now();
  const auto result = run_subprocess(request, {});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::timeout);
  CHECK(std::chrono::steady_clock::now() - start < 3s);
  int child = 0;
  REQUIRE(std::ifstream(directory / "child") >> child);
  while (runs(child) && std::chrono::steady_clock::now() - start < 5s)
    std::this_thread::yield();
  CHECK_FALSE(runs(child));
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // nor is there one of ours left to collect
}

TEST_CASE("a grandchild that keeps the pipe open does not keep us waiting") {
  const auto start = std::chrono::steady_clock::now();
  const auto result = run_subprocess(shell("sleep 60 & echo done"), {});
  REQUIRE(result);
  CHECK(result->output == "done\n");
  CHECK(std::chrono::steady_clock::now() - start < 3s);
}

TEST_CASE("a flood of output is capped") {
  auto request = shell("head -c 50000000 /dev/zero");
  request.max_output_bytes = 1'000;
  const auto result = run_subprocess(request, {});
  REQUIRE(result);
  CHECK(result->output.size() == 1'000);
  CHECK(result->output_truncated);
}

TEST_CASE("what cannot be started is an error with its name, and nothing leaks") {
  const std::size_t before = open_descriptors();
  const auto missing = run_subprocess({{"/no/such/program"}, "", {}, 1'000ms, 100}, {});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::not_found);
  CHECK(missing.error().message.find("/no/such/program") != std::string::npos);
  CHECK_FALSE(run_subprocess({{}, "", {}, 1'000ms, 100}, {}));
  CHECK(run_subprocess(shell("true"), {})->exit_code == 0);
  CHECK(run_subprocess(shell("kill -9 $$"), {})->exit_code == 137);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a child that does not read its input does not stop us") {
  auto request = shell("exit 0");
  request.input = std::string(1'000'000, 'x');
  const auto result = run_subprocess(request, {});
  REQUIRE(result);
  CHECK(result->exit_code == 0);
}

TEST_CASE("a stop ends a child") {
  std::stop_source stop;
  stop.request_stop();
  const auto result = run_subprocess(shell("sleep 60"), stop.get_token());
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::cancelled);
}
