#include "usage/record_parser.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "usage/mapped_reader.hpp"
#include "usage/timestamp.hpp"

namespace keyherd::usage {

namespace {

namespace ondemand = simdjson::ondemand;
using model::RejectReason;

// Small enough for its structural index to stay in the second-level cache.
constexpr std::size_t kBlock = 256U << 10U;

std::string_view trim_end(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\t' || token.back() == '\r' ||
                            token.back() == '\n'))
    token.remove_suffix(1);
  return token;
}

bool parse_count(std::string_view digits, std::int64_t& value) {
  if (digits.empty() || digits.size() > 19 || (digits.size() > 1 && digits[0] == '0'))
    return false;
  std::uint64_t sum = 0;  // 19 digits fit
  for (const char c : digits) {
    const auto digit = static_cast<unsigned>(c - '0');
    if (digit > 9)
      return false;
    sum = sum * 10 + digit;
  }
  if (sum > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return false;
  value = static_cast<std::int64_t>(sum);
  return true;
}

// Latency alone may be fractional: gateways measure it that way, and no bill depends on it.
bool parse_milliseconds(std::string_view number, std::int64_t& value) {
  if (parse_count(number, value))
    return true;
  double parsed = 0;
  const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), parsed);
  if (problem != std::errc() || end != number.data() + number.size() || !(parsed >= 0) ||
      parsed > 1e15)
    return false;
  value = std::llround(parsed);
  return true;
}

bool parse_cost(std::string_view decimal, model::NanoUsd& value) {
  const auto nanos = model::parse_usd(decimal);
  value = nanos.value_or(0);
  return nanos.has_value();
}

// The end of the last line within kBlock, or of the first line if that is longer.
const char* end_of_block(const char* begin, const char* end) {
  const auto size = static_cast<std::size_t>(end - begin);
  if (size <= kBlock)
    return end;
  const void* newline = ::memrchr(begin, '\n', kBlock);
  if (newline == nullptr)
    newline = std::memchr(begin + kBlock, '\n', size - kBlock);
  return static_cast<const char*>(newline) + 1;
}

// What became of one document.
struct Outcome {
  enum class Kind { good, rejected, broken } kind = Kind::good;
  RejectReason reason = RejectReason::bad_json;
  std::optional<Field> field;
};
constexpr Outcome kBroken{Outcome::Kind::broken, RejectReason::bad_json, std::nullopt};

// A line under construction.
struct Draft {
  Record record;
  bool has_ts = false;
  std::optional<Field> bad;  // the first field with a value that cannot be
};

// Reads one value. The token is a string's text without its quotes, or a number as written.
bool assign(Field field, std::string_view token, bool is_string, Draft& draft) {
  Record& record = draft.record;
  switch (field) {
    case Field::ts: {
      const auto at = is_string ? parse_timestamp(token) : std::nullopt;
      record.at = at.value_or(0);
      draft.has_ts = true;
      return at.has_value();
    }
    case Field::key:
      record.key = token;
      return is_string && !token.empty();
    case Field::model:
      if (!token.empty())
        record.model = token;
      return is_string;
    case Field::request_id:
      record.request_id = token;
      return is_string || (token.front() >= '0' && token.front() <= '9');
    case Field::cost_usd:
      return parse_cost(token, record.cost);
    case Field::input_tokens:
      return !is_string && parse_count(token, record.input);
    case Field::output_tokens:
      return !is_string && parse_count(token, record.output);
    case Field::cached_input_tokens:
      return !is_string && parse_count(token, record.cached_input);
    case Field::cache_write_tokens:
      return !is_string && parse_count(token, record.cache_write);
    case Field::reasoning_tokens:
      return !is_string && parse_count(token, record.reasoning);
    case Field::status:
      return !is_string && parse_count(token, record.status) && record.status <= 999;
    case Field::latency_ms:
      return !is_string && parse_milliseconds(token, record.latency_ms);
    case Field::started_at:  // not in the native format
      break;
  }
  return false;
}

// false: the value cannot be. `escapes`: there may be some in it.
bool read_value(Field field, ondemand::value& value, bool escapes, Draft& draft) {
  const std::string_view token = trim_end(value.raw_json_token());
  if (token == "null")
    return true;
  if (token.front() != '"')
    return assign(field, token, false, draft);
  if (!escapes || std::memchr(token.data(), '\\', token.size()) == nullptr)
    return assign(field, token.substr(1, token.size() - 2), true, draft);
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS)
    return false;
  return assign(field, text, true, draft);
}

