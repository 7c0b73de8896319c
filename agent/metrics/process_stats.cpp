#include "metrics/process_stats.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "base/text.hpp"

namespace keyherd::metrics {

namespace {

// Numbers of the fields in proc(5), counted from 1; the first two hold the pid and the name.
constexpr std::size_t kUserTime = 14;
constexpr std::size_t kSystemTime = 15;
constexpr std::size_t kStartTime = 22;
constexpr std::size_t kVirtualSize = 23;
constexpr std::size_t kResidentPages = 24;
constexpr std::size_t kFirstAfterName = 3;

std::string read_text(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

double boot_time() {
  const std::string stat = read_text("/proc/stat");
  const auto line = stat.find("\nbtime ");
  if (line == std::string::npos)
    return 0;
  const char* const digits = stat.data() + line + 7;
  std::uint64_t seconds = 0;
  std::from_chars(digits, stat.data() + stat.size(), seconds);
  return static_cast<double>(seconds);
}

std::uint64_t count_open_fds() {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error))
    ++count;
  return count > 0 ? count - 1 : 0;  // the iterator's own is one of them
}

}  // namespace

std::optional<ProcessStats> parse_process_stat(std::string_view text, const KernelUnits& units) {
  const auto name_end = text.rfind(')');  // the name may hold blanks and parentheses
  if (name_end == std::string_view::npos || name_end + 2 > text.size())
    return std::nullopt;
  const std::vector<std::string_view> fields = split(trim(text.substr(name_end + 2)), ' ');
  if (fields.size() <= kResidentPages - kFirstAfterName)
    return std::nullopt;
  const auto field = [&](std::size_t number) {
    return static_cast<std::uint64_t>(parse_int(fields[number - kFirstAfterName]).value_or(0));
  };
  const auto ticks = static_cast<double>(units.ticks_per_second);
  ProcessStats stats;
  stats.cpu_seconds = static_cast<double>(field(kUserTime) + field(kSystemTime)) / ticks;
  stats.start_time_seconds =
      units.boot_time_seconds + static_cast<double>(field(kStartTime)) / ticks;
  stats.virtual_bytes = field(kVirtualSize);
  stats.resident_bytes = field(kResidentPages) * units.page_bytes;
  return stats;
}

std::optional<ProcessStats> read_process_stats() {
  const KernelUnits units{static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)),
                          static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)), boot_time()};
  auto stats = parse_process_stat(read_text("/proc/self/stat"), units);
  if (!stats)
    return std::nullopt;
  stats->open_fds = count_open_fds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    stats->max_fds = limit.rlim_cur;
  return stats;
}

}  // namespace keyherd::metrics
