#include <pwd.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "base/json.hpp"
#include "base/time_text.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/keyring_access.hpp"
#include "cli/table.hpp"
#include "config/secrets.hpp"
#include "engine/audit_trail.hpp"
#include "store/sqlite_store.hpp"

namespace keyherd::cli {

namespace {

struct KeyringOptions {
  std::string entry;
  std::string reference;
};
using Options = std::shared_ptr<KeyringOptions>;

struct Finding {
  std::string id;
  std::optional<WallTime> sealed_at;
  std::string problem;  // empty: it opens
};

std::vector<Finding> findings(const config::Config& config, const store::MasterKey& master,
                              const store::State& state) {
  std::vector<Finding> found;
  for (const auto& [id, sealed] : state.sealed) {
    const auto secret = master.unseal(sealed);
    found.push_back({id, sealed.sealed_at, secret ? "" : secret.error().message});
  }
  std::set<std::string> wanted;
  for (const model::Key& key : config.keys) {
    if (key.secret.kind == model::SecretRef::Kind::keyring &&
        !state.sealed.contains(key.secret.name))
      wanted.insert(key.secret.name);
  }
  for (const std::string& id : wanted)
    found.push_back({id, std::nullopt, "no such entry, though a key refers to it"});
  return found;
}

int print(Context& context, const std::vector<Finding>& found) {
  bool fine = true;
  nlohmann::json rows = nlohmann::json::array();
  Table table({"ENTRY", "SEALED", "OPENS"});
  for (const Finding& finding : found) {
    const bool opens = finding.problem.empty();
    const std::string sealed = finding.sealed_at ? format_rfc3339(*finding.sealed_at) : "-";
    fine = fine && opens;
    rows.push_back({{"id", finding.id},
                    {"sealed_at", sealed},
                    {"opens", opens},
                    {"problem", finding.problem}});
    table.add({finding.id, sealed,
               opens ? Cell("yes", Colour::green) : Cell("no: " + finding.problem, Colour::red)});
  }
  if (context.json)
    context.out << dump_json(rows) << "\n";
  else
    table.print(context);
  return fine ? kFine : kBadNews;
}

int verify(Context& context, const Options&) {
  const auto config = load_or_report(context);
  if (!config)
    return kWrongUsage;
  const auto master = master_key_of(context, *config);
  if (!master)
    return report(context, master.error(), kWrongUsage);
  auto store = store::open_sqlite_store({config->agent.state, true});
  if (!store)
    return report(context, store.error(), kWrongUsage);
  const auto state = (*store)->load();
  if (!state)
    return report(context, state.error(), kWrongUsage);
  return print(context, findings(*config, *master, *state));
}

std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());  // NOLINT: one thread
  return user != nullptr ? user->pw_name : std::to_string(::geteuid());
}

// What the commands that write have in common: the agent must not run, for it owns the file.
int change(Context& context,
           const std::function<Result<store::Batch>(const config::Config&, const store::MasterKey&,
                                                    const store::State&)>& make,
           const std::string& done) {
  const auto config = load_or_report(context);
  if (!config)
    return kWrongUsage;
  const auto changed = [&]() -> Status {
    KH_ASSIGN(const store::MasterKey master, master_key_of(context, *config));
    KH_ASSIGN(auto store, store::open_sqlite_store({config->agent.state, false}));
    KH_ASSIGN(const store::State state, store->load());
    KH_ASSIGN(store::Batch batch, make(*config, master, state));
    if (!config->agent.audit.empty())
      batch.audit.push_back(engine::offline_entry(state, {.at = context.clock.now().wall,
                                                          .actor = "cli:" + user_name(),
                                                          .act = model::AuditAct::keyring,
                                                          .text = done.substr(0, done.find(';'))}));
    return store->commit(batch);
  }();
  if (!changed)
    return report(context, changed.error(), kWrongUsage);
  if (context.json)
    context.out << dump_json({{"ok", true}}) << "\n";
  else
    context.out << done << "\n";
  return kFine;
}

Result<Secret> read_secret(Context& context, const std::string& reference) {
  if (!reference.empty()) {
    KH_ASSIGN(const model::SecretRef parsed, config::parse_secret_ref(reference));
    return key_secret(context, parsed);
  }
  std::string line;
  std::getline(std::cin, line);
  Secret secret(std::move(line));
  context.redactor.add(secret);
  KH_TRY(config::check_secret_value(secret));
  return secret;
}

int set(Context& context, const Options& options) {
  const std::string as_reference = "keyring:" + options->entry;
  if (const auto checked = config::parse_secret_ref(as_reference); !checked)
    return report(context, checked.error(), kWrongUsage);
  const auto secret = read_secret(context, options->reference);
  if (!secret)
    return report(context, secret.error(), kWrongUsage);
  return change(
      context,
      [&](const auto&, const store::MasterKey& master, const auto&) -> Result<store::Batch> {
        store::Batch batch;
        batch.sealed.push_back(master.seal(options->entry, *secret, context.clock.now().wall));
        return batch;
      },
      options->entry + " is sealed; refer to it as \"" + as_reference + "\"");
}

int remove(Context& context, const Options& options) {
  return change(
      context,
      [&](const auto&, const auto&, const store::State& state) -> Result<store::Batch> {
        if (!state.sealed.contains(options->entry))
          return fail(ErrorCode::not_found, "the keyring has no entry '" + options->entry + "'");
        store::Batch batch;
        batch.dropped_sealed.push_back(options->entry);
        return batch;
      },
      options->entry + " is removed");
}

int rekey(Context& context, const Options& options) {
  return change(
      context,
      [&](const auto&, const store::MasterKey& master,
          const store::State& state) -> Result<store::Batch> {
        KH_ASSIGN(const model::SecretRef reference, config::parse_secret_ref(options->reference));
        KH_ASSIGN(const store::MasterKey next, load_master_key(context, reference));
        store::Batch batch;
        KH_ASSIGN(batch.sealed,
                  store::reseal(state.sealed, master, next, context.clock.now().wall));
        return batch;
      },
      "every entry is sealed by the new master key; set agent.master_key = \"" +
          options->reference + "\" before the agent starts again");
}

}  // namespace

Action define_keyring(CLI::App& app) {
  auto options = std::make_shared<KeyringOptions>();
  auto chosen = std::make_shared<int (*)(Context&, const Options&)>(nullptr);
  const auto add = [&](const char* name, const char* summary, auto* action) {
    CLI::App* command = app.add_subcommand(name, summary);
    command->callback([chosen, action] { *chosen = action; });
    return command;
  };
  add("verify", "whether every entry opens, and every reference to one has one", verify);
  CLI::App* put = add("set", "seal a secret: the first line of stdin, or --from", set);
  put->add_option("ID", options->entry, "the entry; refer to it as keyring:ID")->required();
  put->add_option("--from", options->reference, "where the secret is now, like env:NAME")
      ->type_name("REFERENCE");
  add("remove", "forget an entry", remove)
      ->add_option("ID", options->entry, "the entry")
      ->required();
  add("rekey", "seal every entry by another master key, in one step", rekey)
      ->add_option("--to", options->reference, "where the new master key is, like file:PATH")
      ->type_name("REFERENCE")
      ->required();
  app.require_subcommand(1);
  return [options, chosen](Context& context) { return (*chosen)(context, options); };
}

}  // namespace keyherd::cli
