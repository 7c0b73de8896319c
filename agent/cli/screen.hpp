#pragma once

// Output that is shown again and again: repainted in place on a terminal, one after the other
// elsewhere.

#include <chrono>
#include <functional>
#include <string>

#include "cli/context.hpp"

namespace keyherd::cli {

class Screen {
 public:
  explicit Screen(Context& context) : context_(context) {}

  // `print` writes to the context that it is given. On a terminal the new content replaces the old
  // one, cut to the terminal's height. Elsewhere it follows, behind an empty line unless in JSON
  // mode.
  void show(const std::function<void(Context&)>& print);

 private:
  Context& context_;
  bool first_ = true;
};

// "2s" for a pause between two looks: from 100 ms to an hour. Error invalid.
Result<std::chrono::nanoseconds> parse_pause(const std::string& text);
// Lets time pass; false when nobody reads the output any more.
bool wait_for_next(Context& context, std::chrono::nanoseconds pause);

}  // namespace keyherd::cli
