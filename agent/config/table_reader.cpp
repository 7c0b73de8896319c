#include "config/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "base/files.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "config/secrets.hpp"
#include "config/values.hpp"
#include "cron/calendar.hpp"

namespace keyherd::config {

namespace {

constexpr std::size_t kMaxText = 4096;

std::vector<std::string> names_of(const Section& section) {
  std::vector<std::string> names;
  for (const Field& field : section.fields)
    names.emplace_back(field.name);
  return names;
}

bool within(double value, const Range& range) {
  return value >= range.low && value <= range.high;
}

}  // namespace

TableReader::TableReader(const Node& node, SectionId id, std::string path, ReadContext& context)
    : node_(node),
      table_(std::get_if<Table>(&node.value)),
      section_(section(id)),
      path_(std::move(path)),
      context_(context) {
  if (table_ == nullptr) {
    wrong_type(node, path_, Type::table);
    return;
  }
  check_names();
  check_required();
}

void TableReader::check_names() const {
  for (auto member = table_->begin(); member != table_->end(); ++member) {
    const bool is_known = find_field(section_, member->name) != nullptr;
    const bool is_repeated = std::any_of(table_->begin(), member, [&](const Member& earlier) {
      return earlier.name == member->name;
    });
    if (is_known && !is_repeated)
      continue;
    context_.report.error({context_.file, member->position}, path_of(shown(member->name)),
                          is_repeated ? "given twice" : unknown_name(member->name));
  }
}

std::string TableReader::unknown_name(std::string_view name) const {
  const auto known = names_of(section_);
  const std::string near = suggestion(name, known);
  return fmt::format("unknown {}{}", section_.id == SectionId::root ? "section" : "key",
                     near.empty() ? fmt::format("; known here: {}", fmt::join(known, ", ")) : near);
}

void TableReader::check_required() const {
  for (const Field& field : section_.fields) {
    if (!field.required || has(field.name))
      continue;
    const std::string expected =
        field.choices.empty() ? std::string(expectation(field.type))
                              : fmt::format("one of {}", fmt::join(choice_list(field), ", "));
    error(fmt::format("\"{}\" is missing: expected {}", field.name, expected));
  }
}

const Node* TableReader::find(std::string_view name) const {
  if (table_ == nullptr)
    return nullptr;
  const auto found = std::find_if(table_->begin(), table_->end(),
                                  [&](const Member& member) { return member.name == name; });
  return found == table_->end() ? nullptr : &found->node;
}

const Field& TableReader::row(std::string_view name) const {
  const Field* field = find_field(section_, name);
  if (field == nullptr)
    throw std::logic_error(fmt::format("no row in the schema for {}.{}", section_.path, name));
  return *field;
}

std::string TableReader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

Place TableReader::place_of(std::string_view name) const {
  const Node* node = find(name);
  return place_at(node != nullptr ? *node : node_);
}

void TableReader::error(std::string_view name, std::string_view message) const {
  context_.report.error(place_of(name), path_of(name), message);
}

void TableReader::error(std::string_view message) const {
  context_.report.error(place(), path_, message);
}

void TableReader::warning(std::string_view name, std::string_view message) const {
  context_.report.warning(place_of(name), path_of(name), message);
}

std::string TableReader::resolve(std::string_view path) const {
  return resolve_path(context_.directory, path);
}

void TableReader::wrong_type(const Node& node, std::string_view path, Type type) const {
  context_.report.error(
      place_at(node), path,
      fmt::format("expected {}, found {}", expectation(type), describe_kind(node)));
}

void TableReader::out_of_range(std::string_view name) const {
  const Field& field = row(name);
  const std::string low = show_bound(field.range.low, field.type);
  if (std::isinf(field.range.high))
    error(name, fmt::format("must be at least {}", low));
  else
    error(name,
          fmt::format("must be from {} to {}", low, show_bound(field.range.high, field.type)));
}

std::optional<std::string> TableReader::text_at(const Node& node, const std::string& path,
                                                Type type) const {
  const auto* text = std::get_if<std::string>(&node.value);
  if (text == nullptr) {
    wrong_type(node, path, type);
    return std::nullopt;
  }
  const bool control = std::any_of(text->begin(), text->end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
  });
  if (text->empty() || text->size() > kMaxText || control) {
    context_.report.error(place_at(node), path,
                          text->empty() ? "must not be empty"
                          : control     ? "must not contain control characters"
                                        : "must be at most 4096 bytes long");
    return std::nullopt;
  }
  return *text;
}

