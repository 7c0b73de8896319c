#pragma once

// Manual pages in roff, made from the table of commands: keyherd(1) and a page a command. Pure
// functions of the table and the date.

#include <string>
#include <vector>

namespace keyherd::cli {

struct ManualPage {
  std::string file;  // "keyherd-usage.1"
  std::string text;
};
// keyherd.1 first, then the commands in the order of the table.
std::vector<ManualPage> manual_pages();

}  // namespace keyherd::cli
