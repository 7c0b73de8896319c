#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "cron/fields.hpp"

namespace keyherd::cron {

namespace {

constexpr std::array<std::string_view, 12> kMonthNames{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdayNames{"sun", "mon", "tue", "wed",
                                                        "thu", "fri", "sat"};

enum class Kind { second, minute, hour, day, month, weekday };

struct FieldInfo {
  Kind kind;
  std::string_view name;
  unsigned min;
  unsigned max;
};
constexpr FieldInfo kSeconds{Kind::second, "second", 0, 59};
constexpr std::array<FieldInfo, 5> kFields{{{Kind::minute, "minute", 0, 59},
                                            {Kind::hour, "hour", 0, 23},
                                            {Kind::day, "day of month", 1, 31},
                                            {Kind::month, "month", 1, 12},
                                            {Kind::weekday, "day of week", 0, 7}}};

struct Value {
  unsigned number = 0;
  bool named = false;
};

struct Range {
  unsigned from = 0;
  unsigned to = 0;  // below `from` only for weekdays that go round by name
};

// Reads one field into Fields. Every text is a view into the expression, so that an error can tell
// its column.
class FieldParser {
 public:
  FieldParser(const FieldInfo& info, std::string_view expression, Fields& out)
      : info_(info), expression_(expression), out_(out) {}

  Status parse(std::string_view text) {
    if (info_.kind == Kind::weekday && text.size() > 1 && text.front() == '+') {
      out_.both_days = true;
      text.remove_prefix(1);
    }
    for (const std::string_view item : split(text, ',')) {
      if (item.empty())
        return error(text, "has an empty list item");
      KH_TRY(parse_item(item));
    }
    return {};
  }

 private:
  tl::unexpected<Error> error(std::string_view token, std::string_view problem) const {
    return fail(ErrorCode::invalid,
                fmt::format("cron expression \"{}\": {} field, column {}: \"{}\" {}",
                            printable(expression_, 80), info_.name,
                            token.data() - expression_.data() + 1, printable(token, 40), problem));
  }

  Status parse_item(std::string_view item) {
    if (info_.kind == Kind::day && item.find_first_of("LWlw") != std::string_view::npos)
      return parse_special_day(item);
    if (info_.kind == Kind::weekday) {
      if (item.find('#') != std::string_view::npos)
        return parse_nth(item, item.find('#'));
      if (item.back() == 'L' || item.back() == 'l')
        return parse_nth(item, item.size() - 1);
    }
    return parse_stepped(item);
  }

  // L, LW, nW
  Status parse_special_day(std::string_view item) {
    if (equals_ignore_case(item, "L")) {
      out_.last_day = true;
      return {};
    }
    if (equals_ignore_case(item, "LW")) {
      out_.last_workday = true;
      return {};
    }
    if (item.back() != 'W' && item.back() != 'w')
      return error(item, "is not a day; the last day is L, the last working day LW");
    KH_ASSIGN(const Value day, parse_value(item.substr(0, item.size() - 1), item));
    out_.near_days |= 1U << day.number;
    return {};
  }

  // n#k, n#L, nL, where n may be a range
  Status parse_nth(std::string_view item, std::size_t mark) {
    const std::string_view body = item.substr(0, mark);
    if (body.empty() || body == "*" || body == "?")
      return error(item, "needs a weekday, as in 5L or FRI#2");
    if (item[mark] != '#' && body == "0")
      return error(item, "is not accepted; the last Sunday is 7L or SUNL");
    unsigned bit = Fields::kLastBit;
    const std::string_view which = item.substr(mark + 1);
    if (item[mark] == '#' && !equals_ignore_case(which, "L")) {
      if (which.size() != 1 || which.front() < '1' || which.front() > '5')
        return error(item, "needs 1 to 5 or L after #");
      bit = static_cast<unsigned>(which.front() - '1');
    }
    KH_ASSIGN(const Range range, parse_range(body, item));
    for_each(range, 1, [&](unsigned weekday) {
      std::uint8_t& nth = out_.nth[weekday % 7];
      nth = static_cast<std::uint8_t>(nth | (1U << bit));
    });
    return {};
  }

  Status parse_stepped(std::string_view item) {
    const std::size_t slash = item.find('/');
    const std::string_view body = item.substr(0, slash);
    Range range;
    bool open = false;
    if (body == "*" || (body == "?" && is_day_field())) {
      range = {info_.min, last()};
      open = true;
    } else {
      KH_ASSIGN(range, parse_range(body, item));
      if (slash != std::string_view::npos && body.find('-') == std::string_view::npos)
        range.to = std::max(range.from, last());
    }
    unsigned step = 1;
    if (slash != std::string_view::npos) {
      KH_ASSIGN(step, parse_step(item.substr(slash + 1), range, item));
    }
    if (open && step == 1)
      mark_unrestricted();
    for_each(range, step, [this](unsigned value) { select(value); });
    return {};
  }

  Result<unsigned> parse_step(std::string_view text, Range range, std::string_view item) const {
    const unsigned round = range.to < range.from ? 7 : 0;
    const unsigned size = range.to + round - range.from + 1;
    const auto step = text.size() <= 4 ? parse_int(text) : std::nullopt;
    if (!step || *step == 0)
      return error(item, "needs one whole number from 1 after /");
    if (*step > size)
      return error(
          item, fmt::format("steps by {} over only {} value{}", *step, size, size == 1 ? "" : "s"));
    return static_cast<unsigned>(*step);
  }

  Result<Range> parse_range(std::string_view text, std::string_view item) const {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
      KH_ASSIGN(const Value value, parse_value(text, item));
      return Range{value.number, value.number};
    }
    if (text.find('-', dash + 1) != std::string_view::npos)
      return error(item, "has more than one -");
    if (dash == 0)
      return error(item, "begins with -; negative numbers are not possible");
    KH_ASSIGN(const Value from, parse_value(text.substr(0, dash), item));
    KH_ASSIGN(const Value to, parse_value(text.substr(dash + 1), item));
    const bool round = info_.kind == Kind::weekday && from.named && to.named;
    if (from.number > to.number && !round)
      return error(item, "runs backwards; write two ranges with a comma between them");
    return Range{from.number, to.number};
  }

  Result<Value> parse_value(std::string_view text, std::string_view item) const {
    if (const auto named = parse_name(text))
      return *named;
    const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), [](char byte) {
      return byte >= '0' && byte <= '9';
    });
    if (!digits)
      return error(item, fmt::format("is not understood; {}", expected()));
    const auto number = parse_int(text);
    if (!number || *number < info_.min || *number > info_.max)
      return error(item, fmt::format("is out of range; {}", expected()));
    return Value{static_cast<unsigned>(*number), false};
  }

