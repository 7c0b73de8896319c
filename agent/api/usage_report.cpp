#include "api/usage_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/json.hpp"
#include "base/time_text.hpp"
#include "cron/calendar.hpp"

namespace keyherd::api {

namespace {

// A value of a time column, and its place in time: texts with offsets do not sort by time.
struct TimeValue {
  std::int64_t order = 0;
  std::string text;
};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : "+") + name;
  return text;
}

const std::string& label_of(const KeyFacts& facts, const std::string& label) {
  static const std::string kNone;
  const auto found = facts.labels.find(label);
  return found == facts.labels.end() ? kNone : found->second;
}

bool fits(const UsageFilter& filter, const model::UsageRow& row, const KeyFacts& facts) {
  const auto wanted = [&](const std::string& value) { return filter.values.contains(value); };
  switch (filter.term.column) {
    case UsageColumn::key:
      return wanted(row.key);
    case UsageColumn::model:
      return wanted(row.model);
    case UsageColumn::provider:
      return wanted(facts.provider);
    case UsageColumn::group:
      return wanted(facts.group);
    case UsageColumn::label:
      return wanted(label_of(facts, filter.term.label));
    case UsageColumn::pool:
      return std::any_of(facts.pools.begin(), facts.pools.end(), wanted);
    case UsageColumn::hour:
    case UsageColumn::day:
    case UsageColumn::month:
      break;
  }
  return true;
}

std::string series_value(const UsageTerm& term, const model::UsageRow& row, const KeyFacts& facts) {
  switch (term.column) {
    case UsageColumn::key:
      return row.key;
    case UsageColumn::model:
      return row.model;
    case UsageColumn::provider:
      return facts.provider;
    case UsageColumn::group:
      return facts.group;
    case UsageColumn::label:
      return label_of(facts, term.label);
    case UsageColumn::pool:
      return joined(facts.pools);
    case UsageColumn::hour:
    case UsageColumn::day:
    case UsageColumn::month:
      break;
  }
  return "";
}

// "2026-11-22T00:00:00Z" in UTC, "2026-11-22T08:00:00+08:00" elsewhere.
std::string local_text(WallTime at, const std::string& zone) {
  const auto local = zone == "UTC" ? Result<std::string>(fail(ErrorCode::invalid, ""))
                                   : cron::format_local(at, zone);
  return local ? *local : format_rfc3339(at);
}

TimeValue time_value(UsageColumn column, WallTime at, const std::string& zone) {
  constexpr std::size_t kDay = 10;
  constexpr std::size_t kMonth = 7;
  const bool hour = column == UsageColumn::hour;
  const auto window =
      cron::window_at(hour ? cron::CalendarUnit::hour : cron::CalendarUnit::day, zone, at);
  const WallTime start = window ? window->start : at;
  std::string text = local_text(start, zone);
  if (hour)
    return {to_unix_nanos(start), std::move(text)};
  // Dates sort as they are written.
  return {0, text.substr(0, column == UsageColumn::day ? kDay : kMonth)};
}

}  // namespace

struct UsageReport::State {
  UsageQuestion question;
  KeyFactsOf facts_of;
  std::size_t max_lines;

  std::vector<UsageTerm> series_terms;
  std::vector<UsageTerm> time_terms;

  // What the columns say of a key and model, and of a quarter of an hour, each found out once.
  std::map<std::vector<std::string>, std::uint32_t> series;
  std::map<std::vector<std::string>, std::uint32_t> times;
  std::vector<const std::vector<std::string>*> series_by_id;
  std::vector<std::vector<TimeValue>> times_by_id;
  std::unordered_map<std::int64_t, std::uint32_t> time_of_bucket;
  std::unordered_map<std::uint64_t, model::UsageCounts> sums;  // by series and time

  std::string last_key;
  std::string last_model;
  std::optional<std::uint32_t> last_series;  // none: left out
  bool any = false;

  std::optional<std::uint32_t> series_of(const model::UsageRow& row) {
    if (any && row.key == last_key && row.model == last_model)
      return last_series;
    any = true;
    last_key = row.key;
    last_model = row.model;
    const KeyFacts facts = facts_of(row.key).value_or(KeyFacts{});
    const auto& where = question.where;
    const bool wanted = std::all_of(where.begin(), where.end(), [&](const UsageFilter& filter) {
      return fits(filter, row, facts);
    });
    last_series = wanted ? std::optional(intern_series(row, facts)) : std::nullopt;
    return last_series;
  }

  std::uint32_t intern_series(const model::UsageRow& row, const KeyFacts& facts) {
    std::vector<std::string> values;
    for (const UsageTerm& term : series_terms)
      values.push_back(series_value(term, row, facts));
    const auto [entry, is_new] =
        series.try_emplace(std::move(values), static_cast<std::uint32_t>(series_by_id.size()));
    if (is_new)
      series_by_id.push_back(&entry->first);
    return entry->second;
  }

  std::uint32_t time_of(std::int64_t bucket) {
    const auto [known, is_new] = time_of_bucket.try_emplace(bucket, 0);
    if (!is_new)
      return known->second;
    std::vector<TimeValue> values;
    std::vector<std::string> texts;
    for (const UsageTerm& term : time_terms) {
      values.push_back(time_value(term.column, model::bucket_start(bucket), question.timezone));
      texts.push_back(values.back().text);
    }
    const auto [entry, is_first] =
        times.try_emplace(std::move(texts), static_cast<std::uint32_t>(times_by_id.size()));
    if (is_first)
      times_by_id.push_back(std::move(values));
    known->second = entry->second;
    return entry->second;
  }
};

