#include "api/usage_answer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "api/usage_report.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::api {

using nlohmann::json;

namespace {

constexpr std::string_view kDefaultColumns = "key,model,day";
constexpr std::int64_t kLargestPage = 100'000;

// What the snapshot says of a key, as far as the principal may see it.
class SnapshotFacts {
 public:
  SnapshotFacts(const model::Snapshot& snapshot, const Principal& who)
      : snapshot_(snapshot), confined_(!who.pools.empty()) {
    for (const auto& pool : snapshot.pools) {
      if (!who.may_see_pool(pool->pool.id))
        continue;
      for (const std::string& key : pool->pool.keys)
        pools_[key].push_back(pool->pool.id);
    }
  }

  [[nodiscard]] bool confined() const { return confined_; }
  [[nodiscard]] bool may_see(const std::string& key) const {
    return !confined_ || pools_.contains(key);
  }
  [[nodiscard]] std::vector<std::string> visible_keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, pools] : pools_)
      keys.push_back(key);
    return keys;
  }
  [[nodiscard]] std::optional<KeyFacts> of(const std::string& key) const {
    const model::KeyView* view = model::find_key(snapshot_, key);
    if (view == nullptr)
      return std::nullopt;
    const auto pools = pools_.find(key);
    return KeyFacts{view->key.provider, view->key.limit_group.empty() ? key : view->key.limit_group,
                    pools == pools_.end() ? std::vector<std::string>{} : pools->second,
                    view->key.labels};
  }

 private:
  const model::Snapshot& snapshot_;
  bool confined_;
  std::map<std::string, std::vector<std::string>> pools_;  // by key
};

// Only these keys need be read; nothing: all.
std::optional<std::vector<std::string>> keys_to_read(const UsageQuestion& question,
                                                     const SnapshotFacts& facts) {
  std::optional<std::vector<std::string>> keys;
  if (facts.confined())
    keys = facts.visible_keys();
  for (const UsageFilter& filter : question.where) {
    if (filter.term.column != UsageColumn::key)
      continue;
    std::vector<std::string> named(filter.values.begin(), filter.values.end());
    std::erase_if(named, [&](const std::string& key) { return !facts.may_see(key); });
    keys = std::move(named);
  }
  return keys;
}

std::string comma_separated(const std::set<std::string>& values) {
  std::string text;
  for (const std::string& value : values)
    text += (text.empty() ? "" : ",") + value;
  return text;
}

// The query that asks for the page behind this line.
std::string next_query(const UsageRequest& request, const UsageLine& last) {
  const UsageQuestion& question = request.question;
  std::string by;
  for (const UsageTerm& term : question.by)
    by += (by.empty() ? "" : ",") + term.text;
  std::string query = "by=" + url_encode(by) + "&timezone=" + url_encode(question.timezone);
  if (question.from)
    query += "&from=" + url_encode(format_rfc3339(*question.from));
  if (question.to)
    query += "&to=" + url_encode(format_rfc3339(*question.to));
  for (const UsageFilter& filter : question.where)
    query += "&" + url_encode(filter.term.text) + "=" + url_encode(comma_separated(filter.values));
  return query + "&limit=" + std::to_string(request.limit) +
         "&after=" + url_encode(dump_json(last.values));
}

Result<std::vector<std::string>> parse_after(const std::string& text, std::size_t columns) {
  const auto value = parse_json(text, 2);
  std::vector<std::string> values;
  if (value && value->is_array()) {
    for (const json& part : *value) {
      if (part.is_string())
        values.push_back(part.get<std::string>());
    }
  }
  if (values.size() != columns)
    return fail(ErrorCode::invalid, "after: take it from the Link header of the page before");
  return values;
}

Status read_parameter(const std::string& name, const std::string& value, WallTime now,
                      UsageRequest& request) {
  UsageQuestion& question = request.question;
  if (name == "by" || name == "timezone" || name == "after")
    return {};  // read before or after the others
  if (name == "from" || name == "to") {
    KH_ASSIGN(const WallTime time, parse_usage_time(value, question.timezone, now));
    (name == "from" ? question.from : question.to) = time;
    return {};
  }
  if (name == "limit") {
    const auto limit = parse_int(value);
    if (!limit || *limit < 1 || *limit > kLargestPage)
      return fail(ErrorCode::invalid,
                  "limit: expected a number from 1 to " + std::to_string(kLargestPage));
    request.limit = static_cast<std::size_t>(*limit);
    return {};
  }
  auto filter = parse_usage_filter(name, value);
  if (!filter)
    return fail(ErrorCode::invalid,
                "usage has no parameter '" + printable(name, 40) +
                    "'; there are by, from, to, timezone, limit, after, and the filters key, "
                    "provider, pool, group, model and label.NAME");
  for (UsageFilter& other : question.where) {  // written twice: either
    if (other.term.text == filter->term.text) {
      other.values.merge(filter->values);
      return {};
    }
  }
  question.where.push_back(std::move(*filter));
  return {};
}

std::string value_or(const std::multimap<std::string, std::string>& query, const std::string& name,
                     std::string_view fallback) {
  const auto found = query.find(name);
  return found == query.end() ? std::string(fallback) : found->second;
}

}  // namespace

Result<UsageRequest> parse_usage_request(const std::multimap<std::string, std::string>& query,
                                         const std::string& default_zone, WallTime now) {
  UsageRequest request;
  request.question.timezone = value_or(query, "timezone", default_zone);
  KH_TRY(check_timezone(request.question.timezone));
  KH_ASSIGN(request.question.by, parse_usage_terms(value_or(query, "by", kDefaultColumns)));
  for (const auto& [name, value] : query)
    KH_TRY(read_parameter(name, value, now, request));
  if (query.contains("after")) {
    KH_ASSIGN(request.after, parse_after(query.find("after")->second, request.question.by.size()));
  }
  return request;
}

Result<UsageAnswer> make_usage_answer(const UsageRequest& request, const model::Snapshot& snapshot,
                                      const Principal& who, const ReadUsage& read) {
  const SnapshotFacts facts(snapshot, who);
  const auto keys = keys_to_read(request.question, facts);
  UsageReport report(request.question, [&](const std::string& key) { return facts.of(key); });
  if (!keys || !keys->empty()) {
    const UsageRange range{request.question.from, request.question.to,
                           keys.value_or(std::vector<std::string>{})};
    // Asked for by key already; whoever reads, what may not be seen is never summed.
    KH_TRY(read(range, [&](const model::UsageRow& row) {
      return facts.may_see(row.key) ? report.add(row) : Status{};
    }));
  }
  std::vector<UsageLine> lines = report.lines();
  if (request.after) {
    const auto last = std::find_if(lines.begin(), lines.end(), [&](const UsageLine& line) {
      return line.values == *request.after;
    });
    if (last == lines.end())
      return fail(ErrorCode::not_found,
                  "after: that line is gone, history has been summed up meanwhile; start again");
    lines.erase(lines.begin(), last + 1);
  }
  UsageAnswer answer;
  if (request.limit > 0 && lines.size() > request.limit) {
    lines.resize(request.limit);
    answer.next_query = next_query(request, lines.back());
  }
  answer.body = usage_json(lines, request.question.by) + "\n";
  return answer;
}

}  // namespace keyherd::api
