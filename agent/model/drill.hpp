#pragma once

// A drill: the agent acts as if the provider had revoked a key, so that people see what would
// happen, and how fast. Nothing is believed of the key that is not so.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace keyherd::model {

struct Drill {
  std::string pool;
  std::string key;
  std::string actor;  // whose token asked for it
  WallTime started_at;
  WallTime until;  // it ends then, whatever has happened
  // The next probe or usage line of the key counted as a refusal, and condemned it.
  std::optional<WallTime> detected_at;
  std::optional<WallTime> switched_at;   // the switch was decided
  std::optional<WallTime> published_at;  // the published files have the other key
  std::optional<WallTime> adopted_at;    // the first request with it, by a usage log or a report
  bool watched = false;                  // something tells of requests
  std::string replaced_by;               // empty: nothing did
  std::optional<WallTime> ended_at;      // the key is treated as before
  std::string note;                      // what went wrong, or how it was restored
};

// How it went, from the start of the drill on:
//   A  published within 15 s and, where requests are told of, adopted within a minute
//   B  published within a minute, adopted within five
//   C  published, and adopted
//   D  published, but nobody used the other key
//   F  not published
enum class Grade { A, B, C, D, F };
std::string_view to_string(Grade grade);
// Of a drill that has ended.
Grade grade_of(const Drill& drill);
// What its grade says, in one line for people.
std::string meaning_of(const Drill& drill);

// All its times, as if it had begun so much later.
void shift(Drill& drill, WallTime::duration by);

// As the store keeps it, and back; nothing for other text.
std::string to_text(const Drill& drill);
std::optional<Drill> drill_from_text(const std::string& text);

}  // namespace keyherd::model
