#include "engine/freezes.hpp"

#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::engine {

namespace {
constexpr std::size_t kMostOpenings = 100'000;  // of one window, while it is open
}

std::optional<model::Freeze> open_window(const std::vector<FreezeSchedule>& windows, WallTime now) {
  std::optional<model::Freeze> open;
  for (const FreezeSchedule& window : windows) {
    const auto lasts = std::chrono::duration_cast<WallTime::duration>(window.lasts);
    const auto opened = window.start.between(now - lasts, now, kMostOpenings).latest;
    if (!opened || (open && *opened + lasts <= *open->until))
      continue;
    open = model::Freeze{false, *opened + lasts, "", ""};
  }
  return open;
}

std::string freeze_setting(const std::string& pool) {
  return "freeze." + pool;
}

// One line each: until, actor, reason.
std::string freeze_to_text(const model::Freeze& freeze) {
  return (freeze.until ? format_rfc3339(*freeze.until) : "-") + "\n" + freeze.actor + "\n" +
         freeze.reason;
}

std::optional<model::Freeze> freeze_from_text(const std::string& text) {
  const auto lines = split(text, '\n');
  if (lines.size() != 3)
    return std::nullopt;
  model::Freeze freeze{true, std::nullopt, std::string(lines[1]), std::string(lines[2])};
  if (lines[0] != "-") {
    const auto until = parse_rfc3339(lines[0]);
    if (!until)
      return std::nullopt;
    freeze.until = *until;
  }
  return freeze;
}

}  // namespace keyherd::engine
