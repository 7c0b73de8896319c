#include "cli/screen.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ostream>
#include <sstream>

#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::cli {

namespace {

struct TerminalSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};
// As it is now: somebody may have pulled at its corner.
TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2 || size.ws_col < 2)
    return {};
  return {size.ws_row, size.ws_col};
}

// Each line is cleared to its end and never wrapped; what was below is cleared too.
std::string painted(const std::string& text, std::size_t rows, bool first) {
  std::string screen = first ? "\033[2J\033[H\033[?7l" : "\033[H\033[?7l";
  const auto lines = split(text, '\n');
  const std::size_t count = lines.empty() || lines.back().empty() ? lines.size() - 1 : lines.size();
  const bool cut = count >= rows;
  const std::size_t shown = cut ? rows - 2 : count;
  for (std::size_t i = 0; i < shown; ++i)
    screen += std::string(lines[i]) + "\033[K\n";
  if (cut)
    screen += "… " + std::to_string(count - shown) + " more lines\033[K\n";
  return screen + "\033[J\033[?7h";
}

}  // namespace

void Screen::show(const std::function<void(Context&)>& print) {
  if (!context_.terminal || context_.json) {
    if (!first_ && !context_.json)
      context_.out << "\n";
    print(context_);
  } else {
    std::ostringstream text;
    Context page{text,
                 context_.err,
                 context_.environment,
                 context_.files,
                 context_.clock,
                 context_.redactor,
                 context_.json,
                 context_.colour,
                 {},
                 context_.terminal,
                 context_.err_terminal,
                 terminal_size().columns};
    print(page);
    context_.out << painted(text.str(), terminal_size().rows, first_);
  }
  first_ = false;
  context_.out.flush();
}

Result<std::chrono::nanoseconds> parse_pause(const std::string& text) {
  KH_ASSIGN(const std::chrono::nanoseconds pause, parse_duration(text));
  if (pause >= std::chrono::milliseconds(100) && pause <= std::chrono::hours(1))
    return pause;
  return fail(ErrorCode::invalid, "--every " + printable(text, 20) + ": from 100ms to 1h");
}

bool wait_for_next(Context& context, std::chrono::nanoseconds pause) {
  if (!context.out.good())
    return false;
  pollfd output{STDOUT_FILENO, 0, 0};  // only that the other end is gone
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(pause).count();
  ::poll(&output, 1, static_cast<int>(milliseconds));
  return (output.revents & (POLLERR | POLLNVAL)) == 0;
}

}  // namespace keyherd::cli
