#pragma once

// A bar on stderr for what takes longer than a second, where stderr is a terminal.

#include <cstdint>
#include <string>

#include "cli/context.hpp"

namespace keyherd::cli {

class Progress {
 public:
  // `total`: in all; 0: not known. Of bytes, or of what `unit` names.
  Progress(Context& context, std::uint64_t total, std::string unit = "");
  ~Progress();  // takes the bar away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(std::uint64_t done);

 private:
  Context& context_;
  std::uint64_t total_;
  std::string unit_;
  SteadyTime started_;
  SteadyTime drawn_;
  bool shown_ = false;
};

// With a unit: "[#####-----]  42%  12600 of 30000 requests, 3s left".
// "[#####-----]  42%  126 of 300 MB, 812 MB/s, 2s left"; of an unknown total "126 MB, 812 MB/s".
std::string progress_line(std::uint64_t done, std::uint64_t total, std::chrono::nanoseconds elapsed,
                          const std::string& unit = "");

}  // namespace keyherd::cli
