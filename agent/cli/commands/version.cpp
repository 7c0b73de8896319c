#include <openssl/crypto.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "cli/build_info.hpp"
#include "cli/command.hpp"
#include "cron/calendar.hpp"
#include "store/sqlite_store.hpp"

namespace keyherd::cli {

namespace {
std::string json_version() {
  return std::to_string(NLOHMANN_JSON_VERSION_MAJOR) + "." +
         std::to_string(NLOHMANN_JSON_VERSION_MINOR) + "." +
         std::to_string(NLOHMANN_JSON_VERSION_PATCH);
}
}  // namespace

Action define_version(CLI::App&) {
  return [](Context& context) {
    const nlohmann::json libraries{{"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
                                   {"sqlite", store::sqlite_version()},
                                   {"nlohmann_json", json_version()},
                                   {"tzdata", cron::tzdata_version()}};
    if (context.json) {
      context.out << dump_json({{"version", kVersion},
                                {"commit", kCommit},
                                {"compiler", kCompiler},
                                {"libraries", libraries}})
                  << "\n";
      return kFine;
    }
    context.out << "keyherd " << kVersion << " (" << kCommit << ", " << kCompiler << ")\n";
    for (const auto& [name, version] : libraries.items())
      context.out << "  " << name << " " << version.get<std::string>() << "\n";
    return kFine;
  };
}

}  // namespace keyherd::cli
