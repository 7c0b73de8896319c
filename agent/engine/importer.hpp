#pragma once

// An import as a plan: checked whole, against the whole configuration, before anything is written.
// Called in the line of jobs.

#include <spdlog/fwd.h>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "api/control.hpp"
#include "base/files.hpp"
#include "base/redactor.hpp"
#include "config/key_document.hpp"
#include "config/load.hpp"
#include "store/keyring.hpp"

namespace keyherd::engine {

struct ImportParts {
  std::string config_path;
  const FileSystem& files;
  const config::LoadOptions& load;
};

struct ImportPlan {
  api::ImportReport report;
  std::string path;                                     // of the file that imports own
  std::string text;                                     // as it will be; empty: it stays as it is
  std::vector<std::pair<std::string, Secret>> secrets;  // for the keyring, by entry
};

// Errors: invalid (every problem, a line each, with its place in the document), conflict (a key of
// another file; no file for imports), denied (another passphrase).
Result<ImportPlan> plan_import(const api::ImportCommand& command, const ImportParts& parts);

// All keys as a document. With a passphrase each refers to the keyring, and the secrets that are
// loaded are sealed beside them.
Result<std::string> export_document(
    std::vector<model::Key> keys, const Secret* passphrase,
    const std::map<std::string, std::shared_ptr<const Secret>>& secrets);

using Secrets = std::map<std::string, std::shared_ptr<const Secret>>;  // by key

// What an import and an export want of the running agent.
struct TransferParts {
  ImportParts files;
  Redactor& redactor;
  spdlog::logger& log;
  const store::Keyring* keyring;  // null: none
  // Into the keyring and the store.
  std::function<Status(std::vector<std::pair<std::string, Secret>>, const std::stop_token&)> seal;
  std::function<Result<Secrets>(const std::stop_token&)> loaded;
  std::function<Status(const std::stop_token&)> reload;
};

// Blocks for files, commits and the passphrase.
Result<api::ImportReport> import_keys(const api::ImportCommand& command, const TransferParts& parts,
                                      const std::stop_token& stop);
Result<std::string> export_keys(std::vector<model::Key> keys, const Secret* passphrase,
                                const std::string& actor, const TransferParts& parts,
                                const std::stop_token& stop);

}  // namespace keyherd::engine
