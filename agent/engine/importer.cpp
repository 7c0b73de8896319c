#include "engine/importer.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "store/passphrase.hpp"

namespace keyherd::engine {

namespace {

using nlohmann::json;

constexpr std::size_t kMostProblems = 20;
constexpr std::size_t kMostKeyFile = 64U << 20U;
constexpr std::string_view kKdf = "argon2id";

// The files as they would be after the import.
class FilesAfter final : public FileSystem {
 public:
  FilesAfter(const FileSystem& files, std::string path, std::string text)
      : files_(files), path_(std::move(path)), text_(std::move(text)) {}

  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) const override {
    return files_.open(path);
  }
  Result<FileStat> stat(const std::string& path) const override { return files_.stat(path); }
  Result<std::vector<std::string>> glob(const std::string& pattern) const override {
    KH_ASSIGN(std::vector<std::string> found, files_.glob(pattern));
    const auto own = config::managed_key_file({pattern});
    if (own && *own == path_ && std::find(found.begin(), found.end(), path_) == found.end())
      found.push_back(path_);
    std::sort(found.begin(), found.end());
    return found;
  }
  Result<std::string> read(const std::string& path, std::size_t max_bytes) const override {
    return path == path_ ? Result<std::string>(text_) : files_.read(path, max_bytes);
  }
  Status write_atomic(const std::string& path, std::string_view,
                      const WriteOptions&) const override {
    return fail(ErrorCode::internal, "writing " + path + " while an import is only looked at");
  }
  Status remove(const std::string& path) const override {
    return fail(ErrorCode::internal, "removing " + path + " while an import is only looked at");
  }

 private:
  const FileSystem& files_;
  const std::string path_;
  const std::string text_;
};

Error all_of(const std::vector<config::Problem>& problems) {
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), kMostProblems); ++i)
    text += (i == 0 ? "" : "\n") + config::to_string(problems[i]);
  if (problems.size() > kMostProblems)
    text += "\nand " + std::to_string(problems.size() - kMostProblems) + " more";
  return {ErrorCode::invalid, text};
}

// Problems of the file that would be are shown where the document has the key.
std::vector<config::Problem> placed(std::vector<config::Problem> problems, const std::string& path,
                                    const config::KeysResult& document, const std::string& name) {
  std::map<std::string, int> lines;
  for (std::size_t i = 0; i < document.keys.size(); ++i)
    lines[document.keys[i].id] = document.lines[i];
  for (config::Problem& problem : problems) {
    constexpr std::string_view kKeys = "keys.";
    if (problem.file != path || !problem.key.starts_with(kKeys))
      continue;
    std::string id = problem.key.substr(kKeys.size());
    while (!lines.contains(id) && id.find('.') != std::string::npos)
      id.resize(id.rfind('.'));
    if (const auto line = lines.find(id); line != lines.end()) {
      problem.file = name;
      problem.line = line->second;
      problem.column = 1;
    }
  }
  return problems;
}

Result<std::vector<model::Key>> managed_keys(const FileSystem& files, const std::string& path) {
  if (!files.stat(path))
    return std::vector<model::Key>{};
  KH_ASSIGN(const std::string text, files.read(path, kMostKeyFile));
  auto result = config::parse_keys_json(text, path);
  if (!result.errors.empty())
    return fail(all_of(result.errors));
  return std::move(result.keys);
}

std::optional<store::PassphraseBox> sealed_in(const std::string& document) {
  const auto value = parse_json(document);
  if (!value || !value->is_object() || !value->contains("sealed"))
    return std::nullopt;
  const json& sealed = (*value)["sealed"];
  const auto text = [&](const char* field) {
    return sealed.is_object() && sealed.contains(field) && sealed[field].is_string()
               ? sealed[field].get<std::string>()
               : std::string();
  };
  const auto number = [&](const char* field) -> std::uint64_t {
    return sealed.is_object() && sealed.contains(field) && sealed[field].is_number_unsigned()
               ? sealed[field].get<std::uint64_t>()
               : 0;
  };
  if (text("kdf") != kKdf)
    return store::PassphraseBox{};  // which does not open
  return store::PassphraseBox{number("passes"), number("memory"), text("salt"), text("nonce"),
                              text("box")};
}

Result<std::vector<std::pair<std::string, Secret>>> secrets_in(const api::ImportCommand& command) {
  const auto box = sealed_in(command.document);
  if (!box)
    return std::vector<std::pair<std::string, Secret>>{};
  if (!command.passphrase)
    return fail(ErrorCode::invalid, "the document has sealed secrets: give the passphrase");
  KH_ASSIGN(const Secret content, store::open_with_passphrase(*command.passphrase, *box));
  return store::unpack_secrets(content);
}

constexpr std::string_view kFile = "file:";

// Paths count from the file that has them: in another file a relative one would mean another.
std::vector<config::Problem> relative_paths(const config::KeysResult& document,
                                            const std::string& name) {
  std::vector<config::Problem> problems;
  for (std::size_t i = 0; i < document.keys.size(); ++i) {
    const model::Key& key = document.keys[i];
    if (key.secret.kind == model::SecretRef::Kind::file &&
        !key.secret.text.starts_with(std::string(kFile) + "/"))
      problems.push_back({name, document.lines[i], 1, "keys." + key.id + ".secret",
                          "a relative path would be another one where imported keys live; write "
                          "it from / on"});
  }
  return problems;
}