// The members of a log's lines come in the same order nearly always: what stood at this position in
// an earlier line is tried first.
class Expectation {
 public:
  const Format::Entry* lookup(std::size_t position, ondemand::raw_json_string name) {
    if (position < known_ && names_[position].is(name.raw()))
      return names_[position].entry;
    return learn(position, name);
  }

 private:
  // A name and its closing quote as words, compared without a call. What is read behind the name is
  // still within the padding of the block.
  struct Name {
    static constexpr std::size_t kWords = 5;
    std::array<std::uint64_t, kWords> words{};
    std::uint64_t last_mask = 0;  // of the last word
    std::size_t last = 0;
    const Format::Entry* entry = nullptr;

    static std::uint64_t load(const char* at) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      return word;
    }
    [[nodiscard]] bool is(const char* raw) const {
      for (std::size_t i = 0; i < last; ++i) {
        if (load(raw + i * sizeof(std::uint64_t)) != words[i])
          return false;
      }
      return (load(raw + last * sizeof(std::uint64_t)) & last_mask) == words[last];
    }
    void set(std::string_view text) {
      std::array<char, kWords * sizeof(std::uint64_t)> bytes{};
      text.copy(bytes.data(), bytes.size());
      bytes[text.size()] = '"';
      std::memcpy(words.data(), bytes.data(), bytes.size());
      last = text.size() / sizeof(std::uint64_t);
      const std::size_t used = text.size() % sizeof(std::uint64_t) + 1;
      std::array<char, sizeof(std::uint64_t)> mask{};
      std::memset(mask.data(), 0xFF, used);
      last_mask = load(mask.data());
    }
  };
  static constexpr std::size_t kMaxName = Name::kWords * sizeof(std::uint64_t) - 1;

  const Format::Entry* learn(std::size_t position, ondemand::raw_json_string name) {
    const std::string_view text = name_of(name);
    const Format::Entry* entry = Format::find(text);
    if (position > known_ || position >= names_.size() || text.size() > kMaxName)
      return entry;
    names_[position].set(text);
    names_[position].entry = entry;
    known_ = std::max(known_, position + 1);
    return entry;
  }

 public:
  // As written, up to its closing quote.
  static std::string_view name_of(ondemand::raw_json_string name) {
    const char* begin = name.raw();
    const char* end = begin;
    while (*end != '"')
      end += *end == '\\' ? 2 : 1;
    return {begin, static_cast<std::size_t>(end - begin)};
  }

 private:
  std::size_t known_ = 0;
  std::array<Name, 32> names_{};
};

void note_bad(Field field, Draft& draft) {
  if (!draft.bad)
    draft.bad = field;
}

void take_entry(const Format::Entry* entry, ondemand::value& value, bool escapes, Draft& draft) {
  if (entry != nullptr && !read_value(entry->field, value, escapes, draft))
    note_bad(entry->field, draft);
}

Outcome judge(const Draft& draft) {
  if (draft.bad)
    return {Outcome::Kind::rejected, RejectReason::bad_value, draft.bad};
  if (!draft.has_ts)
    return {Outcome::Kind::rejected, RejectReason::missing_field, Field::ts};
  if (draft.record.key.empty())
    return {Outcome::Kind::rejected, RejectReason::missing_field, Field::key};
  return {};
}

}  // namespace

struct RecordParser::State {
  ondemand::parser batch;
  ondemand::parser single;
  Expectation expectation;
  MappedReader mapped;

  // Of one call of parse().
  const Mapping* mapping = nullptr;  // none: the native format
  Accumulator* into = nullptr;
  std::size_t max_line = 0;
  const char* origin = nullptr;  // the byte at `offset`
  std::uint64_t offset = 0;
  bool escapes = true;  // there is a backslash in the block: looked for once, not once a value

  [[nodiscard]] std::uint64_t place(const char* at) const {
    return offset + static_cast<std::uint64_t>(at - origin);
  }

