#include "model/drill.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace keyherd::model;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const WallTime kBegin = test::ManualClock().now().wall;

Drill drill(std::optional<std::chrono::nanoseconds> published,
            std::optional<std::chrono::nanoseconds> adopted, bool watched = true) {
  const auto at = [](std::optional<std::chrono::nanoseconds> after) -> std::optional<WallTime> {
    if (!after)
      return std::nullopt;
    return kBegin + std::chrono::duration_cast<WallTime::duration>(*after);
  };
  Drill made;
  made.pool = "prod";
  made.key = "k1";
  made.actor = "api:operate";
  made.started_at = kBegin;
  made.until = kBegin + minutes(5);
  made.published_at = at(published);
  made.adopted_at = at(adopted);
  made.watched = watched;
  return made;
}

}  // namespace

TEST_CASE("a drill is graded by how soon the other key was published and used") {
  using Span = std::optional<std::chrono::nanoseconds>;
  struct Case {
    Span published;
    Span adopted;
    bool watched;
    Grade grade;
  };
  const auto one = GENERATE(values<Case>({
      {seconds(15), seconds(60), true, Grade::A},
      {seconds(15), {}, false, Grade::A},
      {seconds(16), seconds(60), true, Grade::B},
      {seconds(15), seconds(61), true, Grade::B},
      {seconds(60), seconds(300), true, Grade::B},
      {seconds(61), seconds(62), true, Grade::C},
      {seconds(61), {}, false, Grade::C},
      {seconds(1), seconds(301), true, Grade::C},
      {seconds(1), {}, true, Grade::D},
      {{}, {}, true, Grade::F},
      {{}, {}, false, Grade::F},
  }));
  CHECK(grade_of(drill(one.published, one.adopted, one.watched)) == one.grade);
}

TEST_CASE("a drill's grade is told in words that say no more than was measured") {
  CHECK(meaning_of(drill(seconds(15), seconds(60), true)) ==
        "published within 15 s, adopted within a minute");
  CHECK(meaning_of(drill(seconds(15), {}, false)) ==
        "published within 15 s; nothing tells who uses it");
  CHECK(meaning_of(drill(seconds(1), {}, true)) == "published, but nobody used the other key");
  CHECK(meaning_of(drill({}, {}, false)) == "not published");
}

TEST_CASE("a drill survives being stored as text, and other text is none") {
  Drill one = drill(milliseconds(1'500), std::nullopt);
  one.detected_at = kBegin + seconds(1);
  one.switched_at = kBegin + milliseconds(1'100);
  one.replaced_by = "k2";
  one.note = "nobody was seen to use the other key";
  const auto back = drill_from_text(to_text(one));
  REQUIRE(back);
  CHECK(to_text(*back) == to_text(one));
  CHECK(back->published_at == one.published_at);
  CHECK_FALSE(back->adopted_at);
  CHECK_FALSE(back->ended_at);
  CHECK(back->watched);
  for (const char* bad : {"", "x", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm"})
    CHECK_FALSE(drill_from_text(bad));
}
