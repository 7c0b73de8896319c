#include "config/json_text.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

namespace keyherd::config {

namespace {

constexpr std::size_t kMaxDepth = 32;

// Where the parser has read to. The parser copies its iterators, so the position is kept outside.
struct Cursor {
  Position next{1, 1};
  Position last;  // of the character read last

  void pass(char c) {
    last = next;
    if (c == '\n') {
      ++next.line;
      next.column = 1;
    } else {
      ++next.column;
    }
  }
};

class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, Cursor& cursor) : at_(at), cursor_(&cursor) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    cursor_->pass(*at_++);
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) {
    return a.at_ == b.at_;
  }

 private:
  const char* at_;
  Cursor* cursor_;
};

class NodeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit NodeBuilder(const Cursor& cursor) : cursor_(cursor) {}

  bool null() override { return put({place(), {}}); }
  bool boolean(bool value) override { return put({place(), value}); }
  bool number_integer(number_integer_t value) override { return put({place(), value}); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max()))
      return put({place(), static_cast<double>(value)});
    return put({place(), static_cast<std::int64_t>(value)});
  }
  bool number_float(number_float_t value, const string_t&) override {
    return put({place(), value});
  }
  bool string(string_t& value) override { return put({place(), std::move(value)}); }
  bool binary(binary_t&) override { return false; }  // not in JSON
  bool start_object(std::size_t) override { return open({place(), Table()}); }
  bool key(string_t& name) override {
    Position position = cursor_.last;  // the closing quote
    position.column = std::max(1, position.column - static_cast<int>(name.size()) - 1);
    names_.push_back({std::move(name), position, {}});
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open({place(), List()}); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

  Node take() { return std::move(root_); }
  [[nodiscard]] bool too_deep() const { return too_deep_; }

 private:
  [[nodiscard]] bool in_table() const {
    return !open_.empty() && std::holds_alternative<Table>(open_.back().value);
  }
  [[nodiscard]] Position place() const {
    return in_table() ? names_.back().position : cursor_.last;
  }
  bool open(Node node) {
    too_deep_ = open_.size() == kMaxDepth;
    open_.push_back(std::move(node));
    return !too_deep_;
  }
  bool close() {
    Node done = std::move(open_.back());
    open_.pop_back();
    return put(std::move(done));
  }
  bool put(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (auto* table = std::get_if<Table>(&open_.back().value)) {
      names_.back().node = std::move(node);
      table->push_back(std::move(names_.back()));
      names_.pop_back();
    } else {
      std::get<List>(open_.back().value).push_back(std::move(node));
    }
    return true;
  }

  const Cursor& cursor_;
  std::vector<Node> open_;
  std::vector<Member> names_;  // of open tables, waiting for their values
  Node root_;
  bool too_deep_ = false;
};

}  // namespace

std::optional<Node> parse_json_text(std::string_view text, std::size_t file, Report& report) {
  Cursor cursor;
  NodeBuilder builder(cursor);
  const CountingIterator first(text.data(), cursor);
  const CountingIterator last(text.data() + text.size(), cursor);
  if (nlohmann::json::sax_parse(first, last, &builder))
    return builder.take();
  report.error({file, cursor.last}, "",
               builder.too_deep() ? "nested deeper than 32" : "not valid JSON");
  return std::nullopt;
}

}  // namespace keyherd::config
