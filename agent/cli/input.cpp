#include "cli/input.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace keyherd::cli {

Result<std::size_t> read_stdin(std::span<char> buffer) {
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got >= 0)
      return static_cast<std::size_t>(got);
    if (errno != EINTR)
      return fail(errno_error(errno, "reading the standard input"));
  }
}

Result<std::string> read_whole(Context& context, const std::string& path, std::size_t most) {
  if (path != "-")
    return context.files.read(path, most);
  std::string text;
  std::array<char, 65'536> buffer{};
  while (true) {
    KH_ASSIGN(const std::size_t got, read_stdin(buffer));
    if (got == 0)
      return text;
    text.append(buffer.data(), got);
    if (text.size() > most)
      return fail(ErrorCode::too_large,
                  "the standard input has more than " + std::to_string(most) + " bytes");
  }
}

Result<std::string> read_argument(Context& context, const std::string& value) {
  constexpr std::size_t kMost = 64U << 20U;
  if (!value.starts_with('@'))
    return value;
  return read_whole(context, value.substr(1), kMost);
}

}  // namespace keyherd::cli