std::optional<std::string> TableReader::text(std::string_view name) const {
  const Field& field = row(name);
  const Node* node = find(name);
  return node != nullptr ? text_at(*node, path_of(name), field.type) : std::nullopt;
}

std::optional<std::string> TableReader::path(std::string_view name) const {
  const auto written = text(name);
  return written ? std::optional(resolve(*written)) : std::nullopt;
}

std::optional<bool> TableReader::boolean(std::string_view name) const {
  const Field& field = row(name);
  const Node* node = find(name);
  if (node == nullptr)
    return std::nullopt;
  if (const bool* value = std::get_if<bool>(&node->value))
    return *value;
  wrong_type(*node, path_of(name), field.type);
  return std::nullopt;
}

std::optional<std::int64_t> TableReader::integer(std::string_view name) const {
  const Field& field = row(name);
  const Node* node = find(name);
  if (node == nullptr)
    return std::nullopt;
  const auto* value = std::get_if<std::int64_t>(&node->value);
  if (value == nullptr)
    wrong_type(*node, path_of(name), field.type);
  else if (within(static_cast<double>(*value), field.range))
    return *value;
  else
    out_of_range(name);
  return std::nullopt;
}

// A whole number where decimals are possible is a decimal too.
std::optional<double> TableReader::number(std::string_view name, const Node& node) const {
  if (const auto* whole = std::get_if<std::int64_t>(&node.value))
    return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&node.value))
    return *real;
  wrong_type(node, path_of(name), row(name).type);
  return std::nullopt;
}

std::optional<double> TableReader::ratio(std::string_view name) const {
  const Node* node = find(name);
  const auto value = node != nullptr ? number(name, *node) : std::nullopt;
  if (value && !within(*value, {0, 1})) {
    error(name, "must be from 0 to 1");
    return std::nullopt;
  }
  return value;
}

std::optional<std::vector<double>> TableReader::ratios(std::string_view name) const {
  const List* items = items_of(name);
  if (items == nullptr)
    return std::nullopt;
  std::vector<double> result;
  for (const Node& item : *items) {
    const auto value = number(name, item);
    if (!value)
      return std::nullopt;
    if (!within(*value, {0, 1})) {
      context_.report.error(place_at(item), path_of(name), "must be from 0 to 1");
      return std::nullopt;
    }
    result.push_back(*value);
  }
  return result;
}

std::optional<model::NanoUsd> TableReader::usd(std::string_view name) const {
  const Node* node = find(name);
  if (node == nullptr)
    return std::nullopt;
  std::string decimal;
  if (const auto* written = std::get_if<std::string>(&node->value)) {
    decimal = *written;
  } else if (const auto value = number(name, *node)) {
    // The shortest text that gives this number is the one that was written.
    const auto* whole = std::get_if<std::int64_t>(&node->value);
    decimal = whole != nullptr ? fmt::format("{}", *whole) : fmt::format("{}", *value);
  } else {
    return std::nullopt;
  }
  const auto nanos = model::parse_usd(decimal);
  if (!nanos)
    error(name, "is no amount in USD: a decimal number from 0 to 9223372036, such as 0.28");
  return nanos;
}

