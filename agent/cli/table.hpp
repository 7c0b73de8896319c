#pragma once

// A table for people: aligned columns, a dim header, colour only where the context has it.

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/context.hpp"

namespace keyherd::cli {

enum class Colour { none, green, yellow, red, dim, bold };

struct Cell {
  std::string text;
  Colour colour = Colour::none;
  bool right = false;
  Cell(std::string t) : text(std::move(t)) {}  // NOLINT: most cells are plain text
  Cell(const char* t) : text(t) {}             // NOLINT
  Cell(std::string t, Colour c) : text(std::move(t)), colour(c) {}
  static Cell number(std::string t) {
    Cell cell(std::move(t));
    cell.right = true;
    return cell;
  }
};

class Table {
 public:
  explicit Table(std::vector<std::string> heads) : heads_(std::move(heads)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  void print(Context& context) const;

 private:
  std::vector<std::string> heads_;
  std::vector<std::vector<Cell>> rows_;
};

// The colour of a key's state or a verdict by its name.
Colour colour_of_state(std::string_view name);
Colour colour_of_verdict(std::string_view name);
// A JSON value as a cell shows it: text without quotes, "-" for null.
std::string text_of(const nlohmann::json& value);
// 1234567 → "1,234,567"
std::string grouped(std::int64_t value);

}  // namespace keyherd::cli
