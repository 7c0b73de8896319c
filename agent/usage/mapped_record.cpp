#include "usage/mapped_record.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "usage/hash.hpp"
#include "usage/timestamp.hpp"

namespace keyherd::usage {

namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

bool is_all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Exponents are rare: what writes them does not count tokens with them.
std::optional<std::int64_t> scaled_from_double(std::string_view number, std::int64_t scale) {
  double value = 0;
  const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), value);
  value *= static_cast<double>(scale);
  if (problem != std::errc() || end != number.data() + number.size() || !(value >= 0) ||
      value > 9e18)
    return std::nullopt;
  return std::llround(value);
}

// number × scale, rounded half up; nothing if it is no number ≥ 0 or does not fit. Exact for
// decimals without an exponent. `whole`: a fraction that is not zero is an error.
std::optional<std::int64_t> scaled(std::string_view number, std::int64_t scale, bool whole) {
  const std::size_t point = std::min(number.find('.'), number.size());
  const std::string_view integer = number.substr(0, point);
  std::string_view fraction = number.substr(std::min(point + 1, number.size()));
  if (!is_all_digits(integer) || (point < number.size() && !is_all_digits(fraction)))
    return whole ? std::nullopt : scaled_from_double(number, scale);
  while (fraction.ends_with('0'))
    fraction.remove_suffix(1);
  if (integer.size() > 19 || (whole && !fraction.empty()))
    return std::nullopt;
  Uint128 sum = 0;
  for (const char c : integer)
    sum = sum * 10 + static_cast<unsigned>(c - '0');
  sum *= static_cast<std::uint64_t>(scale);
  // Ten times finer than needed, to round once.
  Uint128 part = 0;
  Uint128 weight = static_cast<Uint128>(static_cast<std::uint64_t>(scale)) * 10;
  for (const char c : fraction.substr(0, 18)) {
    weight /= 10;
    part += weight * static_cast<unsigned>(c - '0');
  }
  sum += (part + 5) / 10;
  if (sum > static_cast<Uint128>(kMax))
    return std::nullopt;
  return static_cast<std::int64_t>(sum);
}

class Reader {
 public:
  Reader(const Mapping& mapping, std::span<const Token> tokens, const Accumulator& into)
      : mapping_(mapping), tokens_(tokens), into_(into) {}

  MappedRecord read() {
    if (!is_wanted()) {
      out_.kind = MappedRecord::Kind::skipped;
      return out_;
    }
    Record& record = out_.record;
    record.model = "unknown";
    read_times();
    read_key();
    read_text(Field::model, record.model);
    read_request_id();
    read_count(Field::input_tokens, record.input);
    read_count(Field::output_tokens, record.output);
    read_count(Field::cached_input_tokens, record.cached_input);
    read_count(Field::cache_write_tokens, record.cache_write);
    read_count(Field::reasoning_tokens, record.reasoning);
    read_status();
    read_latency();
    read_cost();
    return out_;
  }

 private:
  const Token& token(const Alternative& alternative) const {
    return tokens_[alternative.front().slot];
  }

  void reject(Field field, model::RejectReason reason = model::RejectReason::bad_value) {
    if (out_.kind == MappedRecord::Kind::rejected)
      return;
    out_.kind = MappedRecord::Kind::rejected;
    out_.reason = reason;
    out_.field = field;
  }

  // The first that is there.
  const Token* first(const ValueSource& source) const {
    for (const Alternative& alternative : source) {
      if (token(alternative).kind != Token::Kind::absent)
        return &token(alternative);
    }
    return nullptr;
  }

  bool is_wanted() const {
    return std::all_of(mapping_.filters.begin(), mapping_.filters.end(), [&](const auto& filter) {
      const Token* value = first(filter.source);
      const bool is_listed =
          value != nullptr &&
          std::any_of(filter.words.begin(), filter.words.end(),
                      [&](const Mapping::Word& word) { return is_word(value->text, word); });
      switch (filter.rule) {
        case FilterText::Rule::only:
          return is_listed;
        case FilterText::Rule::if_present:
          return is_listed || value == nullptr;
        case FilterText::Rule::except:
          return !is_listed;
      }
      return false;
    });
  }

  static std::optional<std::int64_t> time_of(const Token& token, const Mapping::Rule& rule) {
    if (token.kind == Token::Kind::nested)
      return std::nullopt;
    if (rule.scale > 0) {
      if (const auto nanos = scaled(token.text, rule.scale, false))
        return nanos;
    }
    if (token.kind != Token::Kind::text)
      return std::nullopt;
    if (const auto nanos = parse_timestamp(token.text); nanos || !rule.assume_utc)
      return nanos;
    std::array<char, 48> zoned{};
    if (token.text.size() >= zoned.size())
      return std::nullopt;
    token.text.copy(zoned.data(), token.text.size());
    zoned[token.text.size()] = 'Z';
    return parse_timestamp({zoned.data(), token.text.size() + 1});
  }

  void read_times() {
    const Mapping::Rule& rule = mapping_.rule(Field::ts);
    const Token* value = first(rule.source);
    if (value == nullptr)
      return reject(Field::ts, model::RejectReason::missing_field);
    const auto at = time_of(*value, rule);
    if (!at)
      return reject(Field::ts);
    out_.record.at = *at;
  }

