#include "ui/page.hpp"

#include <algorithm>

namespace keyherd::ui {

const Asset* find_asset(std::string_view name) {
  const auto found = std::find_if(assets().begin(), assets().end(),
                                  [name](const Asset& asset) { return asset.name == name; });
  return found == assets().end() ? nullptr : &*found;
}

std::string_view media_type(std::string_view name) {
  if (name.ends_with(".js"))
    return "text/javascript; charset=utf-8";
  if (name.ends_with(".css"))
    return "text/css; charset=utf-8";
  return "text/html; charset=utf-8";
}

std::string_view page_policy() {
  return "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src "
         "data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

}  // namespace keyherd::ui
