#include "base/threads.hpp"

#include <cxxabi.h>
#include <pthread.h>
#include <spdlog/logger.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>

#include "base/mutex.hpp"

namespace keyherd {

namespace {

// Of the exception that is being handled.
std::string type_of_exception() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr)
    return "unknown";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type->name();
}

std::string name_of_thread() {
  std::array<char, 16> name{};
  return ::pthread_getname_np(::pthread_self(), name.data(), name.size()) == 0 ? name.data() : "";
}

[[noreturn]] void tell_and_abort() {
  // Whatever is thrown in here comes here again: then it ends without a word.
  static bool told = false;
  if (!std::exchange(told, true)) {
    const std::string line = "keyherd: fatal: thread " + name_of_thread() +
                             " ended by an exception of type " + type_of_exception() +
                             "; the state is as it was last saved\n";
    static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()) + 1);
  }
  std::abort();
}

}  // namespace

void name_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

void rest(const Clock& clock, std::chrono::nanoseconds lasts, const std::stop_token& stop) {
  Mutex mutex;
  Condition never;
  MutexLock lock(mutex);
  never.wait_until(mutex, clock.now().steady + lasts, stop);
}

bool contain(spdlog::logger& log, std::string_view what, const std::function<void()>& job) {
  try {
    job();
    return true;
  } catch (...) {
    log.error("{} failed by an internal error ({})", what, type_of_exception());
    return false;
  }
}

void tell_of_uncaught_exceptions() {
  std::set_terminate(tell_and_abort);
}

}  // namespace keyherd
