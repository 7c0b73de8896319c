#include <catch2/catch.hpp>

#include "usage/format.hpp"

using namespace keyherd;
using namespace keyherd::usage;

namespace {
model::UsageLog mapped(std::map<std::string, std::string> fields) {
  model::UsageLog log;
  log.id = "gw";
  log.fields = std::move(fields);
  return log;
}
std::string problem_of(const model::UsageLog& log) {
  const auto format = Format::of(log);
  return format ? "" : format.error().message;
}
}  // namespace

TEST_CASE("the native format finds every canonical field at the top") {
  const Format format = Format::native();
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const auto* entry = format.find(Format::kRoot, field_names()[i]);
    REQUIRE(entry != nullptr);
    CHECK(entry->field == static_cast<Field>(i));
    CHECK(to_string(*entry->field) == field_names()[i]);
  }
  CHECK(format.find(Format::kRoot, "provider") == nullptr);
}

TEST_CASE("an own mapping is a tree of JSON Pointers with their escapes") {
  const auto format =
      Format::of(mapped({{"ts", "/time"}, {"key", "/meta/a~1b"}, {"input_tokens", "/meta/u~0/0"}}));
  REQUIRE(format);
  const auto* meta = format->find(Format::kRoot, "meta");
  REQUIRE(meta != nullptr);
  CHECK_FALSE(meta->field);
  CHECK(format->find(meta->child, "a/b")->field == Field::key);
  const auto* nested = format->find(meta->child, "u~");
  REQUIRE(nested != nullptr);
  CHECK(format->find(nested->child, "0")->field == Field::input_tokens);
}

TEST_CASE("a mapping that cannot work is refused with its place") {
  CHECK(problem_of(mapped({{"ts", "/t"}})) == "usage_logs.gw: fields: \"key\" is required");
  CHECK(problem_of(mapped({{"ts", "/t"}, {"key", "k"}})) ==
        "usage_logs.gw: fields.key: a JSON Pointer starts with '/'");
  CHECK(problem_of(mapped({{"ts", "/t"}, {"key", "/k~2"}})) ==
        "usage_logs.gw: fields.key: in a JSON Pointer '~' is written '~0' and '/' inside a name "
        "'~1'");
  CHECK(problem_of(mapped({{"ts", "/t"}, {"key", "/k"}, {"tokens", "/x"}})) ==
        "usage_logs.gw: fields: unknown field \"tokens\"");
  CHECK(problem_of(mapped({{"ts", "/t"}, {"key", "/t"}})) ==
        "usage_logs.gw: fields.ts: another field has the same JSON Pointer");
  model::UsageLog preset;
  preset.id = "gw";
  preset.format = "nonsense";
  CHECK(problem_of(preset) ==
        "usage_logs.gw: unknown format \"nonsense\"; use \"keyherd\" or `fields`");
}
