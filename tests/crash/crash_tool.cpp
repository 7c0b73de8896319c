// A Teller as a process, to be killed: crash_tool DIRECTORY [follow] [split]. Ends when everything
// is counted; with "follow" it goes on until it is killed, writing a byte for each commit.

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "teller.hpp"

int main(int argc, char** argv) {
  bool follow = false;
  bool split = false;
  for (int i = 2; i < argc; ++i) {
    follow = follow || std::string_view(argv[i]) == "follow";
    split = split || std::string_view(argv[i]) == "split";
  }
  auto teller = keyherd::test::Teller::open(argc > 1 ? argv[1] : ".", split);
  if (!teller) {
    std::fprintf(stderr, "%s\n", teller.error().message.c_str());
    return 1;
  }
  if (!follow) {
    const auto drained = (*teller)->drain();
    if (!drained)
      std::fprintf(stderr, "%s\n", drained.error().message.c_str());
    return drained ? 0 : 1;
  }
  while (true) {
    const auto any = (*teller)->step();
    if (!any)
      return 1;
    if (*any && ::write(STDOUT_FILENO, "c", 1) != 1)
      return 1;
    if (!*any)
      ::poll(nullptr, 0, 1);
  }
}