void make_paths_absolute(std::vector<model::Key>& keys) {
  for (model::Key& key : keys) {
    if (key.secret.kind == model::SecretRef::Kind::file)
      key.secret.text = std::string(kFile) +
                        std::filesystem::absolute(key.secret.name).lexically_normal().string();
  }
}

api::ImportReport report_of(const config::KeyChanges& changes) {
  api::ImportReport report;
  report.added = changes.added;
  for (const auto& one : changes.changed)
    report.changed.emplace_back(one.id, one.fields);
  report.unchanged = changes.unchanged.size();
  return report;
}

}  // namespace

Result<ImportPlan> plan_import(const api::ImportCommand& command, const ImportParts& parts) {
  const auto present = config::load_config(parts.config_path, parts.files, parts.load);
  if (!present.errors.empty())
    return fail(with_context(all_of(present.errors), "the configuration as it is"));
  ImportPlan plan;
  KH_ASSIGN(plan.path, config::managed_key_file(present.config->agent.key_files));
  KH_ASSIGN(auto managed, managed_keys(parts.files, plan.path));
  auto document = config::parse_keys_json(command.document, command.name);
  if (!document.errors.empty())
    return fail(all_of(document.errors));
  if (const auto relative = relative_paths(document, command.name); !relative.empty())
    return fail(all_of(relative));
  std::vector<model::Key> elsewhere = present.config->keys;
  make_paths_absolute(elsewhere);
  std::set<std::string> own;
  for (const model::Key& key : managed)
    own.insert(key.id);
  std::erase_if(elsewhere, [&](const model::Key& key) { return own.contains(key.id); });
  KH_ASSIGN(const config::KeyChanges changes,
            config::merge_keys(std::move(managed), elsewhere, document.keys));
  KH_ASSIGN(plan.secrets, secrets_in(command));
  plan.report = report_of(changes);
  if (changes.added.empty() && changes.changed.empty())
    return plan;
  plan.text = config::keys_document(changes.keys);
  const FilesAfter after(parts.files, plan.path, plan.text);
  auto then = config::load_config(parts.config_path, after, parts.load);
  if (!then.errors.empty())
    return fail(all_of(placed(std::move(then.errors), plan.path, document, command.name)));
  return plan;
}

Result<std::string> export_document(
    std::vector<model::Key> keys, const Secret* passphrase,
    const std::map<std::string, std::shared_ptr<const Secret>>& secrets) {
  make_paths_absolute(keys);
  if (passphrase == nullptr)
    return config::keys_document(std::move(keys));
  std::map<std::string, std::shared_ptr<const Secret>> packed;
  for (model::Key& key : keys) {
    const auto secret = secrets.find(key.id);
    if (secret == secrets.end() || !secret->second)
      continue;  // it could not be loaded: the reference is all there is
    key.secret = {};
    key.secret.text = "keyring:" + key.id;
    packed.insert(*secret);
  }
  KH_ASSIGN(const store::PassphraseBox box,
            store::seal_with_passphrase(*passphrase, store::pack_secrets(packed)));
  std::string text = config::keys_document(std::move(keys));
  text.resize(text.rfind('}'));
  return text + ",\n\"sealed\": " +
         dump_json({{"kdf", kKdf},
                    {"passes", box.passes},
                    {"memory", box.memory},
                    {"salt", box.salt},
                    {"nonce", box.nonce},
                    {"box", box.box}}) +
         "}\n";
}

// Sealed secrets come first, for an entry that nobody refers to is harmless, and a reference
// without one is not.
Result<api::ImportReport> import_keys(const api::ImportCommand& command, const TransferParts& parts,
                                      const std::stop_token& stop) {
  KH_ASSIGN(ImportPlan plan, plan_import(command, parts.files));
  if (!plan.secrets.empty() && parts.keyring == nullptr)
    return fail(ErrorCode::conflict, "sealed secrets go into the keyring: set agent.master_key");
  std::erase_if(plan.secrets, [&](const auto& one) {
    parts.redactor.add(one.second);
    const auto known = parts.keyring->get(one.first);
    return known && *known == one.second;
  });
  plan.report.secrets = plan.secrets.size();
  plan.report.dry_run = command.dry_run;
  if (command.dry_run || (plan.text.empty() && plan.secrets.empty()))
    return plan.report;
  if (!plan.secrets.empty())
    KH_TRY(parts.seal(std::move(plan.secrets), stop));
  if (!plan.text.empty())
    KH_TRY(parts.files.files.write_atomic(plan.path, plan.text, WriteOptions{}));
  parts.log.info("import by {} into {}: {} keys added, {} changed, {} secrets sealed",
                 command.actor, plan.path, plan.report.added.size(), plan.report.changed.size(),
                 plan.report.secrets);
  KH_TRY(parts.reload(stop));
  return plan.report;
}

Result<std::string> export_keys(std::vector<model::Key> keys, const Secret* passphrase,
                                const std::string& actor, const TransferParts& parts,
                                const std::stop_token& stop) {
  Secrets secrets;
  if (passphrase != nullptr) {
    KH_ASSIGN(secrets, parts.loaded(stop));
  }
  parts.log.info("export by {}{}", actor, passphrase != nullptr ? ", with sealed secrets" : "");
  return export_document(std::move(keys), passphrase, secrets);
}

}  // namespace keyherd::engine
