#pragma once

// Writes Prometheus text 0.0.4: family headers from the catalogue, label values escaped, numbers by
// std::to_chars. Knows nothing of keys or pools. One thread at a time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "model/snapshot.hpp"

namespace keyherd::metrics {

// units × 10^-decimals, written exactly: money in nanos, times in milliseconds.
struct Decimal {
  std::int64_t units = 0;
  int decimals = 0;
};
Decimal money(std::int64_t nanos);
Decimal seconds(std::chrono::nanoseconds duration);
Decimal timestamp(WallTime time);                        // to the millisecond
Decimal timestamp(const std::optional<WallTime>& time);  // 0 for none

// A label value as the text format wants it: valid UTF-8, control characters as spaces, \ and "
// escaped, cut at 256 bytes.
std::string escape_label(std::string_view value);

// `name="value"`, to be joined with commas.
std::string label(std::string_view name, std::string_view value);

class TextWriter {
 public:
  TextWriter();

  // HELP and TYPE; the samples that follow are this family's. Throws std::logic_error for a name
  // that is not in the catalogue.
  void family(std::string_view name);

  // One series. `labels` and `more` are finished label lists, either may be empty.
  void sample(std::string_view labels, std::string_view more, std::int64_t value);
  void sample(std::string_view labels, std::string_view more, double value);
  void sample(std::string_view labels, std::string_view more, Decimal value);
  // Nothing for a histogram without buckets: it has no observer yet.
  void histogram(std::string_view labels, const model::HistogramView& view);

  // Text of whole families from elsewhere, with the number of series in it.
  void append(std::string_view text, std::size_t series);

  [[nodiscard]] std::size_t series() const { return series_; }
  // Written and not taken yet.
  [[nodiscard]] std::size_t size() const { return used_; }
  // Moves what was written since the last time to the end of `piece`; it ends at the end of a line.
  void take(std::string& piece);

 private:
  template <class Value>
  void line(std::string_view suffix, std::string_view labels, std::string_view more, Value value);
  // Room for so many bytes at the end of what is written.
  char* room(std::size_t bytes);

  std::string block_;  // written up to used_
  std::size_t used_ = 0;
  std::string_view family_;
  std::size_t series_ = 0;
};

}  // namespace keyherd::metrics
