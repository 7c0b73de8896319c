#pragma once

// Every section and field of the configuration in one table: what may be written, what it means,
// what holds when it is not written. Unknown names, type and range errors and the reference in
// docs/configuration.md all come from here; a new field is one row here and its use in a reader.

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keyherd::config {

enum class SectionId {
  root,
  agent,
  provider,
  probe,
  error_rule,
  balance_threshold,
  price,
  price_period,
  price_earlier,
  price_lists,
  price_list,
  key,
  limit_group,
  quota,
  issuer,
  pool,
  freeze,
  publish,
  usage_log,
  web,
  token,
  basic_auth_user,
  tls,
  client,
  notify
};
inline constexpr std::size_t kSectionCount = 25;

enum class Type {
  text,
  path,
  boolean,
  integer,
  ratio,     // 0..1
  amount,    // of a quota: a number, or decimal text
  usd,       // a number, or decimal text
  duration,  // range in seconds
  time,
  secret,
  url,
  id,
  ids,
  texts,
  ratios,
  text_map,
  integer_map,
  choice,
  choices,
  timezone,
  cron,
  window,
  table,       // one table
  table_map,   // id → table
  table_list,  // list of tables
};

struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

struct Field {
  std::string_view name{};
  Type type = Type::text;
  bool required = false;
  std::string_view fallback{};  // as one would write it; empty: nothing
  Range range{};
  std::string_view choices{};  // separated by spaces
  std::string_view doc{};
};

struct Section {
  SectionId id;
  std::string_view path;  // "providers.ID.probe"
  std::string_view doc;
  std::span<const Field> fields;
};

// In the order of SectionId.
std::span<const Section> schema();
const Section& section(SectionId id);
// Nothing if the section has no such field.
const Field* find_field(const Section& section, std::string_view name);

std::vector<std::string> choice_list(const Field& field);
// What a person should write: "text", "a duration such as \"5m\"", …
std::string_view expectation(Type type);
// One end of a field's range as one would write it: "1h30m" for durations, "256" for numbers.
std::string show_bound(double bound, Type type);

}  // namespace keyherd::config
