#pragma once

// What Linux says about this process, for the process_* families. Safe to call from any thread.

#include <cstdint>
#include <optional>
#include <string_view>

namespace keyherd::metrics {

struct ProcessStats {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since the epoch
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
};

// How the kernel counts.
struct KernelUnits {
  std::uint64_t ticks_per_second = 100;
  std::uint64_t page_bytes = 4096;
  double boot_time_seconds = 0;  // since the epoch
};

// The fields of /proc/PID/stat (the file descriptors stay 0). Nothing if the text is not of that
// form.
std::optional<ProcessStats> parse_process_stat(std::string_view text, const KernelUnits& units);

// Of this process. Nothing where /proc is not mounted.
std::optional<ProcessStats> read_process_stats();

}  // namespace keyherd::metrics
