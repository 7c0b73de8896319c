#include "base/threads.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <new>
#include <sstream>
#include <stdexcept>
#include <thread>

using namespace keyherd;

namespace {

struct ThrowsText {
  void operator()() const { throw std::runtime_error("sk-CANARY-0123456789"); }
};

// What a process says on stderr that ends by what `thread` throws, and the signal that ended it.
std::pair<std::string, int> last_words(const std::function<void()>& thread) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // not Catch's, which would report a failure
    ::dup2(pipe[1], STDERR_FILENO);
    tell_of_uncaught_exceptions();
    std::thread([&] {
      name_thread("kh-doomed");
      thread();
    }).join();
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string text;
  std::array<char, 512> buffer{};
  for (ssize_t got = 0; (got = ::read(pipe[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {text, WIFSIGNALED(status) ? WTERMSIG(status) : 0};
}

}  // namespace

TEST_CASE("a job that throws is told of by its type, and its thread goes on") {
  std::ostringstream text;
  spdlog::logger log("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  CHECK_FALSE(contain(log, "counting sheep", ThrowsText{}));
  CHECK_FALSE(contain(log, "counting sheep", [] { throw std::bad_alloc(); }));
  CHECK_FALSE(contain(log, "counting sheep", [] { throw 5; }));
  CHECK(contain(log, "counting sheep", [] {}));
  log.flush();
  CHECK_THAT(text.str(), Catch::Contains("counting sheep failed by an internal error"));
  for (const char* type : {"std::runtime_error", "std::bad_alloc", "(int)"})
    CHECK_THAT(text.str(), Catch::Contains(type));
  CHECK_THAT(text.str(), !Catch::Contains("CANARY"));
}

TEST_CASE("what nobody catches is told in one line without its text, and ends the process") {
  const auto [words, signal] = last_words(ThrowsText{});
  CHECK(signal == SIGABRT);
  CHECK(words ==
        "keyherd: fatal: thread kh-doomed ended by an exception of type std::runtime_error; the "
        "state is as it was last saved\n");
}
