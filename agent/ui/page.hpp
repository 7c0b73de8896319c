#pragma once

// The status page: one self-contained HTML file, embedded at build time from page.html.

#include <string>
#include <string_view>

namespace keyherd::ui {

const std::string& page_html();
// Content-Security-Policy of the page: nothing from elsewhere.
std::string_view page_policy();

}  // namespace keyherd::ui
