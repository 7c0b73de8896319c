#include "cli/usage_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ostream>

#include "cli/configuration.hpp"
#include "cli/input.hpp"
#include "cli/progress.hpp"
#include "cli/screen.hpp"
#include "usage/offline.hpp"
#include "usage/tailer.hpp"

namespace keyherd::cli {

namespace {

constexpr std::string_view kStdin = "-";

void tell_rejected(Context& context, const model::SourceCounts& counts,
                   const std::vector<std::string>& samples) {
  for (std::size_t i = 0; i < model::kRejectReasonCount; ++i) {
    if (counts.rejected[i] > 0)
      context.err << "warning: " << counts.rejected[i]
                  << (counts.rejected[i] == 1 ? " line" : " lines")
                  << " not counted: " << model::to_string(static_cast<model::RejectReason>(i))
                  << "\n";
  }
  for (const std::string& sample : samples)
    context.err << "  " << sample << "\n";
}

}  // namespace

std::string OfflineNames::timezone() const {
  return config ? config->agent.timezone : "UTC";
}

model::UsageContext OfflineNames::context() const {
  model::UsageContext names;
  if (!config)
    return names;
  for (const model::Key& key : config->keys)
    names.keys[key.id] = {key.id, key.provider, false};
  for (const model::Provider& provider : config->providers)
    names.prices[provider.id] = provider.prices;
  return names;
}

api::KeyFactsOf OfflineNames::facts() const {
  std::map<std::string, api::KeyFacts> facts;
  if (config) {
    for (const model::Key& key : config->keys)
      facts[key.id] = {
          key.provider, key.limit_group.empty() ? key.id : key.limit_group, {}, key.labels};
    for (const model::Pool& pool : config->pools) {
      for (const std::string& key : pool.keys)
        facts[key].pools.push_back(pool.id);
    }
  }
  return [facts = std::move(facts)](const std::string& key) -> std::optional<api::KeyFacts> {
    const auto found = facts.find(key);
    return found == facts.end() ? std::nullopt : std::optional(found->second);
  };
}

model::UsageLog OfflineNames::log_of(const std::string& format) const {
  if (config) {
    for (const model::UsageLog& log : config->usage_logs) {
      if (log.id == format)
        return log;
    }
  }
  model::UsageLog log;
  log.format = format;
  return log;
}

std::optional<OfflineNames> load_offline_names(Context& context) {
  const auto path = find_config(context);
  if (!path)
    return OfflineNames{};
  if (context.config_path || context.environment.get("KEYHERD_CONFIG")) {
    auto config = load_or_report(context);
    if (!config)
      return std::nullopt;
    return OfflineNames{std::move(config)};
  }
  config::LoadResult loaded = config::load_config(*path, context.files, load_options());
  if (!loaded.config)
    context.err << "warning: " << *path << " is left alone: "
                << (loaded.errors.empty() ? "it cannot be read"
                                          : config::to_string(loaded.errors.front()))
                << "\n";
  return OfflineNames{std::move(loaded.config)};
}

Result<std::vector<std::string>> files_of(Context& context,
                                          const std::vector<std::string>& patterns) {
  std::vector<std::string> files;
  for (const std::string& pattern : patterns) {
    if (pattern == kStdin || context.files.stat(pattern)) {
      files.push_back(pattern);
      continue;
    }
    KH_ASSIGN(const std::vector<std::string> matches, context.files.glob(pattern));
    if (matches.empty())
      return fail(ErrorCode::not_found, "no file " + pattern);
    files.insert(files.end(), matches.begin(), matches.end());
  }
  // Named twice, counted once.
  std::vector<std::string> unique;
  for (std::string& file : files) {
    if (std::find(unique.begin(), unique.end(), file) == unique.end())
      unique.push_back(std::move(file));
  }
  return unique;
}

Status sum_files(Context& context, const std::vector<std::string>& files, const OfflineNames& names,
                 const std::string& format, api::UsageReport& report) {
  KH_ASSIGN(auto reader,
            usage::OfflineReader::make(names.log_of(format), names.context(), context.clock.now()));
  std::uint64_t total = 0;
  bool known = true;
  for (const std::string& file : files) {
    const auto stat = context.files.stat(file);
    known = known && file != kStdin;
    total += stat ? stat->size : 0;
  }
  std::uint64_t before = 0;
  {
    Progress progress(context, known ? total : 0);
    for (const std::string& file : files) {
      std::uint64_t read = 0;
      const auto tell = [&](std::uint64_t done) {
        read = done;
        progress.at(before + done);
      };
      KH_TRY(file == kStdin ? reader.read_stream(read_stdin, "standard input", tell)
                            : reader.read_file(context.files, file, tell));
      before += read;
    }
  }
  const usage::OfflineReport sums = reader.take();
  for (const model::UsageRow& row : sums.usage)
    KH_TRY(report.add(row));
  tell_rejected(context, sums.counts, sums.samples);
  return {};
}

Status follow_files(Context& context, const std::vector<std::string>& patterns,
                    const OfflineNames& names, const std::string& format,
                    std::chrono::nanoseconds every, api::UsageReport& report,
                    const std::function<bool()>& show) {
  std::vector<model::UsageLog> logs;
  for (const std::string& pattern : patterns) {
    if (pattern == kStdin)
      return fail(ErrorCode::invalid,
                  "--follow needs a file; a pipe is read to its end without it");
    logs.push_back(names.log_of(format));
    logs.back().id = pattern;
    logs.back().path = pattern;
    logs.back().start_at_end = false;
  }
  usage::TailerOptions options;
  options.unknown_keys = usage::UnknownKeys::accept;
  usage::Tailer tailer(context.files, std::move(logs), {}, options);
  tailer.set_context(std::make_shared<const model::UsageContext>(names.context()));
  for (bool first = true;; first = false) {
    bool news = first;
    do {
      for (const model::Tally& tally : tailer.poll(context.clock.now())) {
        for (const model::UsageRow& row : tally.usage)
          KH_TRY(report.add(row));
        news = news || !tally.usage.empty();
        tell_rejected(context, tally.counts, tally.samples);
        tailer.committed(tally.source, tally.batch);
      }
    } while (tailer.has_more());
    if ((news && !show()) || !wait_for_next(context, every))
      return {};
  }
}

}  // namespace keyherd::cli
