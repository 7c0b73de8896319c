#include "model/drill.hpp"

#include <array>
#include <vector>

#include "base/text.hpp"
#include "base/time_text.hpp"
#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 5> kGrades{"A", "B", "C", "D", "F"};
struct Meaning {
  std::string_view published;
  std::string_view adopted;
};
constexpr std::array<Meaning, 5> kMeanings{
    {{"published within 15 s", ", adopted within a minute"},
     {"published within a minute", ", adopted within five minutes"},
     {"published", ", and adopted"},
     {"published", ", but nobody used the other key"},
     {"not published", ""}}};

bool within(const Drill& drill, std::optional<WallTime> event, std::chrono::nanoseconds limit) {
  return event && *event - drill.started_at <= limit;
}

std::string optional_time(std::optional<WallTime> time) {
  return time ? format_rfc3339(*time) : "-";
}

// False for what is neither a time nor "-".
bool read_time(std::string_view text, std::optional<WallTime>& time) {
  if (text == "-")
    return true;
  const auto parsed = parse_rfc3339(std::string(text));
  if (parsed)
    time = *parsed;
  return parsed.has_value();
}

}  // namespace

std::string_view to_string(Grade grade) {
  return name_of(kGrades, grade);
}

Grade grade_of(const Drill& drill) {
  if (!drill.published_at)
    return Grade::F;
  if (drill.watched && !drill.adopted_at)
    return Grade::D;
  const auto adopted = [&](std::chrono::nanoseconds limit) {
    return !drill.watched || within(drill, drill.adopted_at, limit);
  };
  if (within(drill, drill.published_at, seconds(15)) && adopted(minutes(1)))
    return Grade::A;
  if (within(drill, drill.published_at, minutes(1)) && adopted(minutes(5)))
    return Grade::B;
  return Grade::C;
}

std::string meaning_of(const Drill& drill) {
  const Grade grade = grade_of(drill);
  const Meaning& meaning = kMeanings[static_cast<std::size_t>(grade)];
  const bool unknown = !drill.watched && grade != Grade::F;
  return std::string(meaning.published) +
         std::string(unknown ? "; nothing tells who uses it" : meaning.adopted);
}

void shift(Drill& drill, WallTime::duration by) {
  drill.started_at += by;
  drill.until += by;
  for (auto* time : {&drill.detected_at, &drill.switched_at, &drill.published_at, &drill.adopted_at,
                     &drill.ended_at}) {
    if (*time)
      **time += by;
  }
}

// A line each, in the order of the fields.
std::string to_text(const Drill& drill) {
  std::string text = drill.pool + "\n" + drill.key + "\n" + drill.actor + "\n" +
                     format_rfc3339(drill.started_at) + "\n" + format_rfc3339(drill.until);
  for (const auto& time :
       {drill.detected_at, drill.switched_at, drill.published_at, drill.adopted_at, drill.ended_at})
    text += "\n" + optional_time(time);
  return text + "\n" + (drill.watched ? "watched" : "-") + "\n" + drill.replaced_by + "\n" +
         drill.note;
}

std::optional<Drill> drill_from_text(const std::string& text) {
  const auto lines = split(text, '\n');
  if (lines.size() != 13)
    return std::nullopt;
  Drill drill;
  drill.pool = lines[0];
  drill.key = lines[1];
  drill.actor = lines[2];
  std::optional<WallTime> started;
  std::optional<WallTime> until;
  if (!read_time(lines[3], started) || !read_time(lines[4], until) || !started || !until ||
      !read_time(lines[5], drill.detected_at) || !read_time(lines[6], drill.switched_at) ||
      !read_time(lines[7], drill.published_at) || !read_time(lines[8], drill.adopted_at) ||
      !read_time(lines[9], drill.ended_at))
    return std::nullopt;
  drill.started_at = *started;
  drill.until = *until;
  drill.watched = lines[10] == "watched";
  drill.replaced_by = lines[11];
  drill.note = lines[12];
  return drill;
}

}  // namespace keyherd::model
