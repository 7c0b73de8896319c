#include "cli/replay.hpp"

#include <algorithm>
#include <map>

#include "cli/input.hpp"
#include "usage/line_reader.hpp"

namespace keyherd::cli {

namespace {

constexpr std::size_t kMostLogBytes = 1U << 30U;
constexpr std::size_t kMostLines = 1'000'000;
constexpr std::chrono::milliseconds kUsualLatency{800};

using std::chrono::nanoseconds;
using usage::LoggedRequest;

Result<std::vector<LoggedRequest>> read_lines(const std::string& text, usage::LineReader& reader) {
  std::vector<LoggedRequest> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (auto line = reader.read(text.substr(at, end - at) + "\n"))
      lines.push_back(std::move(*line));
    if (lines.size() > kMostLines)
      return fail(ErrorCode::too_large, "more than a million requests: replay a part of the log");
    at = end + 1;
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return lines;
}

bool refuses_key(int http_status) {
  return http_status == 401 || http_status == 402 || http_status == 429;
}

// Tokens of the key's own token quotas; the scarcest.
std::int64_t quota_of(const OfflineNames& names, const std::string& id, std::int64_t fallback) {
  if (!names.config)
    return fallback;
  const auto& keys = names.config->keys;
  const auto key =
      std::find_if(keys.begin(), keys.end(), [&](const auto& k) { return k.id == id; });
  std::int64_t least = 0;
  if (key == keys.end())
    return fallback;
  for (const model::Quota& quota : names.config->quotas) {
    const bool is_its =
        std::find(key->quotas.begin(), key->quotas.end(), quota.id) != key->quotas.end();
    if (is_its && quota.unit == model::QuotaUnit::tokens)
      least = least == 0 ? quota.limit : std::min(least, quota.limit);
  }
  return least == 0 ? fallback : least;
}

int priority_of(const OfflineNames& names, const std::string& id) {
  if (names.config) {
    for (const model::Key& key : names.config->keys) {
      if (key.id == id)
        return key.priority;
    }
  }
  return 1;
}

nanoseconds mean_latency(const std::vector<LoggedRequest>& lines) {
  std::int64_t sum = 0;
  std::int64_t count = 0;
  for (const LoggedRequest& line : lines) {
    sum += line.latency_ms.value_or(0);
    count += line.latency_ms ? 1 : 0;
  }
  return count == 0 ? nanoseconds(kUsualLatency) : std::chrono::milliseconds(sum / count);
}

Workload workload_of(const std::vector<LoggedRequest>& lines, const OfflineNames& names,
                     std::int64_t quota) {
  Workload load;
  std::map<std::string, std::size_t> places;
  const WallTime start = lines.front().at;
  const nanoseconds usual = mean_latency(lines);
  for (const LoggedRequest& line : lines) {
    const auto [place, is_new] = places.try_emplace(line.key, load.keys.size());
    if (is_new) {
      SimulatedKey key;
      key.id = line.key;
      key.priority = priority_of(names, line.key);
      key.quota = quota_of(names, line.key, quota);
      load.keys.push_back(std::move(key));
    }
    SimulatedKey& key = load.keys[place->second];
    const nanoseconds at = line.at - start;
    const bool refusing = !key.refusals.empty() && key.refusals.back().to == nanoseconds::max();
    if (refuses_key(line.http_status) && !refusing)
      key.refusals.push_back({at, nanoseconds::max(), line.http_status});
    else if (refusing && line.http_status >= 200 && line.http_status < 300)
      key.refusals.back().to = at;
    SimulatedRequest request;
    request.at = at;
    request.input_tokens = line.input_tokens;
    request.output_tokens = line.output_tokens;
    request.latency =
        line.latency_ms ? nanoseconds(std::chrono::milliseconds(*line.latency_ms)) : usual;
    request.cost = line.cost;
    request.provider_fails = line.http_status >= 500 || line.http_status == 0;
    load.requests.push_back(request);
  }
  return load;
}

}  // namespace

Result<Workload> replay_of(Context& context, const std::string& file, const std::string& format,
                           const OfflineNames& names, std::int64_t quota) {
  KH_ASSIGN(const std::string text, read_whole(context, file, kMostLogBytes));
  KH_ASSIGN(auto reader,
            usage::LineReader::make(names.log_of(format), names.context(), context.clock.now()));
  KH_ASSIGN(const auto lines, read_lines(text, reader));
  if (lines.empty())
    return fail(ErrorCode::not_found,
                file + " has no line that counts as a request in the format " + format);
  return workload_of(lines, names, quota);
}

}  // namespace keyherd::cli
