#include "cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/time_text.hpp"

namespace keyherd::cli {

namespace {
constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::size_t kBar = 30;
constexpr double kMega = 1e6;
}  // namespace

Progress::Progress(Context& context, std::uint64_t total, std::string unit)
    : context_(context),
      total_(total),
      unit_(std::move(unit)),
      started_(context.clock.now().steady),
      drawn_(started_) {}

Progress::~Progress() {
  if (shown_)
    context_.err << "\r\033[K" << std::flush;
}

void Progress::at(std::uint64_t done) {
  if (!context_.err_terminal)
    return;
  const SteadyTime now = context_.clock.now().steady;
  if (now - started_ < kPatience || now - drawn_ < kRedraw)
    return;
  drawn_ = now;
  shown_ = true;
  context_.err << "\r" << progress_line(done, total_, now - started_, unit_) << "\033[K"
               << std::flush;
}

std::string progress_line(std::uint64_t done, std::uint64_t total, std::chrono::nanoseconds elapsed,
                          const std::string& unit) {
  const double seconds = std::max(std::chrono::duration<double>(elapsed).count(), 1e-9);
  const double read = static_cast<double>(done);
  const double rate = read / seconds;
  if (total == 0)
    return fmt::format("{:.0f} MB, {:.0f} MB/s", read / kMega, rate / kMega);
  const double part = std::min(read / static_cast<double>(total), 1.0);
  const auto full = static_cast<std::size_t>(part * static_cast<double>(kBar));
  const double left = rate > 0 ? (static_cast<double>(total) - read) / rate : 0;
  const std::string bar = fmt::format("[{}{}] {:3.0f}%", std::string(full, '#'),
                                      std::string(kBar - full, '-'), part * 100);
  const std::string rest =
      describe_duration(std::chrono::seconds(static_cast<std::int64_t>(std::max(left, 0.0))));
  if (!unit.empty())
    return fmt::format("{}  {} of {} {}, {} left", bar, done, total, unit, rest);
  return fmt::format("{}  {:.0f} of {:.0f} MB, {:.0f} MB/s, {} left", bar, read / kMega,
                     static_cast<double>(total) / kMega, rate / kMega, rest);
}

}  // namespace keyherd::cli
