#pragma once

// What changes the configuration of a running agent: reloads and imports, and exports beside them.
// They may wait for files, commands and commits, so a thread of their own does them, one after the
// other; the loop is asked to take over what they prepared.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/control.hpp"
#include "base/bounded_queue.hpp"
#include "engine/agent.hpp"
#include "engine/certificate.hpp"
#include "engine/engine.hpp"
#include "engine/importer.hpp"
#include "engine/job_line.hpp"
#include "engine/pending.hpp"
#include "engine/published.hpp"

namespace keyherd::engine {

struct ReloaderParts {
  const AgentOptions& options;
  BoundedQueue<Event>& events;
  const Published& published;
  Certificate& certificate;
  const store::Keyring* keyring;  // null: none
  std::function<SetupParts()> setup_parts;
  std::function<void()> wake_readers;
};

class Reloader {
 public:
  explicit Reloader(ReloaderParts parts) : parts_(std::move(parts)) {}

  // Any thread; they return at once. A promise is set when the job is done: with `unavailable` when
  // too many wait already or the state cannot be saved, `cancelled` when the agent stops meanwhile.
  // What has not begun by then is dropped, its promise with it.
  void reload(const std::string& actor, std::optional<Promise<std::vector<std::string>>> promise);
  void import(api::ImportCommand command, Promise<api::ImportReport> promise);
  void export_all(std::shared_ptr<const Secret> passphrase, const std::string& actor,
                  Promise<std::string> promise);
  void stop() { jobs_.stop(); }

 private:
  [[nodiscard]] bool start(JobLine::Job job);
  Result<std::vector<std::string>> load_and_apply(const std::stop_token& stop);
  tl::unexpected<Error> refuse(const std::string& why);
  Status apply(const std::shared_ptr<const Setup>& setup, const std::stop_token& stop);
  void note(const std::string& actor, const Result<std::vector<std::string>>& outcome);
  Status seal(std::vector<std::pair<std::string, Secret>> secrets, const std::stop_token& stop);
  Result<Secrets> loaded_secrets(const std::stop_token& stop);
  Status await_step(const std::stop_token& stop);
  TransferParts transfer_parts();
  template <class T, class Command>
  Result<T> ask_loop(Command command, const std::stop_token& stop);

  static constexpr std::size_t kMostJobs = 32;

  const ReloaderParts parts_;
  JobLine jobs_{kMostJobs};
};

}  // namespace keyherd::engine
