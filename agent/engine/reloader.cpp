#include "engine/reloader.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include "base/memory.hpp"
#include "base/text.hpp"
#include "base/threads.hpp"
#include "config/diff.hpp"
#include "config/load.hpp"

namespace keyherd::engine {

namespace {

constexpr std::chrono::seconds kPatience{20};      // with the loop
constexpr std::chrono::milliseconds kAskEvery{5};  // a reload is rare and may take its time

Error too_busy() {
  return {ErrorCode::unavailable, "too many reloads and imports wait; try again"};
}

}  // namespace

// False when too many wait already.
bool Reloader::start(JobLine::Job job) {
  return jobs_.add([this, job = std::move(job)](const std::stop_token& stop) {
    contain(parts_.options.log, "a reload, import or export", [&] { job(stop); });
    parts_.wake_readers();
  });
}

void Reloader::reload(const std::string& actor,
                      std::optional<Promise<std::vector<std::string>>> promise) {
  const bool taken = start([this, actor, promise](const std::stop_token& stop) {
    auto outcome = load_and_apply(stop);
    note(actor, outcome);
    if (!outcome)
      parts_.options.log.error("the configuration was not reloaded, the old one stays: {}",
                               outcome.error().message);
    if (promise)
      promise->set(std::move(outcome));
  });
  if (!taken && promise)
    promise->set(fail(too_busy()));
}

void Reloader::import(api::ImportCommand command, Promise<api::ImportReport> promise) {
  const bool taken =
      start([this, command = std::move(command), promise](const std::stop_token& stop) {
        auto outcome = import_keys(command, transfer_parts(), stop);
        if (!outcome)
          parts_.options.log.warn("nothing was imported: {}", outcome.error().message);
        promise.set(std::move(outcome));
      });
  if (!taken)
    promise.set(fail(too_busy()));
}

void Reloader::export_all(std::shared_ptr<const Secret> passphrase, const std::string& actor,
                          Promise<std::string> promise) {
  const bool taken = start([this, passphrase, actor, promise](const std::stop_token& stop) {
    promise.set(export_keys(parts_.published.setup()->config.keys, passphrase.get(), actor,
                            transfer_parts(), stop));
  });
  if (!taken)
    promise.set(fail(too_busy()));
}

TransferParts Reloader::transfer_parts() {
  const AgentOptions& options = parts_.options;
  return {
      {options.config_path, options.files, options.load},
      options.redactor,
      options.log,
      parts_.keyring,
      [this](auto secrets, const std::stop_token& stop) { return seal(std::move(secrets), stop); },
      [this](const std::stop_token& stop) { return loaded_secrets(stop); },
      [this](const std::stop_token& stop) -> Status {
        KH_ASSIGN(const auto lines, load_and_apply(stop));
        static_cast<void>(lines);
        return {};
      }};
}

Status Reloader::seal(std::vector<std::pair<std::string, Secret>> secrets,
                      const std::stop_token& stop) {
  const auto shared =
      std::make_shared<const std::vector<std::pair<std::string, Secret>>>(std::move(secrets));
  const auto command = [shared](Engine& engine, Instant now) {
    return engine.seal(*shared, now).pending();
  };
  KH_ASSIGN(const bool saved, ask_loop<bool>(command, stop));
  static_cast<void>(saved);
  return {};
}

Result<Secrets> Reloader::loaded_secrets(const std::stop_token& stop) {
  return ask_loop<Secrets>(
      [](Engine& engine, Instant) {
        Promise<Secrets> all;
        all.set(engine.secrets());
        return all.pending();
      },
      stop);
}

// What a command of the loop answers, waited for on the thread of the jobs.
template <class T, class Command>
Result<T> Reloader::ask_loop(Command command, const std::stop_token& stop) {
  const Clock& clock = parts_.options.clock;
  const SteadyTime deadline = clock.now().steady + kPatience;
  Promise<api::Pending<T>> started;
  if (!parts_.events.push(Call{[started, command](Engine& engine, Instant now) {
                            started.set(command(engine, now));
                          }},
                          stop))
    return fail(ErrorCode::cancelled, "the agent is stopping");
  const auto outer = started.pending();
  while (!stop.stop_requested()) {
    if (const auto inner = outer()) {
      if (auto outcome = (**inner)())
        return std::move(*outcome);
    }
    if (clock.now().steady >= deadline)
      return fail(ErrorCode::unavailable, "the state cannot be saved now; try again");
    rest(clock, kAskEvery, stop);
  }
  return fail(ErrorCode::cancelled, "the agent is stopping");
}

void Reloader::note(const std::string& actor, const Result<std::vector<std::string>>& outcome) {
  model::AuditEntry entry{
      .actor = actor, .act = outcome ? model::AuditAct::reloaded : model::AuditAct::not_reloaded};
  if (!outcome)
    entry.text = printable(outcome.error().message, std::string::npos);
  else
    entry.text =
        outcome->empty() ? "nothing changed" : fmt::format("{}", fmt::join(*outcome, "; "));
  static_cast<void>(parts_.events.try_push(
      Call{[entry](Engine& engine, Instant now) { engine.note(entry, now); }}));
}

Result<std::vector<std::string>> Reloader::load_and_apply(const std::stop_token& stop) {
  const AgentOptions& options = parts_.options;
  auto loaded = config::load_config(options.config_path, options.files, options.load);
  if (!loaded.errors.empty()) {
    std::string text;
    for (const config::Problem& problem : loaded.errors)
      text += (text.empty() ? "" : "\n") + config::to_string(problem);
    return refuse(text);
  }
  auto setup = make_setup(std::move(*loaded.config), parts_.setup_parts(), stop);
  if (!setup)
    return refuse(setup.error().message);
  const auto before = parts_.published.setup();
  if (auto fixed = config::needs_restart(before->config.agent, (*setup)->config.agent);
      !fixed.empty())
    options.log.warn("{} needs a restart to change", fixed);
  if (auto applied = apply(*setup, stop); !applied)
    return refuse(applied.error().message);
  parts_.certificate.use((*setup)->config.tls, (*setup)->certificate);
  release_free_memory();
  auto lines = config::describe_changes(before->config, (*setup)->config);
  for (const std::string& line : lines)
    options.log.info("reload: {}", line);
  return lines;
}

tl::unexpected<Error> Reloader::refuse(const std::string& why) {
  static_cast<void>(
      parts_.events.try_push(Call{[why](Engine& engine, Instant) { engine.reload_failed(why); }}));
  return fail(ErrorCode::invalid, why);
}

// Between two commits, for which it may have to wait a moment.
Status Reloader::apply(const std::shared_ptr<const Setup>& setup, const std::stop_token& stop) {
  const Clock& clock = parts_.options.clock;
  const SteadyTime deadline = clock.now().steady + kPatience;
  while (true) {
    const auto applied = ask_loop<bool>(
        [setup](Engine& engine, Instant now) {
          const Status done = engine.reconfigure(setup, now);
          Promise<bool> outcome;
          outcome.set(done ? Result<bool>(true) : fail(done.error()));
          return outcome.pending();
        },
        stop);
    if (applied)
      return await_step(stop);
    if (applied.error().code != ErrorCode::unavailable || clock.now().steady >= deadline)
      return fail(applied.error());
    rest(clock, kAskEvery, stop);
  }
}

// What was changed by a command is published: an event that comes later has had a step before it.
Status Reloader::await_step(const std::stop_token& stop) {
  const auto nothing = [](Engine&, Instant) {
    Promise<bool> done;
    done.set(true);
    return done.pending();
  };
  KH_ASSIGN(const bool done, ask_loop<bool>(nothing, stop));
  static_cast<void>(done);
  return {};
}

}  // namespace keyherd::engine
