#pragma once

// Families that have one series a key, and the label lists that every key shares.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/herd.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

inline constexpr std::string_view kUsd = "currency=\"USD\"";
inline constexpr std::string_view kInput = "direction=\"input\"";
inline constexpr std::string_view kOutput = "direction=\"output\"";

// One gauge or counter a key, with the labels key and provider only.
template <class Value>
void write_each(TextWriter& out, std::string_view family, const Herd& herd, Value value) {
  out.family(family);
  for (const KeyRow& row : herd.keys)
    out.sample(row.labels, {}, value(*row.view));
}

// The same for a fact that not every key has.
template <class Value>
void write_known(TextWriter& out, std::string_view family, const Herd& herd, Value value) {
  out.family(family);
  for (const KeyRow& row : herd.keys)
    if (const std::optional<WallTime>& time = value(*row.view))
      out.sample(row.labels, {}, timestamp(*time));
}

template <class Enum, class Names>
std::vector<std::string> labels_of_enum(std::string_view name, std::size_t count, Names names) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < count; ++i)
    labels.push_back(label(name, names(static_cast<Enum>(i))));
  return labels;
}

}  // namespace keyherd::metrics
