#include "model/quota.hpp"

#include <algorithm>
#include <limits>

#include "model/enum_names.hpp"
#include "model/quota_status.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, 5> kUnits{"tokens", "input_tokens", "output_tokens",
                                                 "requests", "usd"};
constexpr std::array<std::string_view, 7> kWindows{"minute", "hour",  "day",    "week",
                                                   "month",  "total", "rolling"};
__extension__ using WideAmount = __int128;
}  // namespace

std::string_view to_string(QuotaUnit unit) {
  return name_of(kUnits, unit);
}
std::optional<QuotaUnit> quota_unit_from_string(std::string_view name) {
  return value_of<QuotaUnit>(kUnits, name);
}

std::string_view to_string(WindowKind kind) {
  return name_of(kWindows, kind);
}

std::int64_t per_hour(const BurnRate& rate) {
  constexpr std::chrono::nanoseconds kHour = std::chrono::hours(1);
  if (rate.over.count() <= 0)
    return 0;
  const auto amount = static_cast<WideAmount>(rate.amount) * kHour.count() / rate.over.count();
  return static_cast<std::int64_t>(
      std::min<WideAmount>(amount, std::numeric_limits<std::int64_t>::max()));
}

std::vector<std::string_view> levels_of(const Quota& quota) {
  const std::size_t count = std::min(quota.thresholds.size(), kQuotaLevels.size());
  return {kQuotaLevels.end() - static_cast<std::ptrdiff_t>(count), kQuotaLevels.end()};
}

}  // namespace keyherd::model
