#pragma once

// `keyherd usage --file`: logs summed without an agent, once or as they grow.

#include <functional>
#include <string>
#include <vector>

#include "api/usage_report.hpp"
#include "cli/context.hpp"
#include "config/config.hpp"
#include "model/usage.hpp"

namespace keyherd::cli {

// What a configuration, where there is one, says about keys, prices and formats. None is fine.
struct OfflineNames {
  std::optional<config::Config> config;

  [[nodiscard]] std::string timezone() const;
  [[nodiscard]] model::UsageContext context() const;
  [[nodiscard]] api::KeyFactsOf facts() const;
  // Of a format's name, or of a configured log's id: then with its fields.
  [[nodiscard]] model::UsageLog log_of(const std::string& format) const;
};
// A configuration that was named must be sound; one that merely lies there is then left alone, with
// a warning. Nothing: it was reported.
std::optional<OfflineNames> load_offline_names(Context& context);

// Patterns become files, sorted; "-" stays. Error not_found: nothing matches.
Result<std::vector<std::string>> files_of(Context& context,
                                          const std::vector<std::string>& patterns);

// Reads all of them into the report; tells on stderr what was not counted. Error: the first file
// that cannot be read.
Status sum_files(Context& context, const std::vector<std::string>& files, const OfflineNames& names,
                 const std::string& format, api::UsageReport& report);

// Follows the patterns as the agent does, through rotation, and calls `show` whenever there is
// something new (and once in any case), until that says false.
Status follow_files(Context& context, const std::vector<std::string>& patterns,
                    const OfflineNames& names, const std::string& format,
                    std::chrono::nanoseconds every, api::UsageReport& report,
                    const std::function<bool()>& show);

}  // namespace keyherd::cli
