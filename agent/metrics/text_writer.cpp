#include "metrics/text_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "metrics/catalogue.hpp"

namespace keyherd::metrics {

namespace {

// Longer values are cut: a label is a name, not a message.
constexpr std::size_t kMaxLabelBytes = 256;

// A piece of a scrape and the row that makes it whole.
constexpr std::size_t kBlockBytes = 272 * 1024;
// Of any number that put() writes.
constexpr std::size_t kMaxNumberBytes = 40;

bool is_plain(std::string_view value) {
  return value.size() <= kMaxLabelBytes && std::all_of(value.begin(), value.end(), [](char c) {
           return c >= ' ' && c <= '~' && c != '"' && c != '\\';
         });
}

char* put(char* at, std::string_view text) {
  return std::copy(text.begin(), text.end(), at);
}

char* put(char* at, std::int64_t value) {
  return std::to_chars(at, at + kMaxNumberBytes, value).ptr;
}

char* put(char* at, double value) {
  if (!std::isfinite(value))
    return put(at, std::string_view(std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"));
  return std::to_chars(at, at + kMaxNumberBytes, value).ptr;
}

char* put(char* at, Decimal value) {
  // The magnitude of the smallest int64 fits only the unsigned type.
  auto magnitude = static_cast<std::uint64_t>(value.units);
  if (value.units < 0) {
    *at++ = '-';
    magnitude = ~magnitude + 1;
  }
  int decimals = value.decimals;
  for (; decimals > 0 && magnitude % 10 == 0; --decimals)
    magnitude /= 10;
  std::array<char, 24> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + 24, magnitude).ptr;
  const auto length = static_cast<int>(end - digits.data());
  const char* const point = digits.data() + std::max(length - decimals, 0);
  at = std::copy(static_cast<const char*>(digits.data()), point, at);
  if (decimals == 0)
    return at;
  if (point == digits.data())
    *at++ = '0';
  *at++ = '.';
  at = std::fill_n(at, std::max(decimals - length, 0), '0');
  return std::copy(point, end, at);
}

}  // namespace

Decimal money(std::int64_t nanos) {
  return {nanos, 9};
}

Decimal seconds(std::chrono::nanoseconds duration) {
  return {duration.count(), 9};
}

Decimal timestamp(WallTime time) {
  return {std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count(), 3};
}

Decimal timestamp(const std::optional<WallTime>& time) {
  return time ? timestamp(*time) : Decimal{0, 0};
}

std::string escape_label(std::string_view value) {
  if (is_plain(value))
    return std::string(value);
  std::string out;
  for (const char c : printable(value, kMaxLabelBytes)) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out;
}

std::string label(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  out += escape_label(value);
  out += '"';
  return out;
}

TextWriter::TextWriter() : block_(kBlockBytes, '\0') {}

void TextWriter::family(std::string_view name) {
  const MetricInfo& info = metric(name);
  family_ = info.name;
  std::string header = "# HELP ";
  header.append(name).append(" ").append(info.help).append("\n# TYPE ");
  header.append(name).append(" ").append(to_string(info.type)).append("\n");
  append(header, 0);
}

void TextWriter::sample(std::string_view labels, std::string_view more, std::int64_t value) {
  line({}, labels, more, value);
}

void TextWriter::sample(std::string_view labels, std::string_view more, double value) {
  line({}, labels, more, value);
}

void TextWriter::sample(std::string_view labels, std::string_view more, Decimal value) {
  line({}, labels, more, value);
}

void TextWriter::histogram(std::string_view labels, const model::HistogramView& view) {
  if (view.buckets.empty())
    return;
  for (std::size_t i = 0; i < view.buckets.size(); ++i) {
    std::array<char, kMaxNumberBytes> bound;
    const double le = i < view.bounds.size() ? view.bounds[i] : INFINITY;
    const char* const end = put(bound.data(), le);
    line("_bucket", labels,
         label("le", {bound.data(), static_cast<std::size_t>(end - bound.data())}),
         static_cast<std::int64_t>(view.buckets[i]));
  }
  line("_sum", labels, {}, view.sum);
  line("_count", labels, {}, static_cast<std::int64_t>(view.buckets.back()));
}

void TextWriter::append(std::string_view text, std::size_t series) {
  put(room(text.size()), text);
  used_ += text.size();
  series_ += series;
}

void TextWriter::take(std::string& piece) {
  piece.append(block_, 0, used_);
  used_ = 0;
}

template <class Value>
void TextWriter::line(std::string_view suffix, std::string_view labels, std::string_view more,
                      Value value) {
  constexpr std::size_t kPunctuation = 5;  // braces, comma, blank, end of line
  char* const start = room(family_.size() + suffix.size() + labels.size() + more.size() +
                           kPunctuation + kMaxNumberBytes);
  char* at = put(put(start, family_), suffix);
  if (!labels.empty() || !more.empty()) {
    *at++ = '{';
    at = put(at, labels);
    if (!labels.empty() && !more.empty())
      *at++ = ',';
    at = put(at, more);
    *at++ = '}';
  }
  *at++ = ' ';
  at = put(at, value);
  *at++ = '\n';
  used_ += static_cast<std::size_t>(at - start);
  ++series_;
}

char* TextWriter::room(std::size_t bytes) {
  if (block_.size() - used_ < bytes)
    block_.resize(std::max(2 * block_.size(), used_ + bytes));
  return block_.data() + used_;
}

}  // namespace keyherd::metrics
