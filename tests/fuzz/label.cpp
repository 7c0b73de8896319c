#include <string>

#include "base/text.hpp"
#include "fuzz.hpp"
#include "metrics/text_writer.hpp"

using namespace keyherd;

void fuzz::label(const std::uint8_t* data, std::size_t size) {
  const std::string value = metrics::escape_label(fuzz::text_of(data, size));
  fuzz::must(is_valid_utf8(value));
  fuzz::must(value.size() <= 2 * 260);
  fuzz::must(value.find('\n') == std::string::npos);
  // Every quote has its backslash, every backslash what it stands before.
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\')
      fuzz::must(++i < value.size());
    else
      fuzz::must(value[i] != '"');
  }
}
