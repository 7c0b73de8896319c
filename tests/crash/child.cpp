#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

extern char** environ;

namespace keyherd::test {

Child::Child(const std::vector<std::string>& argv) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe");
  std::vector<char*> arguments;
  for (const std::string& one : argv)
    arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const int failed =
      ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  out_ = ends[0];
  if (failed != 0)
    throw std::runtime_error("cannot start " + argv[0]);
}

Child::~Child() {
  kill();
  wait();
  ::close(out_);
}

bool Child::read_byte() {
  pollfd ready{out_, POLLIN, 0};
  char byte = 0;
  return ::poll(&ready, 1, 10'000) == 1 && ::read(out_, &byte, 1) == 1;
}

void Child::kill() {
  if (pid_ > 0)
    ::kill(pid_, SIGKILL);
}

int Child::wait() {
  int status = 0;
  if (pid_ > 0)
    ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

}  // namespace keyherd::test
