#pragma once

// A command's surroundings in memory: what it prints is text, no terminal is there.

#include <sstream>

#include "cli/context.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_files.hpp"

namespace keyherd::test {

struct CliContext {
  std::ostringstream out;
  std::ostringstream err;
  FixedEnvironment environment{{}};
  MemoryFileSystem files;
  ManualClock clock;
  Redactor redactor;
  cli::Context context{out, err, environment, files, clock, redactor};
};

}  // namespace keyherd::test
