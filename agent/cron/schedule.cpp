#include "cron/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>
#include <variant>

#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cron/describe.hpp"
#include "cron/fields.hpp"
#include "cron/zone.hpp"

namespace keyherd::cron {

namespace {

using std::chrono::floor;

constexpr std::size_t kLongestExpression = 512;
// The longest wait of a possible schedule is 40 years: 29 February on one weekday, around 2100.
constexpr std::chrono::hours kFurthest{24 * 366 * 60};
// A change of the clock by this much is a move to other days, not a gap in one.
constexpr std::chrono::hours kLongestGap{3};

// @every: multiples of the interval since 1970, so that a restart does not shift them.
struct Every {
  seconds interval{0};
};
using Rule = std::variant<Fields, Every>;

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kMacros{{
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
}};

Result<Rule> parse_every(std::string_view expression, std::string_view text) {
  const auto problem = [&](std::string_view what) {
    return fail(ErrorCode::invalid,
                fmt::format("cron expression \"{}\": @every, column {}: {}",
                            printable(expression, 80), text.data() - expression.data() + 1, what));
  };
  const auto interval = parse_duration(text);
  if (!interval)
    return problem(interval.error().message);
  if (*interval < seconds{1} || *interval % seconds{1} != seconds{0})
    return problem("needs whole seconds, at least 1s");
  return Rule(Every{floor<seconds>(*interval)});
}

Result<Rule> parse_macro(std::string_view expression, std::string_view text) {
  const std::size_t blank = text.find_first_of(" \t");
  const std::string_view name = text.substr(0, blank);
  if (equals_ignore_case(name, "@every") && blank != std::string_view::npos)
    return parse_every(expression, trim(text.substr(blank)));
  for (const auto& [macro, fields] : kMacros)
    if (equals_ignore_case(text, macro)) {
      KH_ASSIGN(Fields parsed, parse_fields(fields));
      return Rule(std::move(parsed));
    }
  return fail(
      ErrorCode::invalid,
      fmt::format("cron expression \"{}\": macro, column {}: \"{}\" is not known; there are "
                  "@yearly @annually @monthly @weekly @daily @midnight @hourly and "
                  "@every with a duration",
                  printable(expression, 80), text.data() - expression.data() + 1,
                  printable(text, 40)));
}

Result<Rule> parse_rule(std::string_view expression) {
  if (expression.size() > kLongestExpression)
    return fail(ErrorCode::invalid,
                fmt::format("cron expression \"{}\": is {} bytes long, at most {} are accepted",
                            printable(expression, 40), expression.size(), kLongestExpression));
  const auto odd = std::find_if(expression.begin(), expression.end(), [](char byte) {
    return (byte < ' ' && byte != '\t') || byte > '~';
  });
  if (odd != expression.end())
    return fail(ErrorCode::invalid,
                fmt::format("cron expression \"{}\": column {}: holds a byte that is not printable "
                            "ASCII",
                            printable(expression, 80), odd - expression.begin() + 1));
  const std::string_view text = trim(expression);
  if (!text.empty() && text.front() == '@')
    return parse_macro(expression, text);
  KH_ASSIGN(Fields fields, parse_fields(expression));
  return Rule(std::move(fields));
}

Span span_before(const Zone& zone, const Span& span) {
  return span.begin > kFirstInstant ? zone.span_at(span.begin - seconds{1}) : span;
}

// Whether the beginning of a span stands for fixed times inside the gap before it.
bool fills_gap(const Fields& fields, const Span& before, const Span& span) {
  return fields.fixed_time && span.offset > before.offset &&
         span.offset - before.offset < kLongestGap &&
         first_selected(fields, before.local(span.begin), span.local(span.begin)).has_value();
}

// The end of the local times at a span's beginning that the span before it has shown already.
LocalSeconds repeated_until(const Span& before, const Span& span) {
  return std::max(before.local(span.begin), span.local(span.begin));
}

std::string clock_text(LocalSeconds local) {
  const std::chrono::hh_mm_ss time{local - floor<std::chrono::days>(local)};
  const auto second = time.seconds().count();
  return fmt::format("{:02}:{:02}{}", time.hours().count(), time.minutes().count(),
                     second == 0 ? "" : fmt::format(":{:02}", second));
}

}  // namespace

struct Schedule::Impl {
  std::string expression;
  Zone zone;
  Rule rule;
};

// Goes from firing to firing and keeps the stretch of constant offset that it is in.
class Schedule::Walk {
 public:
  Walk(const Zone& zone, const Rule& rule, WallTime after)
      : zone_(zone),
        rule_(rule),
        at_(std::max(floor<seconds>(after) + seconds{1}, kFirstInstant)) {}

  std::optional<WallTime> next() {
    const SysSeconds limit = std::min(at_ + seconds{kFurthest}, kLastInstant);
    const auto found =
        std::holds_alternative<Every>(rule_) ? next_multiple(limit) : next_selected(limit);
    if (!found)
      return std::nullopt;
    at_ = *found + seconds{1};
    return WallTime{*found};
  }

 private:
  std::optional<SysSeconds> next_multiple(SysSeconds limit) const {
    const seconds interval = std::get<Every>(rule_).interval;
    const seconds since = at_.time_since_epoch();
    const seconds over{((since % interval) + interval) % interval};
    const SysSeconds found = over.count() == 0 ? at_ : at_ + (interval - over);
    return found < limit ? std::optional(found) : std::nullopt;
  }