UsageReport::UsageReport(UsageQuestion question, KeyFactsOf facts, std::size_t max_lines)
    : state_(std::make_unique<State>()) {
  state_->question = std::move(question);
  state_->facts_of = std::move(facts);
  state_->max_lines = max_lines;
  for (const UsageTerm& term : state_->question.by)
    (term.is_time() ? state_->time_terms : state_->series_terms).push_back(term);
}
UsageReport::~UsageReport() = default;
UsageReport::UsageReport(UsageReport&&) noexcept = default;
UsageReport& UsageReport::operator=(UsageReport&&) noexcept = default;

Status UsageReport::add(const model::UsageRow& row) {
  const UsageQuestion& question = state_->question;
  if (question.from && row.bucket < model::bucket_of(*question.from))
    return {};
  if (question.to && model::bucket_start(row.bucket) >= *question.to)
    return {};
  const auto series = state_->series_of(row);
  if (!series)
    return {};
  const std::uint64_t id = (std::uint64_t{*series} << 32U) | state_->time_of(row.bucket);
  const auto [sum, is_new] = state_->sums.try_emplace(id);
  if (is_new && state_->sums.size() > state_->max_lines)
    return fail(ErrorCode::too_large,
                "the answer has more than " + std::to_string(state_->max_lines) +
                    " lines; narrow it with from and to or a filter, or sum by fewer columns");
  sum->second.add(row.counts);
  return {};
}

std::vector<UsageLine> UsageReport::lines() const {
  struct Ordered {
    UsageLine line;
    std::vector<std::int64_t> order;  // of each column; equal ones by their text
  };
  std::vector<Ordered> all;
  all.reserve(state_->sums.size());
  for (const auto& [id, counts] : state_->sums) {
    const auto& series = *state_->series_by_id[id >> 32U];
    const auto& times = state_->times_by_id[id & 0xFFFF'FFFFU];
    Ordered entry{{{}, counts}, {}};
    std::size_t next_series = 0;
    std::size_t next_time = 0;
    for (const UsageTerm& term : state_->question.by) {
      const TimeValue value =
          term.is_time() ? times[next_time++] : TimeValue{0, series[next_series++]};
      entry.line.values.push_back(value.text);
      entry.order.push_back(value.order);
    }
    all.push_back(std::move(entry));
  }
  std::sort(all.begin(), all.end(), [](const Ordered& a, const Ordered& b) {
    for (std::size_t i = 0; i < a.order.size(); ++i) {
      if (a.order[i] != b.order[i])
        return a.order[i] < b.order[i];
      if (const int text = a.line.values[i].compare(b.line.values[i]); text != 0)
        return text < 0;
    }
    return false;
  });
  std::vector<UsageLine> lines;
  lines.reserve(all.size());
  for (Ordered& entry : all)
    lines.push_back(std::move(entry.line));
  return lines;
}

model::UsageCounts total_of(const std::vector<UsageLine>& lines) {
  model::UsageCounts total;
  for (const UsageLine& line : lines)
    total.add(line.counts);
  return total;
}

const std::vector<UsageField>& usage_fields() {
  using model::UsageCounts;
  static const std::vector<UsageField> kFields{{"requests", &UsageCounts::requests},
                                               {"failed_requests", &UsageCounts::failed},
                                               {"input_tokens", &UsageCounts::input},
                                               {"cached_input_tokens", &UsageCounts::cached_input},
                                               {"cache_write_tokens", &UsageCounts::cache_write},
                                               {"output_tokens", &UsageCounts::output},
                                               {"reasoning_tokens", &UsageCounts::reasoning},
                                               {"unpriced_requests", &UsageCounts::unpriced}};
  return kFields;
}

const std::vector<UsageField>& usage_money_fields() {
  static const std::vector<UsageField> kFields{{"cost_usd", &model::UsageCounts::cost},
                                               {"table_cost_usd", &model::UsageCounts::table_cost}};
  return kFields;
}

std::string usage_json(const std::vector<UsageLine>& lines, const std::vector<UsageTerm>& by) {
  std::vector<std::string> names;
  for (const UsageTerm& term : by)
    names.push_back(dump_json(term.text) + ":");
  std::string text = "[";
  for (const UsageLine& line : lines) {
    text += text.size() == 1 ? "{" : ",{";
    for (std::size_t i = 0; i < names.size(); ++i)
      text += names[i] + dump_json(line.values[i]) + ",";
    for (const UsageField& field : usage_fields())
      text +=
          "\"" + std::string(field.name) + "\":" + std::to_string(line.counts.*field.count) + ",";
    for (const UsageField& field : usage_money_fields())
      text += "\"" + std::string(field.name) + "\":" + model::format_usd(line.counts.*field.count) +
              ",";
    text.back() = '}';
  }
  return text + "]";
}

namespace {
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (const char c : text)
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}
}  // namespace

std::string usage_csv(const std::vector<UsageLine>& lines, const std::vector<UsageTerm>& by) {
  std::string text;
  for (const UsageTerm& term : by)
    text += csv_cell(term.text) + ",";
  for (const UsageField& field : usage_fields())
    text += std::string(field.name) + ",";
  for (const UsageField& field : usage_money_fields())
    text += std::string(field.name) + ",";
  text.back() = '\n';
  for (const UsageLine& line : lines) {
    for (const std::string& value : line.values)
      text += csv_cell(value) + ",";
    for (const UsageField& field : usage_fields())
      text += std::to_string(line.counts.*field.count) + ",";
    for (const UsageField& field : usage_money_fields())
      text += model::format_usd(line.counts.*field.count) + ",";
    text.back() = '\n';
  }
  return text;
}

}  // namespace keyherd::api
