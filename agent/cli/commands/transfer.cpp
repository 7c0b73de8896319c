// import and export: keys in bulk.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/agent_client.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/input.hpp"
#include "cli/key_table.hpp"
#include "cli/table.hpp"
#include "config/secrets.hpp"

namespace keyherd::cli {

using nlohmann::json;

namespace {

constexpr std::size_t kMostDocument = 16U << 20U;
constexpr const char* kPassphrase = "env:KEYHERD_PASSPHRASE";

// None when the reference is the default one and there is nothing.
Result<std::optional<Secret>> passphrase_of(Context& context, const std::string& reference,
                                            bool needed) {
  KH_ASSIGN(const model::SecretRef parsed, config::parse_secret_ref(reference));
  auto secret = any_secret(context, parsed);
  if (secret)
    return std::optional<Secret>(std::move(*secret));
  if (!needed && reference == kPassphrase)
    return std::optional<Secret>();
  return fail(with_context(secret.error(), "the passphrase (--passphrase)"));
}

void print_import(Context& context, const json& done) {
  const bool dry = done["dry_run"] == true;
  for (const json& id : done["added"])
    context.out << "+ " << text_of(id) << "\n";
  for (const json& one : done["changed"]) {
    std::string fields;
    for (const json& field : one["fields"])
      fields += (fields.empty() ? "" : ", ") + text_of(field);
    context.out << "~ " << text_of(one["key"]) << ": " << fields << "\n";
  }
  context.out << done["added"].size() << " added, " << done["changed"].size() << " changed, "
              << done["unchanged"] << " as before";
  if (done["secrets"] != 0)
    context.out << "; " << done["secrets"] << " secrets sealed into the keyring";
  context.out << (dry ? " (nothing was done: --dry-run)\n" : "\n");
}

Result<std::string> document_of(Context& context, const std::string& file) {
  KH_ASSIGN(std::string text, read_whole(context, file, kMostDocument));
  if (!file.ends_with(".csv"))
    return text;
  auto document = keys_from_csv(text);
  return document ? std::move(document) : fail(with_context(document.error(), file));
}

// A new file that only its owner reads; an old one, or a link, is left alone.
Status write_new(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail(errno_error(errno, "writing " + path));
  Status done;
  while (!text.empty() && done) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count >= 0)
      text.remove_prefix(static_cast<std::size_t>(count));
    else if (errno != EINTR)
      done = fail(errno_error(errno, "writing " + path));
  }
  if (done && ::fsync(fd) != 0 && errno != EINVAL)
    done = fail(errno_error(errno, "writing " + path));
  ::close(fd);
  if (!done)
    ::unlink(path.c_str());
  return done;
}

}  // namespace

Action define_import(CLI::App& app) {
  struct ImportOptions {
    std::string file;
    std::string passphrase = kPassphrase;
    bool dry_run = false;
  };
  auto options = std::make_shared<ImportOptions>();
  app.add_option("FILE", options->file, "keys as JSON, or as CSV if its name ends so; - is stdin")
      ->required();
  app.add_flag("--dry-run", options->dry_run, "show what would change, change nothing");
  app.add_option("--passphrase", options->passphrase, "where the passphrase of sealed secrets is")
      ->type_name("REFERENCE")
      ->capture_default_str();
  return [options](Context& context) {
    const auto document = document_of(context, options->file);
    if (!document)
      return report(context, document.error(), kWrongUsage);
    const auto passphrase = passphrase_of(context, options->passphrase, false);
    if (!passphrase)
      return report(context, passphrase.error(), kWrongUsage);
    return with_agent(context, [&](AgentClient& agent) {
      const std::string query =
          "?name=" + url_encode(options->file) + (options->dry_run ? "&dry_run=true" : "");
      const auto done = agent.post_text("/api/v1/import" + query, *document,
                                        *passphrase ? &**passphrase : nullptr);
      if (!done)
        return report(context, done.error());
      if (context.json)
        context.out << dump_json(*done) << "\n";
      else
        print_import(context, *done);
      return kFine;
    });
  };
}

Action define_export(CLI::App& app) {
  struct ExportOptions {
    std::string output;
    std::string passphrase = kPassphrase;
    bool with_secrets = false;
  };
  auto options = std::make_shared<ExportOptions>();
  app.add_flag("--with-secrets", options->with_secrets,
               "with the secrets themselves, sealed with a passphrase");
  app.add_option("--passphrase", options->passphrase, "where the passphrase is")
      ->type_name("REFERENCE")
      ->capture_default_str();
  app.add_option("--output", options->output, "a new file, mode 0600; else stdout")
      ->type_name("FILE");
  return [options](Context& context) {
    std::optional<Secret> passphrase;
    if (options->with_secrets) {
      auto given = passphrase_of(context, options->passphrase, true);
      if (!given)
        return report(context, given.error(), kWrongUsage);
      passphrase = std::move(*given);
    }
    return with_agent(context, [&](AgentClient& agent) {
      const auto text =
          agent.get_text(std::string("/api/v1/export") + (passphrase ? "?with_secrets=true" : ""),
                         passphrase ? &*passphrase : nullptr);
      if (!text)
        return report(context, text.error());
      if (options->output.empty()) {
        context.out << *text;
        return kFine;
      }
      if (const auto written = write_new(options->output, *text); !written)
        return report(context, written.error(), kWrongUsage);
      return kFine;
    });
  };
}

}  // namespace keyherd::cli
