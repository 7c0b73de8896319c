#include "cli/key_table.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/json.hpp"
#include "base/text.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

using Row = std::vector<std::string>;

// Rows one after the other; a quoted cell may hold commas and doubled quotes, but no line break.
class Rows {
 public:
  explicit Rows(std::string_view text) : left_(text) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (left_.starts_with(kByteOrderMark))
      left_.remove_prefix(kByteOrderMark.size());
  }

  [[nodiscard]] bool at_end() const { return left_.empty(); }
  [[nodiscard]] std::size_t number() const { return number_; }  // of the row that was read last

  Result<Row> read() {
    ++number_;
    const std::size_t end = std::min(left_.find('\n'), left_.size());
    std::string_view line = left_.substr(0, end);
    left_.remove_prefix(std::min(end + 1, left_.size()));
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    Row row;
    while (true) {
      KH_ASSIGN(std::string cell, take_cell(line));
      row.push_back(std::move(cell));
      if (line.empty())
        return row;
      line.remove_prefix(1);  // the comma
    }
  }

 private:
  // Up to the comma, or all.
  Result<std::string> take_cell(std::string_view& line) const {
    if (!line.starts_with('"')) {
      const std::size_t end = std::min(line.find(','), line.size());
      std::string cell(trim(line.substr(0, end)));
      line.remove_prefix(end);
      return cell;
    }
    std::string cell;
    for (std::size_t at = 1; at < line.size(); ++at) {
      if (line[at] != '"') {
        cell += line[at];
      } else if (at + 1 < line.size() && line[at + 1] == '"') {
        cell += line[at++];
      } else {
        line.remove_prefix(at + 1);
        if (line.empty() || line.front() == ',')
          return cell;
        break;
      }
    }
    return fail(ErrorCode::invalid, "row " + std::to_string(number_) +
                                        ": a quoted cell does not end where the next begins");
  }

  std::string_view left_;
  std::size_t number_ = 0;
};

json value_of(const std::string& column, const std::string& cell) {
  if (column == "quotas") {
    json list = json::array();
    for (const std::string_view one : split(cell, ';')) {
      if (!trim(one).empty())
        list.push_back(std::string(trim(one)));
    }
    return list;
  }
  if (column == "priority") {
    const auto number = parse_int(cell);
    return number ? json(*number) : json(cell);  // whoever reads it says what is wrong
  }
  if (column == "managed" && (cell == "true" || cell == "false"))
    return cell == "true";
  return cell;
}

json key_of(const Row& columns, const Row& row) {
  constexpr std::string_view kLabel = "label.";
  json key = json::object();
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i].empty())
      continue;
    if (columns[i].starts_with(kLabel))
      key["labels"][columns[i].substr(kLabel.size())] = row[i];
    else
      key[columns[i]] = value_of(columns[i], row[i]);
  }
  return key;
}

Status check_columns(const Row& columns) {
  const auto count = [&](std::string_view name) {
    return std::count(columns.begin(), columns.end(), name);
  };
  if (count("id") == 0)
    return fail(ErrorCode::invalid, "row 1: names the columns, and one must be \"id\"");
  if (count("labels") != 0)
    return fail(ErrorCode::invalid,
                "row 1: \"labels\" is no column: each label has its own, like \"label.team\"");
  for (const std::string& column : columns) {
    if (!column.empty() && count(column) > 1)  // a spreadsheet leaves empty ones at the end
      return fail(ErrorCode::invalid,
                  "row 1: there are two columns \"" + printable(column, 64) + "\"");
  }
  return {};
}

}  // namespace

Result<std::string> keys_from_csv(std::string_view text) {
  Rows rows(text);
  KH_ASSIGN(const Row columns, rows.read());
  KH_TRY(check_columns(columns));
  std::string document = "{\"keys\": [";
  bool is_first = true;
  while (!rows.at_end()) {
    KH_ASSIGN(const Row row, rows.read());
    document += "\n";  // a blank row is a blank line: the numbers stay
    if (row.size() == 1 && row.front().empty())
      continue;
    if (row.size() > columns.size())
      return fail(ErrorCode::invalid, "row " + std::to_string(rows.number()) + ": has " +
                                          std::to_string(row.size()) + " cells, but there are " +
                                          std::to_string(columns.size()) + " columns");
    document += (is_first ? "" : ",") + dump_json(key_of(columns, row));
    is_first = false;
  }
  return document + "\n]}\n";
}

}  // namespace keyherd::cli