  template <class Document>
  Outcome read(Document& document, Draft& draft) {
    if (mapping != nullptr)
      return mapped.read(document, *mapping, *into) ? Outcome{} : kBroken;
    ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS)
      return kBroken;
    draft.record.model = "unknown";
    std::size_t position = 0;
    for (auto item : object) {
      if (item.error() != simdjson::SUCCESS)
        return kBroken;
      ondemand::field& member = item.value_unsafe();
      const Format::Entry* entry = expectation.lookup(position++, member.key());
      take_entry(entry, member.value(), escapes, draft);
    }
    return judge(draft);
  }

  void settle(const Outcome& outcome, const Draft& draft, const char* line) {
    if (outcome.kind != Outcome::Kind::good)
      into->reject(outcome.reason, outcome.field, place(line));
    else if (mapping != nullptr)
      mapped.settle(*into, place(line));
    else
      into->add(draft.record, place(line));
  }

  // Whether the document that began on the line with this newline also ended on it, alone.
  // `next`: where the next token of the block begins.
  static bool is_one_line(const char* line_end, const char* next) {
    if (next <= line_end)
      return false;
    const char* last = next - 1;
    while (last > line_end && (*last == '\n' || *last == '\r' || *last == ' ' || *last == '\t'))
      --last;
    return last == line_end;
  }

  // Reads lines from `begin` as one stream; returns where the first line begins that did not come
  // out clean, or `end`.
  const char* stream(const char* begin, const char* end) {
    ondemand::document_stream documents;
    const auto size = static_cast<std::size_t>(end - begin);
    // A batch of another size than before would allocate anew.
    const std::size_t batch_size = std::max({size, kBlock, batch.capacity()});
    if (batch.iterate_many(begin, size, batch_size).get(documents) != simdjson::SUCCESS)
      return begin;
    const char* line = begin;  // everything before it is dealt with
    for (auto at = documents.begin(); at != documents.end(); ++at) {
      auto document = *at;
      if (document.error() != simdjson::SUCCESS)
        return line;
      const char* start = begin + at.current_index();
      const auto* line_end =
          static_cast<const char*>(std::memchr(start, '\n', static_cast<std::size_t>(end - start)));
      if (line_end == nullptr || static_cast<std::size_t>(line_end - line) > max_line)
        return line;
      Draft draft;
      const Outcome outcome = read(document, draft);
      const char* next = end;
      if (document.current_location().get(next) != simdjson::SUCCESS)
        next = end;  // it was the last
      if (outcome.kind == Outcome::Kind::broken || !is_one_line(line_end, next))
        return line;
      settle(outcome, draft, start);
      line = line_end + 1;
    }
    return line;
  }

  void one_line(std::string_view line) {
    while (!line.empty() && line.front() == '\0')
      line.remove_prefix(1);
    if (line.starts_with("\xEF\xBB\xBF"))
      line.remove_prefix(3);
    line = trim_end(line);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos)
      return;
    ondemand::document document;
    Draft draft;
    Outcome outcome = kBroken;
    const auto problem =
        single.iterate(line.data(), line.size(), line.size() + kPadding).get(document);
    if (problem == simdjson::SUCCESS)
      outcome = read(document, draft);
    if (outcome.kind != Outcome::Kind::broken &&
        document.current_location().error() != simdjson::OUT_OF_BOUNDS)
      outcome = kBroken;
    settle(outcome, draft, line.data());
  }

  const char* line_by_line(const char* begin, const char* end) {
    while (begin < end) {
      const auto* line_end =
          static_cast<const char*>(std::memchr(begin, '\n', static_cast<std::size_t>(end - begin)));
      const auto length = static_cast<std::size_t>(line_end - begin);
      if (length > max_line)
        into->reject(RejectReason::too_long, std::nullopt, place(begin));
      else
        one_line({begin, length});
      begin = line_end + 1;
    }
    return end;
  }
};

RecordParser::RecordParser() : state_(std::make_unique<State>()) {
  static_assert(kPadding >= simdjson::SIMDJSON_PADDING);
#ifdef SIMDJSON_THREADS_ENABLED
  state_->batch.threaded = false;
#endif
}
RecordParser::~RecordParser() = default;

void RecordParser::parse(std::string_view block, std::uint64_t offset, const Format& format,
                         std::size_t max_line, Accumulator& into) {
  State& state = *state_;
  state.mapping = format.mapping();
  state.into = &into;
  state.max_line = max_line;
  state.origin = block.data();
  state.offset = offset;
  const char* at = block.data();
  const char* const end = at + block.size();
  while (at < end) {
    const char* stop = end_of_block(at, end);
    state.escapes = std::memchr(at, '\\', static_cast<std::size_t>(stop - at)) != nullptr;
    at = state.stream(at, stop);
    if (at < stop)
      at = state.line_by_line(at, stop);
  }
}

}  // namespace keyherd::usage
