#include "engine/retention.hpp"

#include "cron/calendar.hpp"

namespace keyherd::engine {

namespace {

// The span of a bucket in the calendar of a zone; remembers the last one, since rows come in order.
class Spans {
 public:
  Spans(cron::CalendarUnit unit, std::string zone) : unit_(unit), timezone_(std::move(zone)) {}

  store::BucketSpan operator()(std::int64_t bucket) {
    if (bucket >= last_.first && bucket < last_.first + last_.width)
      return last_;
    const auto window = cron::window_at(unit_, timezone_, model::bucket_start(bucket));
    if (!window || !window->end)
      return {bucket, 1};  // no such instant in the calendar: as it is
    // An offset of odd minutes (none since 1972) may cut a quarter: it belongs to what begins in
    // it.
    last_.first = model::bucket_of(window->start);
    last_.width = static_cast<std::int32_t>(
        std::max<std::int64_t>(model::bucket_of(*window->end) - last_.first, 1));
    return last_;
  }

 private:
  cron::CalendarUnit unit_;
  std::string timezone_;
  store::BucketSpan last_{0, 0};
};

// The beginning of the day that `age` ago lay in.
Result<WallTime> day_before(const config::AgentSettings& settings, std::chrono::nanoseconds age,
                            WallTime now) {
  KH_ASSIGN(const cron::Window day,
            cron::window_at(cron::CalendarUnit::day, settings.timezone, now - age));
  return day.start;
}

}  // namespace

Result<bool> tend_history(store::Store& store, const config::AgentSettings& settings,
                          std::chrono::nanoseconds minutes, WallTime now) {
  // First of all: what goes need not be summed up.
  KH_TRY(store.prune(now - settings.keep_usage, now - minutes, now - settings.keep_evidence));
  KH_ASSIGN(const WallTime hours, day_before(settings, settings.keep_quarter_hours, now));
  KH_ASSIGN(const bool more_hours,
            store.roll_up({store::RollUpInto::hours, hours,
                           Spans(cron::CalendarUnit::hour, settings.timezone)}));
  if (more_hours)
    return true;
  KH_ASSIGN(const WallTime days, day_before(settings, settings.keep_hours, now));
  return store.roll_up(
      {store::RollUpInto::days, days, Spans(cron::CalendarUnit::day, settings.timezone)});
}

}  // namespace keyherd::engine