std::optional<std::chrono::nanoseconds> TableReader::duration(std::string_view name) const {
  const Field& field = row(name);
  const auto written = text(name);
  if (!written)
    return std::nullopt;
  const auto value = parse_duration(*written);
  if (!value) {
    error(name, value.error().message);
    return std::nullopt;
  }
  if (!within(std::chrono::duration<double>(*value).count(), field.range)) {
    out_of_range(name);
    return std::nullopt;
  }
  return *value;
}

std::optional<WallTime> TableReader::time(std::string_view name) const {
  const Field& field = row(name);
  const Node* node = find(name);
  if (node == nullptr)
    return std::nullopt;
  const auto* date = std::get_if<DateText>(&node->value);
  const auto* quoted_date = std::get_if<std::string>(&node->value);
  if (date == nullptr && quoted_date == nullptr) {
    wrong_type(*node, path_of(name), field.type);
    return std::nullopt;
  }
  const auto value = parse_rfc3339(date != nullptr ? date->text : *quoted_date);
  if (!value) {
    error(name, value.error().message);
    return std::nullopt;
  }
  return *value;
}

std::optional<model::SecretRef> TableReader::secret(std::string_view name) const {
  const auto written = text(name);
  if (!written)
    return std::nullopt;
  auto reference = parse_secret_ref(*written, context_.directory);
  if (!reference) {
    error(name, reference.error().message);
    return std::nullopt;
  }
  return std::move(*reference);
}

std::optional<std::string> TableReader::id(std::string_view name) const {
  auto word = text(name);
  if (word && !is_id(*word)) {
    error(name, fmt::format("is no id: {}", kIdRule));
    return std::nullopt;
  }
  return word;
}

std::optional<std::string> TableReader::timezone(std::string_view name) const {
  auto zone = text(name);
  if (zone && !cron::is_timezone(*zone)) {
    error(name, fmt::format("unknown time zone {}; expected a name such as \"UTC\" or "
                            "\"Europe/Berlin\"",
                            in_quotes(*zone)));
    return std::nullopt;
  }
  return zone;
}

std::optional<std::string> TableReader::choice(std::string_view name) const {
  auto word = text(name);
  if (!word)
    return std::nullopt;
  const auto known = choice_list(row(name));
  if (std::find(known.begin(), known.end(), *word) != known.end())
    return word;
  const std::string near = suggestion(*word, known);
  error(name,
        fmt::format("unknown {} {}{}", name, in_quotes(*word),
                    near.empty() ? fmt::format("; known: {}", fmt::join(known, ", ")) : near));
  return std::nullopt;
}

const List* TableReader::items_of(std::string_view name) const {
  const Field& field = row(name);
  const Node* node = find(name);
  if (node == nullptr)
    return nullptr;
  const auto* items = std::get_if<List>(&node->value);
  if (items == nullptr)
    wrong_type(*node, path_of(name), field.type);
  return items;
}

const Table* TableReader::members_of(std::string_view name) const {
  const Field& field = row(name);
  const Node* node = find(name);
  if (node == nullptr)
    return nullptr;
  const auto* members = std::get_if<Table>(&node->value);
  if (members == nullptr)
    wrong_type(*node, path_of(name), field.type);
  return members;
}

std::optional<std::vector<TableReader::Item>> TableReader::text_items(std::string_view name) const {
  const List* items = items_of(name);
  if (items == nullptr)
    return std::nullopt;
  std::vector<Item> result;
  for (std::size_t i = 0; i < items->size(); ++i) {
    const Node& node = (*items)[i];
    if (auto word = text_at(node, fmt::format("{}[{}]", path_of(name), i), Type::text))
      result.push_back({std::move(*word), &node, i});
  }
  return result;
}

std::optional<std::vector<std::string>> TableReader::arguments(std::string_view name) const {
  auto items = text_items(name);
  if (!items)
    return std::nullopt;
  std::vector<std::string> result;
  for (Item& item : *items)
    result.push_back(std::move(item.text));
  return result;
}

