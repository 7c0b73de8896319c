#include "probe/json_path.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "model/money.hpp"

namespace keyherd::probe {

const nlohmann::json* find(const nlohmann::json& value, std::string_view pointer) {
  const nlohmann::json* here = &value;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view step = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(step.size());
    if (here->is_object()) {
      const auto member = here->find(step);
      if (member == here->end())
        return nullptr;
      here = &*member;
    } else if (here->is_array()) {
      const auto index = parse_int(step);
      if (!index || static_cast<std::size_t>(*index) >= here->size())
        return nullptr;
      here = &(*here)[static_cast<std::size_t>(*index)];
    } else {
      return nullptr;
    }
  }
  return here;
}

std::optional<std::string> as_text(const nlohmann::json* value) {
  if (value == nullptr)
    return std::nullopt;
  if (value->is_string())
    return value->get_ref<const std::string&>();
  if (value->is_number_unsigned())
    return std::to_string(value->get<std::uint64_t>());
  if (value->is_number_integer())
    return std::to_string(value->get<std::int64_t>());
  return std::nullopt;
}

std::optional<std::int64_t> as_count(const nlohmann::json* value) {
  if (value == nullptr || !value->is_number_unsigned())
    return std::nullopt;
  const auto count = value->get<std::uint64_t>();
  if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return std::nullopt;
  return static_cast<std::int64_t>(count);
}

std::optional<std::int64_t> as_nanos(const nlohmann::json* value) {
  if (value == nullptr)
    return std::nullopt;
  std::string text;
  if (value->is_number_float()) {
    std::array<char, 32> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), value->get<double>());
    text.assign(digits.data(), end.ptr);
  } else if (auto whole = as_text(value)) {
    text = std::move(*whole);
  }
  const bool negative = text.starts_with('-');
  const auto nanos = model::parse_usd(std::string_view(text).substr(negative ? 1 : 0));
  if (!nanos)
    return std::nullopt;
  return negative ? -*nanos : *nanos;
}

std::optional<bool> as_bool(const nlohmann::json* value) {
  if (value == nullptr || !value->is_boolean())
    return std::nullopt;
  return value->get<bool>();
}

}  // namespace keyherd::probe
