#include "cron/schedule.hpp"

#include <string>

#include "fuzz.hpp"

using namespace keyherd;

// An expression, and the zone behind a line break.
void fuzz::cron(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto cut = text.find('\n');
  const auto zone = cut == std::string_view::npos ? "America/New_York" : text.substr(cut + 1);
  const auto schedule = cron::Schedule::parse(text.substr(0, cut), zone);
  if (!schedule)
    return;
  WallTime at{};
  for (int i = 0; i < 5; ++i) {
    const auto next = schedule->next(at);
    if (!next)
      return;
    fuzz::must(*next > at);
    at = *next;
  }
}
