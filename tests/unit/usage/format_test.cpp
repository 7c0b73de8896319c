#include <catch2/catch.hpp>

#include "usage/format.hpp"

using namespace keyherd;
using namespace keyherd::usage;

TEST_CASE("the native format finds every canonical field at the top") {
  for (std::size_t i = 0; i < kNativeFieldCount; ++i) {
    const auto* entry = Format::find(model::kUsageFields[i]);
    REQUIRE(entry != nullptr);
    CHECK(entry->field == static_cast<Field>(i));
    CHECK(to_string(entry->field) == model::kUsageFields[i]);
  }
  CHECK(Format::find("provider") == nullptr);
  CHECK(Format::find("started_at") == nullptr);
}

TEST_CASE("the native format is read without a mapping unless something is changed in it") {
  model::UsageLog log;
  log.id = "gw";
  CHECK(Format::of(log)->mapping() == nullptr);
  log.key_names = {{"team-a", "k1"}};
  CHECK(Format::of(log)->mapping() != nullptr);
}

TEST_CASE("a format that cannot be read is refused with the log's name") {
  model::UsageLog log;
  log.id = "gw";
  log.format = "nonsense";
  CHECK(Format::of(log).error().message ==
        "usage_logs.gw: unknown format \"nonsense\"; use a preset, \"keyherd\" or `fields`");
}