  std::optional<SysSeconds> next_selected(SysSeconds limit) {
    const Fields& fields = std::get<Fields>(rule_);
    while (at_ < limit) {
      if (!inside_)
        enter();
      if (at_ == span_.begin && fills_gap(fields, before_, span_))
        return at_;
      LocalSeconds from = span_.local(at_);
      if (fields.fixed_time)
        from = std::max(from, repeated_until(before_, span_));
      const SysSeconds until = std::min(span_.end, limit);
      if (const auto local = first_selected(fields, from, span_.local(until)))
        return span_.instant(*local);
      at_ = until;
      inside_ = false;
    }
    return std::nullopt;
  }

  void enter() {
    span_ = zone_.span_at(at_);
    before_ = span_before(zone_, span_);
    inside_ = true;
  }

  const Zone& zone_;
  const Rule& rule_;
  SysSeconds at_;
  Span span_{};
  Span before_{};
  bool inside_ = false;
};

Schedule::Schedule(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Result<Schedule> Schedule::parse(std::string_view expression, std::string_view timezone) {
  KH_ASSIGN(Rule rule, parse_rule(expression));
  KH_ASSIGN(Zone zone, Zone::find(timezone));
  return Schedule(std::make_shared<const Impl>(
      Impl{std::string(trim(expression)), std::move(zone), std::move(rule)}));
}

std::optional<WallTime> Schedule::next(WallTime after) const {
  return Walk(impl_->zone, impl_->rule, after).next();
}

std::vector<WallTime> Schedule::next_n(WallTime after, std::size_t n) const {
  Walk walk(impl_->zone, impl_->rule, after);
  std::vector<WallTime> firings;
  while (firings.size() < n) {
    const auto firing = walk.next();
    if (!firing)
      break;
    firings.push_back(*firing);
  }
  return firings;
}

std::optional<WallTime> Schedule::latest(WallTime at) const {
  const WallTime first{kFirstInstant};
  const WallTime earliest = at < first + kFurthest ? first : at - kFurthest;
  auto found = next(earliest);
  if (!found || *found > at)
    return std::nullopt;
  // Halves the stretch after the latest one found; firings are whole seconds apart.
  for (WallTime none_after = at; none_after - *found >= seconds{1};) {
    const WallTime middle = *found + (none_after - *found) / 2;
    const auto later = next(middle);
    if (later && *later <= at)
      found = later;
    else
      none_after = middle;
  }
  return found;
}

Firings Schedule::between(WallTime after, WallTime until, std::size_t cap) const {
  Firings firings;
  Walk walk(impl_->zone, impl_->rule, after);
  for (auto firing = walk.next(); firing && *firing <= until; firing = walk.next()) {
    if (firings.count == cap) {
      firings.latest = latest(until);
      return firings;
    }
    ++firings.count;
    firings.latest = firing;
  }
  return firings;
}

std::string Schedule::describe() const {
  const std::string words =
      std::holds_alternative<Every>(impl_->rule)
          ? fmt::format("every {}, counted from 1970-01-01T00:00:00Z",
                        format_duration(std::get<Every>(impl_->rule).interval))
          : cron::describe(std::get<Fields>(impl_->rule));
  return fmt::format("{} ({})", words, impl_->zone.name());
}

std::vector<std::string> Schedule::notes(std::optional<WallTime> from) const {
  const Fields* fields = std::get_if<Fields>(&impl_->rule);
  if (fields == nullptr)
    return {};
  std::vector<std::string> notes = lint(*fields);
  if (!reads_differently(*fields))
    return notes;
  std::string note =
      "a day field that begins with * and has a step counts as restricted here (either day field "
      "is "
      "enough); Vixie cron wants both to match";
  if (from) {
    const auto list = [&](const Rule& rule) {
      Walk walk(impl_->zone, rule, *from);
      std::string dates;
      for (int index = 0; index < 3; ++index)
        if (const auto firing = walk.next())
          dates += (index == 0 ? "" : ", ") + local(*firing);
      return dates;
    };
    Fields theirs = *fields;
    theirs.both_days = true;
    note += fmt::format(". Here: {}; there: {}", list(impl_->rule),
                        is_possible(theirs) ? list(Rule(theirs)) : "never");
  }
  notes.push_back(std::move(note));
  return notes;
}

std::optional<std::string> Schedule::remark(WallTime firing) const {
  const Fields* fields = std::get_if<Fields>(&impl_->rule);
  const SysSeconds at = floor<seconds>(firing);
  if (fields == nullptr || at < kFirstInstant || at >= kLastInstant)
    return std::nullopt;
  const Span span = impl_->zone.span_at(at);
  const Span before = span_before(impl_->zone, span);
  const LocalSeconds local = span.local(at);
  if (at == span.begin && fills_gap(*fields, before, span)) {
    const auto missing = first_selected(*fields, before.local(at), local);
    return fmt::format("{} does not exist on this day: the clock goes from {} to {}",
                       clock_text(*missing), clock_text(before.local(at)), clock_text(local));
  }
  if (local < repeated_until(before, span))
    return fmt::format("{} comes for the second time", clock_text(local));
  const Span after = span.end < kLastInstant ? impl_->zone.span_at(span.end) : span;
  if (local >= after.local(span.end))
    return fmt::format("{} comes twice; this is the first time{}", clock_text(local),
                       fields->fixed_time ? ", the second does not fire" : "");
  return std::nullopt;
}

const std::string& Schedule::expression() const {
  return impl_->expression;
}

const std::string& Schedule::timezone() const {
  return impl_->zone.name();
}

std::string Schedule::local(WallTime at) const {
  return format_local(impl_->zone, floor<seconds>(at));
}

}  // namespace keyherd::cron