  std::optional<Value> parse_name(std::string_view text) const {
    const auto find = [&](const auto& names, unsigned first) -> std::optional<Value> {
      for (std::size_t index = 0; index < names.size(); ++index)
        if (equals_ignore_case(text, names[index]))
          return Value{first + static_cast<unsigned>(index), true};
      return std::nullopt;
    };
    if (info_.kind == Kind::month)
      return find(kMonthNames, 1);
    if (info_.kind == Kind::weekday)
      return find(kWeekdayNames, 0);
    return std::nullopt;
  }

  std::string expected() const {
    const std::string numbers = fmt::format("{} to {}", info_.min, info_.max);
    if (info_.kind == Kind::month)
      return numbers + " or JAN to DEC";
    if (info_.kind == Kind::weekday)
      return numbers + " or SUN to SAT";
    return numbers;
  }

  bool is_day_field() const { return info_.kind == Kind::day || info_.kind == Kind::weekday; }
  // Where * and n/step end: 7 is Sunday again.
  unsigned last() const { return info_.kind == Kind::weekday ? 6 : info_.max; }

  // Weekdays may come as 7 and more: the week goes round.
  template <class Use>
  static void for_each(Range range, unsigned step, Use use) {
    const unsigned to = range.to < range.from ? range.to + 7 : range.to;
    for (unsigned value = range.from; value <= to; value += step)
      use(value);
  }

  void mark_unrestricted() {
    if (info_.kind == Kind::day)
      out_.any_day = true;
    if (info_.kind == Kind::weekday)
      out_.any_weekday = true;
  }

  void select(unsigned value) {
    switch (info_.kind) {
      case Kind::second:
        out_.seconds |= std::uint64_t{1} << value;
        return;
      case Kind::minute:
        out_.minutes |= std::uint64_t{1} << value;
        return;
      case Kind::hour:
        out_.hours |= 1U << value;
        return;
      case Kind::day:
        out_.days |= 1U << value;
        return;
      case Kind::month:
        out_.months |= 1U << value;
        return;
      case Kind::weekday:
        out_.weekdays |= 1U << value % 7;
        return;
    }
  }

  const FieldInfo& info_;
  std::string_view expression_;
  Fields& out_;
};

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlanks, end);
  }
  return words;
}

tl::unexpected<Error> wrong_count(std::string_view expression, std::size_t count) {
  return fail(
      ErrorCode::invalid,
      fmt::format("cron expression \"{}\": has {} field{}, needs 5: minute hour day-of-month "
                  "month day-of-week, or 6 with seconds before them{}",
                  printable(expression, 80), count, count == 1 ? "" : "s",
                  count > 6 ? " (years are not offered)" : ""));
}

}  // namespace

Result<Fields> parse_fields(std::string_view expression) {
  auto words = words_of(expression);
  if (words.size() != kFields.size() && words.size() != kFields.size() + 1)
    return wrong_count(expression, words.size());
  Fields fields;
  if (words.size() > kFields.size()) {
    fields.seconds = 0;
    KH_TRY(FieldParser(kSeconds, expression, fields).parse(words.front()));
    fields.second_text = std::string(words.front());
    words.erase(words.begin());
  }
  for (std::size_t index = 0; index < words.size(); ++index) {
    KH_TRY(FieldParser(kFields[index], expression, fields).parse(words[index]));
    fields.text[index] = std::string(words[index]);
  }
  fields.fixed_time = (fields.second_text + fields.text[0] + fields.text[1]).find_first_of("*/") ==
                      std::string::npos;
  if (!is_possible(fields))
    return fail(ErrorCode::invalid,
                fmt::format("cron expression \"{}\": day of month \"{}\" never comes in month "
                            "\"{}\"{}",
                            printable(expression, 80), printable(fields.text[2], 40),
                            printable(fields.text[3], 40),
                            fields.both_days ? " together with the day of week" : ""));
  return fields;
}

}  // namespace keyherd::cron
