#include "ui/page.hpp"

namespace keyherd::ui {

// Made from page.html by cmake/Embed.cmake.
extern const char kPageBytes[];
extern const unsigned long kPageSize;

const std::string& page_html() {
  static const std::string kPage(kPageBytes, kPageSize);
  return kPage;
}

std::string_view page_policy() {
  return "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
         "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'";
}

}  // namespace keyherd::ui
