#pragma once

// The status page: a few files by hand, embedded at build time from page/. It asks nobody but the
// agent that serves it.

#include <string_view>
#include <vector>

namespace keyherd::ui {

struct Asset {
  std::string_view name;  // "index.html", "style.css", "main.js", …
  std::string_view content;
};
const std::vector<Asset>& assets();
// Null when there is none of that name.
const Asset* find_asset(std::string_view name);

// "text/css; charset=utf-8"
std::string_view media_type(std::string_view name);
// Content-Security-Policy of the page: nothing from elsewhere, nothing inline.
std::string_view page_policy();

}  // namespace keyherd::ui
