#include "cli/table.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "model/verdict.hpp"

namespace keyherd::cli {

namespace {

std::string_view escape_of(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::green:
      return "\033[32m";
    case Colour::yellow:
      return "\033[33m";
    case Colour::red:
      return "\033[31m";
    case Colour::dim:
      return "\033[2m";
    case Colour::bold:
      return "\033[1m";
  }
  return "";
}

// Columns on the screen: code points, which is right for what these tables show.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

std::string line_of(const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                    bool colour) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Cell& cell = row[i];
    const std::string padding(widths[i] - std::min(widths[i], width_of(cell.text)), ' ');
    const std::string_view start = colour ? escape_of(cell.colour) : "";
    if (i > 0)
      line += "  ";
    line += cell.right ? padding : "";
    line += start;
    line += cell.text;
    line += start.empty() ? "" : "\033[0m";
    line += !cell.right && i + 1 < row.size() ? padding : "";
  }
  return line;
}

// The text cut to so many columns, with "…" where it was.
std::string cut(const std::string& text, std::size_t columns) {
  if (width_of(text) <= columns)
    return text;
  std::string kept;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
    if (begins && width_of(kept) + 1 >= columns)
      break;
    kept += c;
  }
  return kept + "…";
}

constexpr std::size_t kLeastColumn = 12;

}  // namespace

void Table::print(Context& context) const {
  std::vector<std::size_t> widths;
  std::vector<Cell> head;
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    std::size_t width = width_of(heads_[i]);
    bool right = false;
    for (const auto& row : rows_) {
      width = std::max(width, width_of(row.at(i).text));
      right = right || row[i].right;
    }
    widths.push_back(width);
    head.emplace_back(heads_[i], Colour::dim);
    head.back().right = right;
  }
  // On a terminal the last column, which tells a story, is cut rather than the line wrapped.
  std::size_t before_last = 0;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i)
    before_last += widths[i] + 2;
  const bool cuts = context.columns > 0 && !widths.empty() && !head.back().right &&
                    before_last + kLeastColumn <= context.columns;
  context.out << line_of(head, widths, context.colour) << "\n";
  for (auto row : rows_) {
    if (cuts)
      row.back().text = cut(row.back().text, context.columns - before_last);
    context.out << line_of(row, widths, context.colour) << "\n";
  }
}

Colour colour_of_state(std::string_view name) {
  const auto state = model::key_state_from_string(name);
  if (!state)
    return Colour::none;
  switch (*state) {
    case model::KeyState::healthy:
      return Colour::green;
    case model::KeyState::throttled:
    case model::KeyState::degraded:
      return Colour::yellow;
    case model::KeyState::exhausted:
    case model::KeyState::dead:
      return Colour::red;
    case model::KeyState::unknown:
    case model::KeyState::paused:
      return Colour::dim;
  }
  return Colour::none;
}

Colour colour_of_verdict(std::string_view name) {
  const auto verdict = model::verdict_from_string(name);
  if (!verdict)
    return Colour::none;
  switch (model::info(*verdict).kind) {
    case model::VerdictClass::good:
      return Colour::green;
    case model::VerdictClass::auth:
    case model::VerdictClass::quota:
      return Colour::red;
    case model::VerdictClass::rate:
    case model::VerdictClass::provider:
    case model::VerdictClass::request:
      return Colour::yellow;
  }
  return Colour::none;
}

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "-" : value.dump();
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace keyherd::cli
