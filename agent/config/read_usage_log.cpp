#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

constexpr std::array<std::string_view, 12> kFields{"ts",
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

Status check_field(std::string_view name, std::string_view pointer) {
  if (std::find(kFields.begin(), kFields.end(), name) == kFields.end())
    return fail(ErrorCode::invalid,
                fmt::format("unknown field; known: {}", fmt::join(kFields, ", ")));
  return check_json_pointer(pointer);
}

void read_format(const TableReader& reader, const std::vector<std::string>& known,
                 model::UsageLog& log) {
  const auto format = reader.text("format");
  log.format = format.value_or(log.format);
  const bool is_known =
      known.empty() || std::find(known.begin(), known.end(), log.format) != known.end();
  if (format && !is_known)
    reader.error("format", fmt::format("unknown format {}; known: {}", in_quotes(*format),
                                       fmt::join(known, ", ")));
  log.fields = reader.text_map("fields", check_field);
  if (!reader.has("fields"))
    return;
  if (format)
    reader.error("format", "write either format or fields, not both");
  for (const char* required : {"ts", "key"}) {
    if (log.fields.count(required) == 0)
      reader.error("fields", fmt::format("\"{}\" is missing: without it no line can be attributed",
                                         required));
  }
}

}  // namespace

void read_usage_log(const std::string& id, const TableReader& reader, const LoadOptions& options,
                    Spec& spec) {
  check_id(id, reader);
  model::UsageLog log;
  log.id = id;
  log.path = reader.path("path").value_or("");
  read_format(reader, options.usage_formats, log);
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
