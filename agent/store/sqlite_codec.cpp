#include "store/sqlite_codec.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace keyherd::store {

namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 12> kCountColumns{
    "requests",  "failed", "input",    "cached_input", "cache_write",   "output",
    "reasoning", "cost",   "unpriced", "latency_ms",   "latency_count", "table_cost"};

Error not_ours(std::string_view what) {
  return Error{ErrorCode::corrupt,
               fmt::format("reading {} from the state file: not as it was written; the "
                           "file is left as it is, restore a backup of it",
                           what)};
}

// Builds one element per entry of the list; `read` says by false that the entry has another shape.
template <class Element, class Read>
Result<std::vector<Element>> decode_list(std::string_view text, std::string_view what, Read read) {
  auto document = parse_json(text);
  if (!document || !document->is_array())
    return fail(not_ours(what));
  std::vector<Element> list;
  for (const json& entry : *document) {
    Element element;
    if (!entry.is_object() || !read(entry, element))
      return fail(not_ours(what));
    list.push_back(std::move(element));
  }
  return list;
}

bool get(const json& object, const char* name, std::int64_t& into) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer())
    return false;
  into = found->get<std::int64_t>();
  return true;
}

bool get(const json& object, const char* name, std::string& into) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string())
    return false;
  into = found->get<std::string>();
  return true;
}

bool get(const json& object, const char* name, WallTime& into) {
  std::int64_t nanos = 0;
  if (!get(object, name, nanos))
    return false;
  into = from_unix_nanos(nanos);
  return true;
}

bool read_rate_limit(const json& entry, model::RateLimit& limit) {
  if (!get(entry, "resource", limit.resource) || !get(entry, "limit", limit.limit) ||
      !get(entry, "remaining", limit.remaining))
    return false;
  if (!entry.contains("reset_at"))
    return true;
  return get(entry, "reset_at", limit.reset_at.emplace());
}

bool read_step(const json& entry, model::RotationStep& step) {
  std::string state;
  if (!get(entry, "state", state) || !get(entry, "at", step.at) || !get(entry, "note", step.note))
    return false;
  const auto known = model::rotation_state_from_string(state);
  step.state = known.value_or(model::RotationState::planned);
  return known.has_value();
}

}  // namespace

std::optional<std::string> encode(const std::vector<model::Balance>& balances) {
  if (balances.empty())
    return std::nullopt;
  json list = json::array();
  for (const auto& balance : balances)
    list.push_back({{"currency", balance.currency}, {"nanos", balance.nanos}});
  return dump_json(list);
}

std::optional<std::string> encode(const std::vector<model::RateLimit>& limits) {
  if (limits.empty())
    return std::nullopt;
  json list = json::array();
  for (const auto& limit : limits) {
    json entry{
        {"resource", limit.resource}, {"limit", limit.limit}, {"remaining", limit.remaining}};
    if (limit.reset_at)
      entry["reset_at"] = to_unix_nanos(*limit.reset_at);
    list.push_back(std::move(entry));
  }
  return dump_json(list);
}

std::string encode(const std::vector<model::RotationStep>& steps) {
  json list = json::array();
  for (const auto& step : steps)
    list.push_back({{"state", std::string(model::to_string(step.state))},
                    {"at", to_unix_nanos(step.at)},
                    {"note", step.note}});
  return dump_json(list);
}

Result<std::vector<model::Balance>> decode_balances(std::string_view text) {
  return decode_list<model::Balance>(
      text, "a list of balances", [](const json& entry, model::Balance& balance) {
        return get(entry, "currency", balance.currency) && get(entry, "nanos", balance.nanos);
      });
}

Result<std::vector<model::RateLimit>> decode_rate_limits(std::string_view text) {
  return decode_list<model::RateLimit>(text, "a list of rate limits", read_rate_limit);
}

Result<std::vector<model::RotationStep>> decode_steps(std::string_view text) {
  return decode_list<model::RotationStep>(text, "the steps of a rotation", read_step);
}

Error unknown_name(std::string_view column, std::string_view value) {
  return not_ours(
      fmt::format("column {} with the unknown value '{}'", column, printable(value, 40)));
}

model::UsageCounts read_counts(const Statement& row, int first) {
  model::UsageCounts counts;
  counts.requests = row.integer(first);
  counts.failed = row.integer(first + 1);
  counts.input = row.integer(first + 2);
  counts.cached_input = row.integer(first + 3);
  counts.cache_write = row.integer(first + 4);
  counts.output = row.integer(first + 5);
  counts.reasoning = row.integer(first + 6);
  counts.cost = row.integer(first + 7);
  counts.unpriced = row.integer(first + 8);
  counts.latency_ms = row.integer(first + 9);
  counts.latency_count = row.integer(first + 10);
  counts.table_cost = row.integer(first + 11);
  return counts;
}

const std::string& count_columns() {
  static const std::string kColumns =
      fmt::format("{}", fmt::join(kCountColumns.begin(), kCountColumns.end(), ", "));
  return kColumns;
}

std::string add_counts_sql(std::string_view table, const std::vector<std::string_view>& identity,
                           bool saturating) {
  std::string places = "?";
  for (std::size_t i = 1; i < identity.size() + kCountColumns.size(); ++i)
    places += ", ?";
  std::string sums;
  for (const std::string_view column : kCountColumns) {
    sums += sums.empty() ? "" : ", ";
    if (saturating)
      sums += fmt::format(
          "{0} = CASE WHEN {0} > 9223372036854775807 - excluded.{0} THEN 9223372036854775807 "
          "ELSE {0} + excluded.{0} END",
          column);
    else
      sums += fmt::format("{0} = {0} + excluded.{0}", column);
  }
  const std::string key = fmt::format("{}", fmt::join(identity.begin(), identity.end(), ", "));
  return fmt::format("INSERT INTO {} ({}, {}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}", table,
                     key, count_columns(), places, key, sums);
}

}  // namespace keyherd::store
