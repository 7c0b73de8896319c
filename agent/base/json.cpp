#include "base/json.hpp"

#include <nlohmann/json.hpp>

namespace keyherd {

namespace {

// Builds the value and refuses to go deeper than the cap; keeps only where it failed, never what.
class CappedBuilder final : public nlohmann::detail::json_sax_dom_parser<nlohmann::json> {
  using Base = nlohmann::detail::json_sax_dom_parser<nlohmann::json>;

 public:
  CappedBuilder(nlohmann::json& into, std::size_t max_depth)
      : Base(into, /*allow_exceptions=*/false), max_depth_(max_depth) {}

  bool start_object(std::size_t elements) { return enter() && Base::start_object(elements); }
  bool start_array(std::size_t elements) { return enter() && Base::start_array(elements); }
  bool end_object() {
    --depth_;
    return Base::end_object();
  }
  bool end_array() {
    --depth_;
    return Base::end_array();
  }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string& token, const Exception& error) {
    position_ = position;
    return Base::parse_error(position, token, error);
  }

  [[nodiscard]] bool too_deep() const { return depth_ > max_depth_; }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  bool enter() { return ++depth_ <= max_depth_; }

  std::size_t max_depth_;
  std::size_t depth_ = 0;
  std::size_t position_ = 0;
};

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, std::size_t max_depth) {
  nlohmann::json value;
  CappedBuilder builder(value, max_depth);
  const bool parsed = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  if (builder.too_deep())
    return fail(ErrorCode::invalid, "JSON nested deeper than " + std::to_string(max_depth));
  if (!parsed)
    return fail(ErrorCode::invalid, "not JSON at byte " + std::to_string(builder.position()));
  return value;
}

std::string dump_json(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string dump_json_pretty(const nlohmann::json& value) {
  return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace keyherd
