#include "usage/mapping.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"

namespace keyherd::usage {

namespace {

constexpr std::size_t kMaxLevels = 16;
constexpr std::size_t kMaxSlots = 256;

struct UnitRow {
  std::string_view name;
  std::int64_t scale;
  bool assume_utc;
};
constexpr std::array<UnitRow, 6> kTimeUnits{{{"rfc3339", 0, false},
                                             {"utc", 0, true},
                                             {"s", 1'000'000'000, true},
                                             {"ms", 1'000'000, true},
                                             {"us", 1'000, true},
                                             {"ns", 1, true}}};
constexpr std::array<UnitRow, 4> kDurationUnits{{{"ms", 1'000'000, false},
                                                 {"s", 1'000'000'000, false},
                                                 {"us", 1'000, false},
                                                 {"ns", 1, false}}};
constexpr std::array<UnitRow, 4> kMoneyUnits{{{"usd", 1, false},
                                              {"cent", 100, false},
                                              {"micro_usd", 1'000'000, false},
                                              {"newapi_quota", 500'000, false}}};
constexpr UnitRow kCount{"", 1, false};

std::span<const UnitRow> unit_rows(Field field) {
  switch (field) {
    case Field::ts:
    case Field::started_at:
      return kTimeUnits;
    case Field::latency_ms:
      return kDurationUnits;
    case Field::cost_usd:
      return kMoneyUnits;
    case Field::key:
    case Field::model:
    case Field::input_tokens:
    case Field::output_tokens:
    case Field::cached_input_tokens:
    case Field::cache_write_tokens:
    case Field::reasoning_tokens:
    case Field::status:
    case Field::request_id:
      break;
  }
  return {};
}

bool may_be_a_sum(Field field) {
  return field != Field::ts && field != Field::started_at && field != Field::key &&
         field != Field::model && field != Field::request_id && field != Field::status;
}

// RFC 6901: ~1 is '/', ~0 is '~'.
std::optional<std::string> unescape(std::string_view token) {
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      name += token[i];
      continue;
    }
    if (++i == token.size() || (token[i] != '0' && token[i] != '1'))
      return std::nullopt;
    name += token[i] == '0' ? '~' : '/';
  }
  return name;
}

Result<std::vector<std::string>> parse_pointer(std::string_view pointer) {
  std::vector<std::string> path;
  if (!pointer.starts_with('/'))
    return fail(ErrorCode::invalid, "a JSON Pointer starts with '/'");
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    auto name = unescape(pointer.substr(0, end));
    if (!name)
      return fail(ErrorCode::invalid,
                  "in a JSON Pointer '~' is written '~0' and '/' inside a name '~1'");
    path.push_back(std::move(*name));
    pointer.remove_prefix(end);
  }
  if (path.size() > kMaxLevels)
    return fail(ErrorCode::invalid, "a JSON Pointer has at most 16 levels here");
  return path;
}

std::string lower(std::string_view word) {
  std::string text(word);
  for (char& c : text)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

Mapping::Word word_of(std::string_view text, int status) {
  const bool is_suffix = text.starts_with('*');
  return {lower(is_suffix ? text.substr(1) : text), is_suffix, status};
}

class Compiler {
 public:
  Result<Mapping> compile(const FormatText& text) {
    for (const auto& [field, place] : text.fields) {
      if (auto added = add_field(field, place); !added)
        return fail(with_context(added.error(), "fields." + std::string(to_string(field))));
    }
    for (const Field required : {Field::ts, Field::key}) {
      if (mapping_.rule(required).source.empty())
        return fail(ErrorCode::invalid,
                    "fields: \"" + std::string(to_string(required)) + "\" is required");
    }
    for (const FilterText& filter : text.filters) {
      auto source = parse_source(filter.source);
      if (!source)
        return fail(with_context(source.error(), "only." + filter.source));
      auto& added = mapping_.filters.emplace_back();
      added.rule = filter.rule;
      added.source = std::move(*source);
      for (const std::string& word : filter.words)
        added.words.push_back(word_of(word, 0));
    }
    for (const auto& [word, status] : text.status_words) {
      if (status < 0 || status > 999)
        return fail(ErrorCode::invalid, "status_words." + word + ": a status is from 0 to 999");
      mapping_.status_words.push_back(word_of(word, status));
    }
    if (!text.records.empty()) {
      KH_ASSIGN(mapping_.records, parse_pointer(text.records));
    }
    mapping_.attribute_lists = text.attribute_lists;
    mapping_.key_names = text.key_names;
    return std::move(mapping_);
  }

 private:
  Status add_field(Field field, const FormatText::Place& place) {
    auto& rule = mapping_.rules[static_cast<std::size_t>(field)];
    KH_ASSIGN(rule.source, parse_source(place.source));
    const bool has_sum = std::any_of(rule.source.begin(), rule.source.end(),
                                     [](const Alternative& one) { return one.size() > 1; });
    if (has_sum && !may_be_a_sum(field))
      return fail(ErrorCode::invalid, "only tokens, latency and cost may be sums");
    return set_unit(field, place.unit, rule);
  }

  static Status set_unit(Field field, const std::string& unit, Mapping::Rule& rule) {
    const auto rows = unit_rows(field);
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const UnitRow& one) {
      return unit.empty() || one.name == unit;
    });
    if (row == rows.end() && !unit.empty()) {
      std::string known;
      for (const UnitRow& one : rows)
        known.append(known.empty() ? "" : ", ").append(one.name);
      return fail(ErrorCode::invalid, rows.empty()
                                          ? "this field has no unit"
                                          : "unknown unit \"" + unit + "\"; known: " + known);
    }
    const UnitRow& chosen = row == rows.end() ? kCount : *row;
    rule.scale = chosen.scale;
    rule.assume_utc = chosen.assume_utc;
    return {};
  }

  Result<ValueSource> parse_source(std::string_view text) {
    ValueSource source;
    for (const std::string_view part : split(text, '|')) {
      KH_ASSIGN(Alternative alternative, parse_sum(trim(part)));
      source.push_back(std::move(alternative));
    }
    return source;
  }

  Result<Alternative> parse_sum(std::string_view text) {
    Alternative sum;
    bool minus = false;
    while (true) {
      const std::size_t plus_at = text.find(" + ");
      const std::size_t minus_at = text.find(" - ");
      const std::size_t end = std::min({plus_at, minus_at, text.size()});
      KH_ASSIGN(const std::uint16_t slot, slot_of(trim(text.substr(0, end))));
      sum.push_back({slot, minus});
      if (end == text.size())
        return sum;
      minus = minus_at == end;
      text.remove_prefix(end + 3);
    }
  }

  Result<std::uint16_t> slot_of(std::string_view pointer) {
    const auto known = slots_.find(std::string(pointer));
    if (known != slots_.end())
      return known->second;
    if (slots_.size() == kMaxSlots)
      return fail(ErrorCode::invalid, "too many JSON Pointers");
    const bool is_outer = pointer.starts_with('^');
    KH_ASSIGN(const auto path, parse_pointer(is_outer ? pointer.substr(1) : pointer));
    const auto slot = static_cast<std::uint16_t>(slots_.size());
    (is_outer ? mapping_.outer : mapping_.tree).add(path, slot);
    mapping_.is_outer.push_back(is_outer);
    slots_.emplace(pointer, slot);
    return slot;
  }

  Mapping mapping_;
  std::map<std::string, std::uint16_t> slots_;
};

}  // namespace

const PointerTree::Entry* PointerTree::find(std::uint32_t node, std::string_view name) const {
  for (const Entry& candidate : nodes_[node]) {
    if (candidate.name == name)
      return &candidate;
  }
  return nullptr;
}

void PointerTree::add(const std::vector<std::string>& path, std::uint16_t slot) {
  std::uint32_t node = kRoot;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (entry(node, path[i]).child == kRoot) {
      const auto child = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      entry(node, path[i]).child = child;
    }
    node = entry(node, path[i]).child;
  }
  entry(node, path.back()).slot = slot;
}

PointerTree::Entry& PointerTree::entry(std::uint32_t node, const std::string& name) {
  auto& entries = nodes_[node];
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& each) { return each.name == name; });
  if (found != entries.end())
    return *found;
  entries.push_back(Entry{name, kNoSlot, kRoot});
  return entries.back();
}

Result<Mapping> make_mapping(const FormatText& text) {
  return Compiler().compile(text);
}

std::vector<std::string_view> units_of(Field field) {
  std::vector<std::string_view> names;
  for (const UnitRow& row : unit_rows(field))
    names.push_back(row.name);
  return names;
}

bool is_word(std::string_view word, const Mapping::Word& pattern) {
  const std::string_view text = pattern.text;
  if (word.size() < text.size() || (!pattern.is_suffix && word.size() != text.size()))
    return false;
  return std::equal(text.begin(), text.end(), word.end() - static_cast<std::ptrdiff_t>(text.size()),
                    [](char p, char c) {
                      return p == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
                    });
}

}  // namespace keyherd::usage
