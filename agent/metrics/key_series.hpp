#pragma once

// Pieces that the tables of families share: fixed label lists, and rows of one value.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/families.hpp"
#include "metrics/herd.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

inline constexpr std::string_view kUsd = "currency=\"USD\"";
inline constexpr std::string_view kInput = "direction=\"input\"";
inline constexpr std::string_view kOutput = "direction=\"output\"";

// A fact that not every key has.
inline void known(TextWriter& out, const KeyRow& row, const std::optional<WallTime>& time) {
  if (time)
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
