#include "engine/agent.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "api/routes.hpp"
#include "base/bounded_queue.hpp"
#include "base/memory.hpp"
#include "base/random.hpp"
#include "base/time_text.hpp"
#include "config/diff.hpp"
#include "config/secrets.hpp"
#include "engine/alerting.hpp"
#include "engine/certificate.hpp"
#include "engine/control.hpp"
#include "engine/engine.hpp"
#include "engine/published.hpp"
#include "engine/workers.hpp"
#include "metrics/catalogue.hpp"
#include "net/server.hpp"
#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"

namespace keyherd::engine {

namespace {

constexpr std::size_t kEventQueue = 8'192;
// Consumers that wait for another key and pages that follow events, and room for all others.
constexpr std::size_t kMostWaiting = 5'000;
constexpr std::size_t kMostConnections = 8'192;
constexpr std::chrono::seconds kReloadPatience{20};
constexpr std::string_view kInstallationKey = "installation_key";

// Whoever may write the directory may put another file in the state's place.
Status check_directory(const std::string& state, const FileSystem& files) {
  constexpr unsigned kOthersMayWrite = 0002;
  constexpr unsigned kSticky = 01000;
  const std::string directory = directory_of(state);
  const auto stat = files.stat(directory);
  if (stat && (stat->mode & kOthersMayWrite) != 0 && (stat->mode & kSticky) == 0)
    return fail(ErrorCode::denied, "agent.state: everybody may write the directory " + directory +
                                       "; run: chmod o-w " + directory);
  return {};
}

Result<std::unique_ptr<store::Store>> open_store(const config::AgentSettings& agent,
                                                 const FileSystem& files) {
  if (agent.state == ":memory:")
    return store::make_memory_store();
  KH_TRY(check_directory(agent.state, files));
  return store::open_sqlite_store({agent.state, false});
}

// The key of this installation's fingerprints: made once, kept in the store.
Result<std::string> installation_key(store::Store& store, const store::State& state) {
  if (const auto known = state.settings.find(std::string(kInstallationKey));
      known != state.settings.end())
    return known->second;
  store::Batch batch;
  const std::string key = to_hex(random_bytes(32));
  batch.settings[std::string(kInstallationKey)] = key;
  KH_TRY(store.commit(batch));
  return key;
}

Result<store::State> load_state(const config::AgentSettings& agent, const FileSystem& files,
                                std::unique_ptr<store::Store>& store) {
  KH_ASSIGN(store, open_store(agent, files));
  auto state = store->load();
  if (!state)
    return fail(with_context(state.error(), "loading " + agent.state));
  return state;
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

class RunningAgent final : public Agent {
 public:
  explicit RunningAgent(const AgentOptions& options)
      : options_(options),
        events_(kEventQueue),
        random_(random_seed()),
        certificate_(options.files, options.clock, options.log) {}

  ~RunningAgent() override { stop(); }

  Status start(config::Config config) {
    make_exposition(config.agent.drop_metrics);
    std::unique_ptr<store::Store> store;
    auto state = load_state(config.agent, options_.files, store);
    if (!state && state.error().code == ErrorCode::corrupt && options_.replace_corrupt_state) {
      store.reset();
      KH_ASSIGN(const std::string aside,
                store::set_aside_sqlite_file(config.agent.state, options_.clock.now().wall));
      options_.log.error("{}; it is kept as {}: all totals and beliefs begin anew",
                         state.error().message, aside);
      state = load_state(config.agent, options_.files, store);
    }
    if (!state)
      return fail(state.error());
    KH_ASSIGN(installation_key_, installation_key(*store, *state));
    KH_TRY(open_keyring(config.agent, state->sealed));
    KH_ASSIGN(auto setup, make_setup(std::move(config), setup_parts(), {}));
    auto journal = open_audit(setup->config.agent, *state);
    auto opened = check_audit(journal.get(), *state);
    start_workers(std::move(store), std::move(journal), *setup,
                  {std::move(state->cursors), std::move(state->seen)});
    engine_ = std::make_unique<Engine>(
        EngineOptions{*workers_, [this](Event event) { post(std::move(event)); }, random_,
                      options_.log, published_, keyring_.get(), std::move(opened)});
    const Instant now = options_.clock.now();
    KH_TRY(engine_->start(setup, *state, now));
    engine_->step(now);
    KH_TRY(start_server(*setup));
    loop_ = std::jthread([this](const std::stop_token& stop) { run_loop(stop); });
    start_alerting(setup->config.agent);
    certificate_.start_watching();
    options_.log.info("listening on {}://{}:{}", setup->certificate ? "https" : "http",
                      setup->config.agent.listen_address, server_->port());
    return {};
  }

  int port() const override { return server_->port(); }

  void reload() override { start_reload("signal", {}); }

  bool answers(std::chrono::nanoseconds within) override {
    const SteadyTime deadline = options_.clock.now().steady + within;
    Promise<bool> answer;
    if (!events_.try_push(Call{[answer](Engine&, Instant) { answer.set(true); }}))
      return false;  // the queue is full, and has been drained by nobody
    const auto pending = answer.pending();
    while (!pending()) {
      if (options_.clock.now().steady >= deadline)
        return false;
      pause(loop_.get_stop_token());
    }
    return true;
  }

  void stop() override {
    if (stopped_.exchange(true))
      return;
    const auto started = options_.clock.now().steady;
    if (reloader_.joinable()) {
      reloader_.request_stop();
      reloader_.join();
    }
    certificate_.stop();
    if (server_)
      server_->stop();
    if (alerting_)
      alerting_->stop();
    note_stop();
    if (workers_)
      workers_->stop_sources();  // no new evidence; what was read is still committed
    if (loop_.joinable()) {
      loop_.request_stop();
      loop_.join();
    }
    if (workers_)
      workers_->stop();
    options_.log.info("stopped after {}", describe_duration(options_.clock.now().steady - started));
  }

 private:
  SetupParts setup_parts() const {
    return SetupParts{options_.environment, options_.files, options_.redactor,
                      installation_key_,    keyring_.get(), listening_on_};
  }

  std::unique_ptr<audit::Journal> open_audit(const config::AgentSettings& agent,
                                             const store::State& state) const {
    if (agent.audit.empty())
      return nullptr;
    return audit::make_file_journal(
        {agent.audit, static_cast<std::uint64_t>(agent.audit_max_bytes), audit_head(state)},
        options_.files);
  }

  // An audit log that cannot be opened stops nobody: what it misses is written when it can be.
  std::optional<audit::Appended> check_audit(audit::Journal* journal,
                                             const store::State& state) const {
    if (journal == nullptr)
      return std::nullopt;
    auto opened = journal->append({});
    if (opened)
      return std::move(*opened);
    options_.log.error("{}; its entries wait in the state, nothing else is held up",
                       opened.error().message);
    return audit::Appended{audit_head(state), {}};
  }

  Status open_keyring(const config::AgentSettings& agent,
                      const std::map<std::string, store::SealedSecret>& sealed) {
    if (!agent.master_key)
      return {};
    const auto text = config::resolve_secret(
        *agent.master_key, {options_.environment, options_.files, std::chrono::seconds(10), {}});
    if (!text)
      return fail(with_context(text.error(), "agent.master_key"));
    options_.redactor.add(*text);
    KH_ASSIGN(store::MasterKey master, store::MasterKey::parse(*text));
    keyring_ = std::make_unique<store::Keyring>(std::move(master), sealed);
    return {};
  }

  Result<Secret> resolve(const model::SecretRef& reference, const std::stop_token& stop) const {
    config::SecretSources sources{
        options_.environment, options_.files, std::chrono::seconds(10), {}};
    if (keyring_)
      sources.keyring = [this](const std::string& id) { return keyring_->get(id); };
    auto secret = config::resolve_secret(reference, sources, stop);
    if (secret)
      options_.redactor.add(*secret);
    return secret;
  }

  void start_workers(std::unique_ptr<store::Store> store, std::unique_ptr<audit::Journal> journal,
                     const Setup& setup, Tailed tailed) {
    WorkerOptions workers{options_.files,
                          options_.clock,
                          options_.redactor,
                          options_.log,
                          setup.config.agent.probe_workers,
                          {setup.config.agent.max_request_ids, setup.config.agent.keep_request_ids},
                          {},
                          {},
                          {}};
    workers.resolve = [this](const model::SecretRef& reference, const std::stop_token& stop) {
      return resolve(reference, stop);
    };
    workers.post = [this](Event event, const std::stop_token& stop) {
      return events_.push(std::move(event), stop);
    };
    workers.notify_readers = [this] {
      if (server_)
        server_->wake();
    };
    workers_ = start_worker_threads(std::move(workers), std::move(store), std::move(journal),
                                    std::move(tailed));
  }

  Status start_server(const Setup& setup) {
    control_ = make_control({published_,
                             [this](Event event) { return events_.try_push(std::move(event)); },
                             [this](auto job) { return workers_->try_with_store(std::move(job)); },
                             [this](auto job) { return workers_->try_with_audit(std::move(job)); },
                             [this](Delivery lines) { return workers_->deliver(std::move(lines)); },
                             [this](const std::string& actor, auto promise) {
                               start_reload(actor, std::move(promise));
                             },
                             [this] {
                               if (server_)
                                 server_->wake();
                             },
                             options_.clock});
    const api::ApiParts parts{*control_, *exposition_, options_.clock,
                              [this] { return published_.setup()->access; }, published_.events()};
    net::ServerOptions server;
    server.address = setup.config.agent.listen_address;
    server.port = setup.config.agent.listen_port;
    server.max_connections = std::min(kMostConnections, descriptor_limit() / 2);
    server.max_waiting = std::min(kMostWaiting, server.max_connections * 3 / 4);
    certificate_.use(setup.config.tls, setup.certificate);
    server.tls = [this] { return certificate_.current(); };
    api::install_hooks(server, parts);
    auto started = net::start_server(std::move(server), api::make_routes(parts));
    if (!started)
      return fail(
          with_context(started.error(), "listening on " + setup.config.agent.listen_address + ":" +
                                            std::to_string(setup.config.agent.listen_port)));
    server_ = std::move(*started);
    listening_on_ = setup.config.agent.listen_address;
    return {};
  }

  void make_exposition(std::vector<std::string> drop) {
    const auto known = metrics::catalogue();
    for (const std::string& name : drop)
      if (std::none_of(known.begin(), known.end(),
                       [&](const auto& row) { return row.name == name; }))
        options_.log.warn("agent.drop_metrics: there is no metric {}", name);
    metrics::ExpositionOptions served;
    served.drop = std::move(drop);
    exposition_ = std::make_unique<metrics::Exposition>(options_.build, options_.log_counts,
                                                        options_.clock, std::move(served));
  }

  void start_alerting(const config::AgentSettings& agent) {
    alerting_ = std::make_unique<Alerting>(
        published_, options_.clock, options_.log,
        agent.listen_address + ":" + std::to_string(server_->port()),
        [this](std::string_view target, const notify::Sent& sent) {
          // A count that finds no room is lost: the loop has more urgent things to do then.
          static_cast<void>(events_.try_push(Call{
              [kind = std::string(target), good = sent.good, failed = sent.failed](
                  Engine& engine, Instant) { engine.count_notifications(kind, good, failed); }}));
        });
  }

  void note_stop() {
    if (!loop_.joinable())
      return;
    static_cast<void>(events_.try_push(Call{[](Engine& engine, Instant now) {
      engine.note({.act = model::AuditAct::stopped, .text = "in order"}, now);
    }}));
  }

  // From a worker, which must not lose what it found out; the loop drains the queue until the end.
  void post(Event event) {
    if (!events_.push(std::move(event), loop_.get_stop_token()))
      options_.log.warn("an event came after the end of the loop");
  }

  void run_loop(const std::stop_token& stop) {
    SteadyTime deadline = options_.clock.now().steady;
    while (!stop.stop_requested()) {
      for (Event& event : events_.pop_all(deadline, stop))
        engine_->handle(std::move(event), options_.clock.now());
      deadline = engine_->step(options_.clock.now());
    }
  }

  void start_reload(const std::string& actor,
                    std::optional<Promise<std::vector<std::string>>> promise) {
    MutexLock lock(reload_mutex_);
    if (stopped_)
      return;
    if (reloader_.joinable())
      reloader_.join();  // one at a time; each is short
    reloader_ = std::jthread([this, actor, promise](const std::stop_token& stop) {
      auto outcome = load_and_apply(stop);
      note_reload(actor, outcome);
      if (!outcome)
        options_.log.error("the configuration was not reloaded, the old one stays: {}",
                           outcome.error().message);
      if (promise)
        promise->set(std::move(outcome));
      server_->wake();
    });
  }

  void note_reload(const std::string& actor, const Result<std::vector<std::string>>& outcome) {
    model::AuditEntry entry{
        .actor = actor, .act = outcome ? model::AuditAct::reloaded : model::AuditAct::not_reloaded};
    if (!outcome)
      entry.text = one_line(outcome.error().message);
    else
      entry.text =
          outcome->empty() ? "nothing changed" : fmt::format("{}", fmt::join(*outcome, "; "));
    static_cast<void>(
        events_.try_push(Call{[entry](Engine& engine, Instant now) { engine.note(entry, now); }}));
  }

  Result<std::vector<std::string>> load_and_apply(const std::stop_token& stop) {
    auto loaded = config::load_config(options_.config_path, options_.files, options_.load);
    if (!loaded.errors.empty()) {
      std::string text;
      for (const config::Problem& problem : loaded.errors)
        text += (text.empty() ? "" : "\n") + config::to_string(problem);
      return reload_failed(text);
    }
    auto setup = make_setup(std::move(*loaded.config), setup_parts(), stop);
    if (!setup)
      return reload_failed(setup.error().message);
    const auto before = published_.setup();
    if (auto fixed = unchangeable(before->config.agent, (*setup)->config.agent); !fixed.empty())
      options_.log.warn("{} needs a restart to change", fixed);
    if (auto applied = apply(*setup, stop); !applied)
      return reload_failed(applied.error().message);
    certificate_.use((*setup)->config.tls, (*setup)->certificate);
    release_free_memory();
    auto lines = config::describe_changes(before->config, (*setup)->config);
    for (const std::string& line : lines)
      options_.log.info("reload: {}", line);
    return lines;
  }

  static std::string unchangeable(const config::AgentSettings& before,
                                  const config::AgentSettings& after) {
    if (before.listen_address != after.listen_address || before.listen_port != after.listen_port)
      return "agent.listen";
    if (before.state != after.state)
      return "agent.state";
    if (before.audit != after.audit || before.audit_max_bytes != after.audit_max_bytes)
      return "agent.audit";
    if (before.drop_metrics != after.drop_metrics)
      return "agent.drop_metrics";
    if (before.max_request_ids != after.max_request_ids ||
        before.keep_request_ids != after.keep_request_ids)
      return "agent.max_request_ids";
    if (before.master_key != after.master_key)
      return "agent.master_key";
    return before.probe_workers != after.probe_workers ? "agent.probe_workers" : "";
  }

  tl::unexpected<Error> reload_failed(const std::string& why) {
    static_cast<void>(
        events_.try_push(Call{[why](Engine& engine, Instant) { engine.reload_failed(why); }}));
    return fail(ErrorCode::invalid, why);
  }

  // Between two commits, for which it may have to wait a moment.
  Status apply(const std::shared_ptr<const Setup>& setup, const std::stop_token& stop) {
    const SteadyTime deadline = options_.clock.now().steady + kReloadPatience;
    while (true) {
      Promise<bool> applied;
      const bool taken = events_.push(Call{[setup, applied](Engine& engine, Instant now) {
                                        const Status done = engine.reconfigure(setup, now);
                                        applied.set(done ? Result<bool>(true) : fail(done.error()));
                                      }},
                                      stop);
      const auto outcome = taken ? wait_for(applied, stop) : std::nullopt;
      if (!outcome)
        return fail(ErrorCode::cancelled, "the agent is stopping");
      if (*outcome)
        return {};
      if (outcome->error().code != ErrorCode::unavailable ||
          options_.clock.now().steady >= deadline)
        return fail(outcome->error());
      pause(stop);
    }
  }

  std::optional<Result<bool>> wait_for(const Promise<bool>& promise, const std::stop_token& stop) {
    const auto pending = promise.pending();
    while (!stop.stop_requested()) {
      if (auto outcome = pending())
        return outcome;
      pause(stop);
    }
    return std::nullopt;
  }

  // A reload is rare and may take its time: it looks again every few milliseconds.
  void pause(const std::stop_token& stop) {
    Mutex mutex;
    Condition never;
    MutexLock lock(mutex);
    never.wait_until(mutex, options_.clock.now().steady + std::chrono::milliseconds(5), stop);
  }

  AgentOptions options_;
  BoundedQueue<Event> events_;
  SeededRandom random_;
  Published published_;
  std::unique_ptr<metrics::Exposition> exposition_;
  std::string installation_key_;
  std::unique_ptr<store::Keyring> keyring_;  // none without agent.master_key
  std::unique_ptr<WorkerThreads> workers_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<api::Control> control_;
  Certificate certificate_;
  std::unique_ptr<net::Server> server_;
  std::string listening_on_;  // empty before the server is there
  std::unique_ptr<Alerting> alerting_;
  Mutex reload_mutex_;
  std::jthread reloader_;
  std::jthread loop_;
  std::atomic<bool> stopped_{false};
};

}  // namespace

Result<std::unique_ptr<Agent>> start_agent(const AgentOptions& options, config::Config config) {
  auto agent = std::make_unique<RunningAgent>(options);
  KH_TRY(agent->start(std::move(config)));
  release_free_memory();  // of the configuration's text and the state that was read
  return agent;
}

}  // namespace keyherd::engine