  void read_key() {
    std::string_view fallback;
    for (const Alternative& alternative : mapping_.rule(Field::key).source) {
      const Token& value = token(alternative);
      if (value.kind == Token::Kind::absent)
        continue;
      if (value.kind == Token::Kind::nested)
        return reject(Field::key);
      std::string_view name = value.text;
      if (const auto own = mapping_.key_names.find(name); own != mapping_.key_names.end())
        name = own->second;
      KeyBuffer buffer;
      if (into_.knows_key(known_form(name, buffer))) {
        out_.record.key = name;
        return;
      }
      if (fallback.empty())
        fallback = name;
    }
    out_.record.key = fallback;
    if (fallback.empty())
      reject(Field::key, model::RejectReason::missing_field);
  }

  void read_text(Field field, std::string_view& into) {
    const Token* value = first(mapping_.rule(field).source);
    if (value == nullptr)
      return;
    if (value->kind != Token::Kind::text)
      return reject(field);
    into = value->text;
  }

  // Text or a number. What is neither says nothing of repetitions, and nothing against the line.
  void read_request_id() {
    const Token* value = first(mapping_.rule(Field::request_id).source);
    if (value != nullptr && value->kind != Token::Kind::nested)
      out_.record.request_id = value->text;
  }

  // Whether the alternative applies; its value, or that it cannot be.
  struct Sum {
    bool applies = false;
    std::optional<std::int64_t> value;
  };
  template <class Parse>
  Sum sum_of(const Alternative& alternative, Parse parse) const {
    std::int64_t sum = 0;
    bool is_difference = false;
    for (const Operand& operand : alternative) {
      const Token& value = tokens_[operand.slot];
      is_difference = is_difference || operand.minus;
      if (value.kind == Token::Kind::absent) {
        if (operand.minus || &operand == &alternative.front())
          return {};
        continue;
      }
      const auto number = value.kind == Token::Kind::nested ? std::nullopt : parse(value.text);
      if (!number)
        return {true, std::nullopt};
      sum = model::saturating_add(sum, operand.minus ? -*number : *number);
    }
    if (is_difference && sum <= 0)
      return {};
    return {true, sum};
  }

  template <class Parse>
  std::optional<std::int64_t> read_number(Field field, Parse parse) {
    for (const Alternative& alternative : mapping_.rule(field).source) {
      const Sum sum = sum_of(alternative, parse);
      if (!sum.applies)
        continue;
      if (!sum.value)
        reject(field);
      return sum.value;
    }
    return std::nullopt;
  }

  void read_count(Field field, std::int64_t& into) {
    into =
        read_number(field, [](std::string_view text) { return scaled(text, 1, true); }).value_or(0);
  }

  void read_latency() {
    const Mapping::Rule& rule = mapping_.rule(Field::latency_ms);
    const auto nanos = read_number(
        Field::latency_ms, [&](std::string_view text) { return scaled(text, rule.scale, false); });
    if (nanos) {
      out_.record.latency_ms = (*nanos + kNanosPerMilli / 2) / kNanosPerMilli;
      return;
    }
    const Mapping::Rule& started = mapping_.rule(Field::started_at);
    const Token* value = first(started.source);
    if (value == nullptr)
      return;
    const auto begin = time_of(*value, started);
    if (!begin)
      return reject(Field::started_at);
    if (*begin <= out_.record.at)
      out_.record.latency_ms = (out_.record.at - *begin + kNanosPerMilli / 2) / kNanosPerMilli;
  }

  void read_cost() {
    const std::int64_t units = mapping_.rule(Field::cost_usd).scale;
    const auto cost = read_number(Field::cost_usd, model::parse_usd);
    if (cost)
      out_.record.cost = *cost / units + (*cost % units * 2 >= units ? 1 : 0);
  }

  std::optional<std::int64_t> status_of(std::string_view word) const {
    const auto match = [&](bool suffix) -> std::optional<std::int64_t> {
      for (const Mapping::Word& known : mapping_.status_words) {
        if (known.is_suffix == suffix && is_word(word, known))
          return known.status;
      }
      return std::nullopt;
    };
    if (const auto whole = match(false))
      return whole;
    if (is_all_digits(word)) {
      const auto number = scaled(word, 1, true);
      return number && *number <= 999 ? number : std::nullopt;
    }
    return match(true);
  }

  void read_status() {
    bool is_there = false;
    for (const Alternative& alternative : mapping_.rule(Field::status).source) {
      const Token& value = token(alternative);
      if (value.kind == Token::Kind::absent)
        continue;
      is_there = true;
      if (value.kind == Token::Kind::nested)
        continue;
      if (const auto status = status_of(value.text)) {
        out_.record.status = *status;
        return;
      }
    }
    if (is_there)
      reject(Field::status);
  }

  const Mapping& mapping_;
  std::span<const Token> tokens_;
  const Accumulator& into_;
  MappedRecord out_;
};

}  // namespace

MappedRecord make_record(const Mapping& mapping, std::span<const Token> tokens,
                         const Accumulator& into) {
  return Reader(mapping, tokens, into).read();
}

std::string_view known_form(std::string_view key, KeyBuffer& buffer) {
  constexpr std::string_view kPrefix = "sha256:";
  constexpr std::size_t kDigits = 64;
  const std::string_view digits = key.starts_with(kPrefix) ? key.substr(kPrefix.size()) : key;
  if (digits.size() != kDigits || digits.find_first_not_of("0123456789abcdef") != digits.npos)
    return key;
  kPrefix.copy(buffer.data(), kPrefix.size());
  digits.copy(buffer.data() + kPrefix.size(), buffer.size() - kPrefix.size());
  return {buffer.data(), buffer.size()};
}

}  // namespace keyherd::usage
