#include "usage/format.hpp"

#include <algorithm>

namespace keyherd::usage {

namespace {

constexpr std::array<std::string_view, kFieldCount> kFieldNames{"ts",
                                                                "key",
                                                                "model",
                                                                "input_tokens",
                                                                "output_tokens",
                                                                "cached_input_tokens",
                                                                "cache_write_tokens",
                                                                "reasoning_tokens",
                                                                "status",
                                                                "latency_ms",
                                                                "request_id",
                                                                "cost_usd"};

std::optional<Field> field_from_string(std::string_view name) {
  const auto found = std::find(kFieldNames.begin(), kFieldNames.end(), name);
  if (found == kFieldNames.end())
    return std::nullopt;
  return static_cast<Field>(found - kFieldNames.begin());
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
  if (path.size() > 16)
    return fail(ErrorCode::invalid, "a JSON Pointer has at most 16 levels here");
  return path;
}

}  // namespace

const std::array<std::string_view, kFieldCount>& field_names() {
  return kFieldNames;
}
std::string_view to_string(Field field) {
  return kFieldNames[static_cast<std::size_t>(field)];
}

Format Format::native() {
  Format format;
  for (std::size_t i = 0; i < kFieldCount; ++i)
    format.entry(kRoot, std::string(kFieldNames[i])).field = static_cast<Field>(i);
  return format;
}

Result<Format> Format::of(const model::UsageLog& log) {
  const std::string where = "usage_logs." + log.id + ": ";
  if (log.fields.empty()) {
    if (log.format != "keyherd")
      return fail(ErrorCode::invalid,
                  where + "unknown format \"" + log.format + "\"; use \"keyherd\" or `fields`");
    return native();
  }
  Format format;
  for (const auto& [name, pointer] : log.fields) {
    const auto field = field_from_string(name);
    if (!field)
      return fail(ErrorCode::invalid, where + "fields: unknown field \"" + name + "\"");
    if (auto added = format.add(*field, pointer); !added)
      return fail(with_context(std::move(added).error(), where + "fields." + name));
  }
  for (const std::string_view required : {"ts", "key"}) {
    if (!log.fields.contains(std::string(required)))
      return fail(ErrorCode::invalid,
                  where + "fields: \"" + std::string(required) + "\" is required");
  }
  return format;
}

const Format::Entry* Format::find(std::uint32_t node, std::string_view name) const {
  for (const Entry& candidate : nodes_[node]) {
    if (candidate.name == name)
      return &candidate;
  }
  return nullptr;
}

Status Format::add(Field field, std::string_view pointer) {
  KH_ASSIGN(const auto path, parse_pointer(pointer));
  std::uint32_t node = kRoot;
  for (std::size_t i = 0; i + 1 < path.size(); ++i)
    node = child_of(node, path[i]);
  Entry& last = entry(node, path.back());
  if (last.field)
    return fail(ErrorCode::invalid, "another field has the same JSON Pointer");
  last.field = field;
  return {};
}

std::uint32_t Format::child_of(std::uint32_t node, const std::string& name) {
  if (const std::uint32_t child = entry(node, name).child; child != kRoot)
    return child;
  const auto child = static_cast<std::uint32_t>(nodes_.size());
  nodes_.emplace_back();
  entry(node, name).child = child;
  return child;
}

Format::Entry& Format::entry(std::uint32_t node, const std::string& name) {
  auto& entries = nodes_[node];
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& each) { return each.name == name; });
  if (found != entries.end())
    return *found;
  entries.push_back(Entry{name, std::nullopt, kRoot});
  return entries.back();
}

}  // namespace keyherd::usage
