#include "base/redactor.hpp"

#include <string>

#include "base/text.hpp"
#include "fuzz.hpp"

using namespace keyherd;

// The secret stands somewhere between two halves of any text: it is never there afterwards.
void fuzz::redactor(const std::uint8_t* data, std::size_t size) {
  static const std::string kSecret = "CANARY-5a7b9c1d3e5f7a9b";
  static Redactor redactor;
  static const bool kAdded = [] {
    redactor.add(Secret(kSecret));
    return true;
  }();
  fuzz::must(kAdded);
  const auto text = fuzz::text_of(data, size);
  const std::string around = std::string(text.substr(0, size / 2)) + kSecret +
                             std::string(text.substr(size / 2)) + base64("x" + kSecret);
  const std::string shown = redactor.redact(around);
  fuzz::must(shown.find(kSecret) == std::string::npos);
  // The characters of it that the secret alone decides.
  const std::string encoded = base64("x" + kSecret).substr(2, (kSecret.size() + 1) * 8 / 6 - 2);
  fuzz::must(shown.find(encoded) == std::string::npos);
}
