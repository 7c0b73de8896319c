// Questions to the table of schema.cpp.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/text.hpp"
#include "base/time_text.hpp"
#include "config/schema.hpp"

namespace keyherd::config {

const Section& section(SectionId id) {
  return schema()[static_cast<std::size_t>(id)];
}

const Field* find_field(const Section& section, std::string_view name) {
  const auto found = std::find_if(section.fields.begin(), section.fields.end(),
                                  [&](const Field& field) { return field.name == name; });
  return found == section.fields.end() ? nullptr : &*found;
}

std::vector<std::string> choice_list(const Field& field) {
  std::vector<std::string> choices;
  for (const std::string_view choice : split(field.choices, ' '))
    choices.emplace_back(choice);
  return choices;
}

std::string show_bound(double bound, Type type) {
  if (type == Type::duration)
    return format_duration(std::chrono::nanoseconds(std::llround(bound * 1e9)));
  return fmt::format("{}", static_cast<std::int64_t>(bound));
}

std::string_view expectation(Type type) {
  switch (type) {
    case Type::text:
    case Type::choice:
      return "text in quotes";
    case Type::path:
      return "a path in quotes";
    case Type::boolean:
      return "true or false";
    case Type::integer:
      return "a whole number";
    case Type::ratio:
      return "a number from 0 to 1";
    case Type::amount:
      return "a number";
    case Type::usd:
      return "an amount in USD, such as 0.28";
    case Type::duration:
      return "a duration in quotes, such as \"5m\" or \"1h30m\"";
    case Type::time:
      return "a date and time, such as 2027-03-01T00:00:00Z";
    case Type::secret:
      return "a reference to a secret in quotes, such as \"env:NAME\" or \"file:PATH\"";
    case Type::url:
      return "a URL in quotes";
    case Type::id:
      return "an id in quotes";
    case Type::ids:
      return "a list of ids, such as [\"a\", \"b\"]";
    case Type::texts:
      return "a list of texts, such as [\"a\", \"b\"]";
    case Type::ratios:
      return "a list of numbers from 0 to 1, such as [0.7, 0.9]";
    case Type::text_map:
      return "a table of texts, such as { name = \"value\" }";
    case Type::integer_map:
      return "a table of whole numbers, such as { name = 200 }";
    case Type::choices:
      return "a list of texts, such as [\"a\", \"b\"]";
    case Type::timezone:
      return "a time zone in quotes, such as \"Europe/Berlin\"";
    case Type::cron:
      return "a cron expression in quotes, such as \"0 3 * * *\"";
    case Type::window:
      return "a window in quotes, such as \"day\" or \"rolling 24h\"";
    case Type::table:
      return "a table";
    case Type::table_map:
      return "a table of tables";
    case Type::table_list:
      return "a list of tables";
  }
  return "";
}

}  // namespace keyherd::config
