#include "base/subprocess.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/environment.hpp"

namespace keyherd {

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kSliceMs = 50;  // how often the stop token is looked at

class Pipe {
 public:
  Pipe() = default;
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  Status open() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
      return fail(errno_error(errno, "making a pipe"));
    return {};
  }
  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  void close_read() { close_end(ends_[0]); }
  void close_write() { close_end(ends_[1]); }

 private:
  static void close_end(int& fd) {
    if (fd >= 0)
      ::close(fd);
    fd = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

std::vector<std::string> child_environment(const std::map<std::string, std::string>& extra) {
  const ProcessEnvironment parent;
  std::map<std::string, std::string> values = extra;
  for (const char* name : {"PATH", "HOME", "LANG", "TZ"}) {
    if (const auto value = parent.get(name))
      values.emplace(name, *value);
  }
  std::vector<std::string> lines;
  for (const auto& [name, value] : values)
    lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& lines) {
  std::vector<char*> result;
  for (std::string& line : lines)
    result.push_back(line.data());
  result.push_back(nullptr);
  return result;
}

// Owns the spawn attributes for one call.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    // The child leads its own group, so that the whole family can be ended; it gets the default
    // handling of the signals that the agent ignores or blocks.
    sigset_t all;
    sigfillset(&all);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // Nothing but what was connected, whoever opened it without close-on-exec.
  void close_the_rest() { posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1); }
  void connect(int fd, int as) { posix_spawn_file_actions_adddup2(&actions_, fd, as); }
  int spawn(pid_t& pid, char* const* argv, char* const* environment) {
    return ::posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv, environment);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A child that does not read its input must not end us: SIGPIPE is held back for this thread, and
// one that a write raised is taken before it can arrive.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    const timespec now{0, 0};
    while (sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

// A running child: reaped and its group ended when this goes away.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    ::kill(-pid_, SIGKILL);
    if (!status_)
      reap(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool finished() { return status_.has_value() || reap(WNOHANG); }
  [[nodiscard]] int exit_code() const {
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
  }
  void terminate() const { ::kill(-pid_, SIGTERM); }

 private:
  bool reap(int flags) {
    int status = 0;
    pid_t got = 0;
    do {
      got = ::waitpid(pid_, &status, flags);
    } while (got < 0 && errno == EINTR);
    if (got != pid_)
      return false;
    status_ = status;
    return true;
  }
  pid_t pid_;
  std::optional<int> status_;
};

// Moves bytes between us and the child until it has ended and said all, or time is up.
class Conversation {
 public:
  Conversation(const SubprocessRequest& request, Pipe& in, Pipe& out, Pipe& err)
      : request_(request), in_(in), out_(out), err_(err) {
    for (const int fd : {in.write_end(), out.read_end(), err.read_end()})
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }

  // True when the child ended by itself before the deadline.
  bool run(Child& child, SteadyClock::time_point deadline, const std::stop_token& stop) {
    while (SteadyClock::now() < deadline && !stop.stop_requested()) {
      exchange();
      if (child.finished()) {
        exchange();  // what it wrote last; a grandchild that holds the pipe is not waited for
        return true;
      }
    }
    return false;
  }

  SubprocessResult result;

 private:
  void exchange() {
    std::array<pollfd, 3> fds{{{in_.write_end(), POLLOUT, 0},
                               {out_.read_end(), POLLIN, 0},
                               {err_.read_end(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), kSliceMs) <= 0)
      return;
    if (fds[0].revents != 0)
      feed();
    if (fds[1].revents != 0)
      drain(out_, result.output);
    if (fds[2].revents != 0)
      drain(err_, result.error_output);
    // All pipes closed: poll would return at once, so wait for the child by sleeping in poll.
    if (in_.write_end() < 0 && out_.read_end() < 0 && err_.read_end() < 0)
      ::poll(nullptr, 0, 1);
  }

  void feed() {
    const std::string_view rest = std::string_view(request_.input).substr(fed_);
    if (!rest.empty()) {
      const ssize_t wrote = ::write(in_.write_end(), rest.data(), rest.size());
      if (wrote > 0)
        fed_ += static_cast<std::size_t>(wrote);
      else if (errno != EAGAIN && errno != EINTR)
        fed_ = request_.input.size();  // it does not want the rest
    }
    if (fed_ >= request_.input.size())
      in_.close_write();
  }

  void drain(Pipe& pipe, std::string& into) {
    std::array<char, 16'384> buffer{};
    while (pipe.read_end() >= 0) {
      const ssize_t got = ::read(pipe.read_end(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return;
      if (got == 0) {
        pipe.close_read();
        return;
      }
      const std::size_t room = request_.max_output_bytes - into.size();
      const auto size = static_cast<std::size_t>(got);
      into.append(buffer.data(), std::min(room, size));
      if (size > room)
        result.output_truncated = true;
      if (result.output_truncated)
        return;  // a flood: read on only once per turn, so that the deadline is seen
    }
  }

  const SubprocessRequest& request_;
  Pipe& in_;
  Pipe& out_;
  Pipe& err_;
  std::size_t fed_ = 0;
};

}  // namespace

Result<SubprocessResult> run_subprocess(const SubprocessRequest& request, std::stop_token stop) {
  if (request.argv.empty() || request.argv.front().empty())
    return fail(ErrorCode::invalid, "no command to run");
  Pipe in;
  Pipe out;
  Pipe err;
  KH_TRY(in.open());
  KH_TRY(out.open());
  KH_TRY(err.open());

  SpawnPlan plan;
  plan.connect(in.read_end(), STDIN_FILENO);
  plan.connect(out.write_end(), STDOUT_FILENO);
  plan.connect(err.write_end(), STDERR_FILENO);
  plan.close_the_rest();
  std::vector<std::string> argv = request.argv;
  std::vector<std::string> environment = child_environment(request.environment);
  pid_t pid = 0;
  if (const int error = plan.spawn(pid, pointers(argv).data(), pointers(environment).data());
      error != 0)
    return fail(errno_error(error, "running " + request.argv.front()));
  in.close_read();
  out.close_write();
  err.close_write();

  const NoSigpipe no_sigpipe;
  Child child(pid);
  Conversation conversation(request, in, out, err);
  if (!conversation.run(child, SteadyClock::now() + request.timeout, stop)) {
    child.terminate();
    // A moment to end in order; then the group is killed when `child` goes away.
    conversation.run(child, SteadyClock::now() + std::chrono::milliseconds(500), {});
    if (stop.stop_requested())
      return fail(ErrorCode::cancelled, request.argv.front() + " was stopped");
    return fail(ErrorCode::timeout, fmt::format("{} did not end within {} ms", request.argv.front(),
                                                request.timeout.count()));
  }
  conversation.result.exit_code = child.exit_code();
  return std::move(conversation.result);
}

}  // namespace keyherd
