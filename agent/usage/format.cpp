#include "usage/format.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "usage/mapping.hpp"
#include "usage/presets.hpp"

namespace keyherd::usage {

namespace {

constexpr auto kNativeEntries = [] {
  std::array<Format::Entry, kNativeFieldCount> entries{};
  for (std::size_t i = 0; i < entries.size(); ++i)
    entries[i] = {model::kUsageFields[i], static_cast<Field>(i)};
  return entries;
}();

// "a | b"
std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  for (const std::string_view word : split(list, '|'))
    words.emplace_back(trim(word));
  return words;
}

bool is_plain(const model::UsageLog& log) {
  return log.fields.empty() && log.units.empty() && log.status_words.empty() && log.only.empty() &&
         log.key_names.empty();
}

Status add_own(const model::UsageLog& log, FormatText& text) {
  for (const auto& [name, source] : log.fields) {
    const auto field = field_from_string(name);
    if (!field)
      return fail(ErrorCode::invalid, "fields: unknown field \"" + name + "\"");
    text.fields[*field] = {source, ""};
  }
  for (const auto& [name, unit] : log.units) {
    const auto field = field_from_string(name);
    if (!field || !text.fields.contains(*field))
      return fail(ErrorCode::invalid, "units: there is no field \"" + name + "\"");
    text.fields[*field].unit = unit;
  }
  std::vector<FormatText::StatusWord> words;  // own ones go before the preset's
  for (const auto& [word, status] : log.status_words)
    words.push_back({word, static_cast<int>(status)});
  text.status_words.insert(text.status_words.begin(), words.begin(), words.end());
  for (const auto& [pointer, allowed] : log.only)
    text.filters.push_back({FilterText::Rule::only, pointer, words_of(allowed)});
  text.key_names.insert(log.key_names.begin(), log.key_names.end());
  return {};
}

Result<FormatText> text_of(const model::UsageLog& log) {
  FormatText text;
  // Own fields stand alone unless a preset is named.
  const std::string name = log.format.empty() && log.fields.empty() ? "keyherd" : log.format;
  if (!name.empty()) {
    const Preset* preset = find_preset(name);
    if (preset == nullptr)
      return fail(ErrorCode::invalid,
                  "unknown format \"" + log.format + "\"; use a preset, \"keyherd\" or `fields`");
    text = preset->format;
  }
  KH_TRY(add_own(log, text));
  return text;
}

Result<Mapping> mapping_of(const model::UsageLog& log) {
  KH_ASSIGN(const FormatText text, text_of(log));
  return make_mapping(text);
}

}  // namespace

Status check_format(const model::UsageLog& log) {
  KH_TRY(mapping_of(log));
  return {};
}

static_assert(static_cast<std::size_t>(Field::started_at) + 1 == kFieldCount);

std::string_view to_string(Field field) {
  return model::kUsageFields[static_cast<std::size_t>(field)];
}
std::optional<Field> field_from_string(std::string_view name) {
  const auto found = std::find(model::kUsageFields.begin(), model::kUsageFields.end(), name);
  if (found == model::kUsageFields.end())
    return std::nullopt;
  return static_cast<Field>(found - model::kUsageFields.begin());
}

Format Format::native() {
  return {};
}

Result<Format> Format::of(const model::UsageLog& log) {
  if ((log.format.empty() || log.format == "keyherd") && is_plain(log))
    return native();
  const auto mapping = mapping_of(log);
  if (!mapping)
    return fail(with_context(mapping.error(), "usage_logs." + log.id));
  Format format;
  format.mapping_ = std::make_shared<const Mapping>(*mapping);
  return format;
}

const Format::Entry* Format::find(std::string_view name) {
  const auto found = std::find_if(kNativeEntries.begin(), kNativeEntries.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == kNativeEntries.end() ? nullptr : &*found;
}

}  // namespace keyherd::usage