std::optional<std::vector<std::string>> TableReader::texts(std::string_view name) const {
  auto items = text_items(name);
  if (!items)
    return std::nullopt;
  std::vector<std::string> result;
  std::set<std::string> seen;
  for (Item& item : *items) {
    if (seen.insert(item.text).second)
      result.push_back(std::move(item.text));
    else
      context_.report.error(place_at(*item.node), fmt::format("{}[{}]", path_of(name), item.index),
                            fmt::format("{} is listed twice", in_quotes(item.text)));
  }
  return result;
}

std::optional<std::vector<std::string>> TableReader::choices(std::string_view name) const {
  auto words = texts(name);
  if (!words)
    return std::nullopt;
  const auto known = choice_list(row(name));
  for (const std::string& word : *words) {
    if (std::find(known.begin(), known.end(), word) != known.end())
      continue;
    error(name, fmt::format("unknown {}; known: {}", in_quotes(word), fmt::join(known, ", ")));
    return std::nullopt;
  }
  return words;
}

std::map<std::string, std::string> TableReader::text_map(std::string_view name,
                                                         PairCheck check) const {
  std::map<std::string, std::string> result;
  const Table* members = members_of(name);
  if (members == nullptr)
    return result;
  for (const Member& member : *members) {
    const std::string path = fmt::format("{}.{}", path_of(name), shown(member.name));
    auto value = text_at(member.node, path, Type::text);
    if (!value)
      continue;
    const Status status = check(member.name, *value);
    if (!status)
      context_.report.error({context_.file, member.position}, path, status.error().message);
    else
      result[member.name] = std::move(*value);
  }
  return result;
}

std::map<std::string, std::int64_t> TableReader::integer_map(std::string_view name) const {
  std::map<std::string, std::int64_t> result;
  const Table* members = members_of(name);
  if (members == nullptr)
    return result;
  for (const Member& member : *members) {
    const std::string path = fmt::format("{}.{}", path_of(name), shown(member.name));
    const auto* value = std::get_if<std::int64_t>(&member.node.value);
    const Range& range = row(name).range;
    if (value == nullptr)
      wrong_type(member.node, path, Type::integer);
    else if (!within(static_cast<double>(*value), range))
      context_.report.error(
          place_at(member.node), path,
          fmt::format("must be from {} to {}", show_bound(range.low, Type::integer),
                      show_bound(range.high, Type::integer)));
    else
      result[member.name] = *value;
  }
  return result;
}

std::map<std::string, std::string> TableReader::reference_map(std::string_view name,
                                                              Target target) const {
  const auto check = [](std::string_view, std::string_view) { return Status{}; };
  auto ids = text_map(name, check);
  const Table* members = ids.empty() ? nullptr : members_of(name);
  for (std::size_t i = 0; members != nullptr && i < members->size(); ++i) {
    const Member& member = (*members)[i];
    if (const auto* id = std::get_if<std::string>(&member.node.value))
      refer(member.node, fmt::format("{}.{}", path_of(name), shown(member.name)), *id, target);
  }
  return ids;
}

void TableReader::refer(const Node& node, const std::string& path, const std::string& id,
                        Target target) const {
  context_.references.push_back({target, id, place_at(node), path});
}

std::optional<std::string> TableReader::reference(std::string_view name, Target target) const {
  auto word = text(name);
  if (word)
    refer(*find(name), path_of(name), *word, target);
  return word;
}

std::optional<std::vector<std::string>> TableReader::references(std::string_view name,
                                                                Target target) const {
  auto ids = texts(name);
  if (!ids)
    return std::nullopt;
  const auto& items = std::get<List>(find(name)->value);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto* word = std::get_if<std::string>(&items[i].value);
    if (word != nullptr && !word->empty())
      refer(items[i], fmt::format("{}[{}]", path_of(name), i), *word, target);
  }
  return ids;
}

}  // namespace keyherd::config
