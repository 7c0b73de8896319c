#include "usage/watcher.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>

namespace keyherd::usage {

namespace {

constexpr std::uint32_t kEvents = IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
                                  IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR;

int milliseconds_until(SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

// What a poll of both descriptors found. A negative descriptor is left out by poll(2).
struct Ready {
  bool changed = false;
  bool woken = false;
};
Ready poll_until(int inotify, int event, SteadyTime deadline) {
  std::array<pollfd, 2> fds{pollfd{inotify, POLLIN, 0}, pollfd{event, POLLIN, 0}};
  ::poll(fds.data(), fds.size(), milliseconds_until(deadline));
  return {(fds[0].revents & POLLIN) != 0, (fds[1].revents & POLLIN) != 0};
}

}  // namespace

Watcher::Watcher()
    : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Watcher::~Watcher() {
  for (const int fd : {inotify_, event_}) {
    if (fd >= 0)
      ::close(fd);
  }
}

void Watcher::watch(const std::vector<std::string>& directories) {
  const std::set<std::string> wanted(directories.begin(), directories.end());
  for (auto at = watches_.begin(); at != watches_.end();) {
    if (wanted.contains(at->first)) {
      ++at;
      continue;
    }
    ::inotify_rm_watch(inotify_, at->second);
    at = watches_.erase(at);
  }
  sees_all_ = inotify_ >= 0;
  for (const std::string& directory : wanted) {
    // Again even if it is watched: it may be another directory of the same name by now.
    const int watch = inotify_ < 0 ? -1 : ::inotify_add_watch(inotify_, directory.c_str(), kEvents);
    if (watch >= 0)
      watches_[directory] = watch;
    else
      watches_.erase(directory);
    sees_all_ = sees_all_ && watch >= 0;
  }
}

Watcher::Wake Watcher::drain() {
  Wake wake = Wake::hint;
  alignas(inotify_event) std::array<char, 16'384> buffer{};
  while (true) {
    const ssize_t got = ::read(inotify_, buffer.data(), buffer.size());
    if (got <= 0)
      return wake;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if ((event.mask & IN_Q_OVERFLOW) != 0)
        wake = Wake::overflow;
      if ((event.mask & IN_IGNORED) != 0) {  // the directory is gone
        if (std::erase_if(watches_,
                          [wd = event.wd](const auto& each) { return each.second == wd; }) > 0)
          sees_all_ = false;
      }
      at += sizeof event + event.len;
    }
  }
}

Watcher::Wake Watcher::wait(SteadyTime deadline, std::stop_token stop) {
  const std::stop_callback on_stop(stop, [this] { wake(); });
  const Ready ready = poll_until(inotify_, event_, deadline);
  Wake outcome = Wake::deadline;
  if (ready.changed) {
    if (!ready.woken)
      poll_until(-1, event_, std::min(deadline, std::chrono::steady_clock::now() + kSettle));
    outcome = drain();
  }
  std::uint64_t count = 0;
  const bool woken = ::read(event_, &count, sizeof count) > 0;
  if (stop.stop_requested())
    return Wake::stopped;
  return woken && outcome != Wake::overflow ? Wake::woken : outcome;
}

void Watcher::wake() {
  const std::uint64_t one = 1;
  // A full counter is awake already.
  [[maybe_unused]] const ssize_t wrote = ::write(event_, &one, sizeof one);
}

}  // namespace keyherd::usage
