#pragma once

// What every command gets: where to print, what the user asked for globally, and the outside world.
// One command runs in one process, on the main thread.

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/environment.hpp"
#include "base/files.hpp"
#include "base/redactor.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace keyherd::cli {

// Exit codes: a contract with scripts.
inline constexpr int kFine = 0;
inline constexpr int kBadNews = 1;      // the answer is bad news
inline constexpr int kWrongUsage = 2;   // wrong usage or configuration
inline constexpr int kUnreachable = 3;  // the agent or a server could not be reached

struct Context {
  std::ostream& out;
  std::ostream& err;
  const Environment& environment;
  const FileSystem& files;
  const Clock& clock;
  Redactor& redactor;
  bool json = false;
  bool colour = false;                                    // a terminal, and NO_COLOR is not set
  std::optional<std::string> config_path = std::nullopt;  // --config
  bool terminal = false;                                  // stdout is one
  bool err_terminal = false;                              // stderr is one
  std::size_t columns = 0;                                // of the terminal; 0: no limit
  // Opens keyring:ID; none before a configuration is loaded.
  std::function<Result<Secret>(const std::string& id)> keyring{};
  std::optional<std::string> ca_file{};  // --ca-file
};

// Prints an error as the mode asks (one line on stderr, or one JSON object on stdout) and returns
// the exit code that fits.
int report(Context& context, const Error& error);
int report(Context& context, const Error& error, int exit_code);

}  // namespace keyherd::cli
