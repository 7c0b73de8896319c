#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

Status known_field(std::string_view name, std::string_view) {
  const auto& known = model::kUsageFields;
  if (std::find(known.begin(), known.end(), name) == known.end())
    return fail(ErrorCode::invalid,
                fmt::format("unknown field; known: {}", fmt::join(known, ", ")));
  return {};
}

// "/a | /b + /c - /d"
Status check_source(std::string_view source) {
  while (true) {
    const std::size_t end = std::min({source.find('|'), source.find(" + "), source.find(" - ")});
    KH_TRY(check_json_pointer(trim(source.substr(0, end))));
    if (end == std::string_view::npos)
      return {};
    source.remove_prefix(end + (source[end] == '|' ? 1 : 3));
  }
}

Status check_field(std::string_view name, std::string_view source) {
  KH_TRY(known_field(name, source));
  return check_source(source);
}

Status check_filter(std::string_view pointer, std::string_view) {
  return check_source(pointer);
}

// Whether nothing is wrong with the format so far.
bool read_format(const TableReader& reader, const std::vector<std::string>& known,
                 model::UsageLog& log) {
  const auto format = reader.text("format");
  const bool is_known =
      !format || known.empty() || std::find(known.begin(), known.end(), *format) != known.end();
  if (!is_known)
    reader.error("format", fmt::format("unknown format {}; known: {}", in_quotes(*format),
                                       fmt::join(known, ", ")));
  log.format = format.value_or(reader.has("fields") ? "" : log.format);
  log.fields = reader.text_map("fields", check_field);
  log.units = reader.text_map("units", known_field);
  log.status_words = reader.integer_map("status_words");
  log.only = reader.text_map("only", check_filter);
  log.key_names = reader.reference_map("key_names", Target::key);
  if (format || !reader.has("fields"))
    return is_known;
  bool is_whole = true;
  for (const char* required : {"ts", "key"}) {
    if (log.fields.count(required) != 0)
      continue;
    is_whole = false;
    reader.error("fields",
                 fmt::format("\"{}\" is missing: without it no line can be attributed", required));
  }
  return is_whole;
}

}  // namespace

void read_usage_log(const std::string& id, const TableReader& reader, const LoadOptions& options,
                    Spec& spec) {
  check_id(id, reader);
  if (id == model::kReportsLog)
    reader.error(
        "this name is kept for what clients report (POST pools/{id}/report); choose another");
  model::UsageLog log;
  log.id = id;
  log.path = reader.path("path").value_or("");
  if (read_format(reader, options.usage_formats, log) && options.check_format) {
    if (const auto checked = options.check_format(log); !checked)
      reader.error(checked.error().message);
  }
  log.start_at_end = reader.boolean("start_at_end").value_or(log.start_at_end);
  log.idle_after = reader.duration("idle_after");
  log.lag_threshold_bytes =
      static_cast<std::uint64_t>(reader.integer("lag_threshold_bytes")
                                     .value_or(static_cast<std::int64_t>(log.lag_threshold_bytes)));
  log.max_line_bytes =
      static_cast<std::uint32_t>(reader.integer("max_line_bytes").value_or(log.max_line_bytes));
  log.dedup = reader.boolean("dedup").value_or(log.dedup);
  log.read_gz = reader.boolean("read_gz").value_or(log.read_gz);
  spec.config.usage_logs.push_back(std::move(log));
}

}  // namespace keyherd::config
