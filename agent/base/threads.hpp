#pragma once

// The agent's threads: their names, and what becomes of an exception where nothing is meant to
// throw (what fails in operation is a Result). A job done for others is held apart from its thread:
// it fails alone. What escapes a thread that owns state ends the process, which starts again from
// its last commit.

#include <spdlog/fwd.h>

#include <chrono>
#include <functional>
#include <stop_token>
#include <string_view>

#include "base/clock.hpp"

namespace keyherd {

// Names the calling thread, for `top -H`, debuggers and the line of a fatal error. At most 15
// characters, which is all that the kernel keeps.
void name_thread(const char* name);

// Waits so long, by the steady clock, or until stop.
void rest(const Clock& clock, std::chrono::nanoseconds lasts, const std::stop_token& stop);

// False if the job threw: an error is logged, and counted as such, with the exception's type. Its
// text stays inside, since it may quote a secret. `what` says what was being done.
bool contain(spdlog::logger& log, std::string_view what, const std::function<void()>& job);

// From here on an exception that nobody catches is told on stderr in one line, with the thread and
// the exception's type and without its text, before the process ends by SIGABRT.
void tell_of_uncaught_exceptions();

}  // namespace keyherd
