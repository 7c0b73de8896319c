#include "config/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/time_text.hpp"
#include "config/schema.hpp"

namespace keyherd::config {

namespace {

std::string_view type_word(Type type) {
  switch (type) {
    case Type::text:
      return "text";
    case Type::path:
      return "path";
    case Type::boolean:
      return "boolean";
    case Type::integer:
      return "whole number";
    case Type::ratio:
      return "ratio 0..1";
    case Type::amount:
      return "number";
    case Type::usd:
      return "USD";
    case Type::duration:
      return "duration";
    case Type::time:
      return "date and time";
    case Type::secret:
      return "secret reference";
    case Type::url:
      return "URL";
    case Type::id:
      return "id";
    case Type::ids:
      return "list of ids";
    case Type::texts:
      return "list of texts";
    case Type::ratios:
      return "list of ratios";
    case Type::text_map:
      return "table of texts";
    case Type::integer_map:
      return "table of whole numbers";
    case Type::choice:
      return "one of";
    case Type::choices:
      return "some of";
    case Type::timezone:
      return "time zone";
    case Type::cron:
      return "cron expression";
    case Type::window:
      return "window";
    case Type::table:
      return "table";
    case Type::table_map:
      return "table of tables";
    case Type::table_list:
      return "list of tables";
  }
  return "";
}

std::string describe_type(const Field& field) {
  std::string text(type_word(field.type));
  for (const std::string& choice : choice_list(field)) {
    if (!choice.empty())
      text += fmt::format(" `{}`", choice);
  }
  if (std::isinf(field.range.low))
    return text;
  const bool open = std::isinf(field.range.high);
  return text + (open ? fmt::format(", at least {}", show_bound(field.range.low, field.type))
                      : fmt::format(", {} to {}", show_bound(field.range.low, field.type),
                                    show_bound(field.range.high, field.type)));
}

std::string describe_default(const Field& field) {
  if (field.required)
    return "required";
  return field.fallback.empty() ? "–" : fmt::format("`{}`", field.fallback);
}

}  // namespace

std::string config_reference_markdown() {
  std::string text = "## Reference\n";
  for (const Section& section : schema()) {
    text += section.path.empty() ? "\n### The file\n" : fmt::format("\n### `{}`\n", section.path);
    text += fmt::format("\n{}\n\n| field | type | default | meaning |\n| --- | --- | --- | --- |\n",
                        section.doc);
    for (const Field& field : section.fields)
      text += fmt::format("| `{}` | {} | {} | {} |\n", field.name, describe_type(field),
                          describe_default(field), field.doc);
  }
  return text;
}

}  // namespace keyherd::config
