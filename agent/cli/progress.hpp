#pragma once

// A bar on stderr for what takes longer than a second, where stderr is a terminal.

#include <cstdint>
#include <string>

#include "cli/context.hpp"

namespace keyherd::cli {

class Progress {
 public:
  // `total`: bytes in all; 0: not known.
  Progress(Context& context, std::uint64_t total);
  ~Progress();  // takes the bar away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(std::uint64_t done);

 private:
  Context& context_;
  std::uint64_t total_;
  SteadyTime started_;
  SteadyTime drawn_;
  bool shown_ = false;
};

// "[#####-----]  42%  126 of 300 MB, 812 MB/s, 2s left"; of an unknown total "126 MB, 812 MB/s".
std::string progress_line(std::uint64_t done, std::uint64_t total,
                          std::chrono::nanoseconds elapsed);

}  // namespace keyherd::cli
