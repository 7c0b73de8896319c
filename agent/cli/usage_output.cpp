#include "cli/usage_output.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/table.hpp"

namespace keyherd::cli {

using api::UsageField;
using api::UsageLine;
using api::UsageTerm;
using nlohmann::json;

namespace {

struct Column {
  const char* head;
  std::int64_t model::UsageCounts::*count;
};
constexpr Column kColumns[] = {{"REQUESTS", &model::UsageCounts::requests},
                               {"FAILED", &model::UsageCounts::failed},
                               {"INPUT", &model::UsageCounts::input},
                               {"CACHED", &model::UsageCounts::cached_input},
                               {"OUTPUT", &model::UsageCounts::output}};

std::size_t fraction_digits(const std::string& money) {
  const auto point = money.find('.');
  return point == std::string::npos ? 0 : money.size() - point - 1;
}

// All with as many digits behind the point as the longest has: exact, and in line.
std::string aligned(model::NanoUsd cost, std::size_t digits) {
  std::string text = model::format_usd(cost);
  const std::size_t own = fraction_digits(text);
  if (own < digits)
    text += (own == 0 ? "." : "") + std::string(digits - own, '0');
  return text;
}

std::vector<Cell> cells_of(const UsageLine& line, std::size_t digits) {
  std::vector<Cell> row;
  for (const std::string& value : line.values)
    row.emplace_back(value.empty() ? "-" : value);
  for (const Column& column : kColumns)
    row.push_back(Cell::number(grouped(line.counts.*column.count)));
  row.push_back(Cell::number(aligned(line.counts.cost, digits)));
  return row;
}

void print_table(Context& context, const std::vector<UsageLine>& lines,
                 const std::vector<UsageTerm>& by) {
  std::vector<std::string> heads;
  for (const UsageTerm& term : by) {
    heads.push_back(term.text);
    std::transform(heads.back().begin(), heads.back().end(), heads.back().begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
  }
  for (const Column& column : kColumns)
    heads.emplace_back(column.head);
  heads.emplace_back("COST USD");
  UsageLine total{{}, api::total_of(lines)};
  total.values.resize(by.size());
  total.values.front() = "total";
  std::size_t digits = fraction_digits(model::format_usd(total.counts.cost));
  for (const UsageLine& line : lines)
    digits = std::max(digits, fraction_digits(model::format_usd(line.counts.cost)));
  Table table(heads);
  for (const UsageLine& line : lines)
    table.add(cells_of(line, digits));
  if (lines.size() > 1) {
    auto row = cells_of(total, digits);
    for (std::size_t i = 1; i < by.size(); ++i)
      row[i].text.clear();
    for (Cell& cell : row)
      cell.colour = Colour::bold;
    table.add(std::move(row));
  }
  table.print(context);
  if (total.counts.unpriced > 0)
    context.out << grouped(total.counts.unpriced)
                << " requests have no price: their cost is not in these sums\n";
}

// The shape that api::usage_json writes, an object a line.
class UsageSax final : public nlohmann::json_sax<json> {
 public:
  explicit UsageSax(const std::vector<UsageTerm>& by) : by_(by) {}

  std::vector<UsageLine> lines;

  bool null() override { return false; }
  bool boolean(bool) override { return false; }
  bool number_integer(number_integer_t value) override { return number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return value <= static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max()) &&
           number(static_cast<std::int64_t>(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    const auto member = money();
    return member == nullptr || set_money(member, text);
  }
  bool string(string_t& text) override {
    for (std::size_t i = 0; i < by_.size(); ++i) {
      if (by_[i].text == name_ && !lines.empty())
        lines.back().values[i] = text;
    }
    return true;
  }
  bool binary(binary_t&) override { return false; }
  bool start_array(std::size_t) override { return ++depth_ == 1; }
  bool end_array() override { return true; }
  bool start_object(std::size_t) override {
    lines.emplace_back();
    lines.back().values.resize(by_.size());
    return ++depth_ == 2;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    name_ = name;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }

 private:
  using Member = std::int64_t model::UsageCounts::*;

  // Where the money goes that the name at hand tells; null: it tells none.
  [[nodiscard]] Member money() const {
    for (const UsageField& field : api::usage_money_fields()) {
      if (field.name == name_)
        return field.count;
    }
    return nullptr;
  }
  bool set_money(Member member, const std::string& text) {
    const auto nanos = model::parse_usd(text);
    if (nanos && !lines.empty())
      lines.back().counts.*member = *nanos;
    return nanos.has_value();
  }
  bool number(std::int64_t value) {
    if (lines.empty())
      return false;
    if (const auto member = money())
      return set_money(member, std::to_string(value));
    for (const UsageField& field : api::usage_fields()) {
      if (field.name == name_)
        lines.back().counts.*field.count = value;
    }
    return true;
  }

  const std::vector<UsageTerm>& by_;
  std::string name_;
  int depth_ = 0;
};

}  // namespace

void print_usage(Context& context, const std::vector<UsageLine>& lines,
                 const std::vector<UsageTerm>& by, UsageStyle style) {
  switch (style) {
    case UsageStyle::as_json:
      context.out << api::usage_json(lines, by) << "\n";
      return;
    case UsageStyle::as_csv:
      context.out << api::usage_csv(lines, by);
      return;
    case UsageStyle::as_table:
      if (lines.empty())
        context.out << "No usage.\n";
      else
        print_table(context, lines, by);
      return;
  }
}

Result<std::vector<UsageLine>> parse_usage_answer(std::string_view body,
                                                  const std::vector<UsageTerm>& by) {
  UsageSax sax(by);
  if (!json::sax_parse(body.begin(), body.end(), &sax))
    return fail(ErrorCode::corrupt,
                "the agent's answer about usage is not what this version expects; "
                "is the agent of the same version?");
  return std::move(sax.lines);
}

}  // namespace keyherd::cli
