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
#include "base/threads.hpp"
#include "base/time_text.hpp"
#include "config/secrets.hpp"
#include "engine/alerting.hpp"
#include "engine/certificate.hpp"
#include "engine/control.hpp"
#include "engine/engine.hpp"
#include "engine/opening.hpp"
#include "engine/published.hpp"
#include "engine/reloader.hpp"
#include "engine/workers.hpp"
#include "metrics/catalogue.hpp"
#include "net/server.hpp"

namespace keyherd::engine {

namespace {

constexpr std::size_t kEventQueue = 8'192;
// Consumers that wait for another key and pages that follow events, and room for all others.
constexpr std::size_t kMostWaiting = 5'000;
constexpr std::size_t kMostConnections = 8'192;
// What a round of probes leaves behind is a tenth of the memory of a large herd.
constexpr std::chrono::minutes kTidyEvery{1};
// How often a watchdog looks whether the loop has answered it.
constexpr std::chrono::milliseconds kWatchEvery{5};

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
    KH_ASSIGN(OpenState opened,
              open_state(config.agent, {options_.files, options_.clock,
                                        options_.replace_corrupt_state, options_.log}));
    installation_key_ = opened.installation_key;
    KH_TRY(open_keyring(config.agent, opened.state.sealed));
    KH_ASSIGN(auto setup, make_setup(std::move(config), setup_parts(), {}));
    OpenAudit audit = open_audit(setup->config.agent, opened.state, options_.files, options_.log);
    start_workers(std::move(opened.store), std::move(audit.journal), *setup,
                  {std::move(opened.state.cursors), std::move(opened.state.seen)});
    engine_ = std::make_unique<Engine>(
        EngineOptions{*workers_, [this](Event event) { post(std::move(event)); }, random_,
                      options_.log, published_, keyring_.get(), std::move(audit.checked)});
    const Instant now = options_.clock.now();
    KH_TRY(engine_->start(setup, std::move(opened.state), now));
    engine_->step(now);
    reloader_ = std::make_unique<Reloader>(
        ReloaderParts{options_, events_, published_, certificate_, keyring_.get(),
                      [this] { return setup_parts(); }, [this] { wake_readers(); }});
    KH_TRY(start_server(*setup));
    loop_ = std::jthread([this] {
      name_thread("kh-loop");
      run_loop(loop_ends_.get_token());
    });
    start_alerting(setup->config.agent);
    certificate_.start_watching();
    options_.log.info("listening on {}://{}:{}", setup->certificate ? "https" : "http",
                      setup->config.agent.listen_address, server_->port());
    return {};
  }

  int port() const override { return server_->port(); }

  void reload() override { reloader_->reload("signal", {}); }

  bool answers(std::chrono::nanoseconds within) override {
    const SteadyTime deadline = options_.clock.now().steady + within;
    Promise<bool> answer;
    if (!events_.try_push(Call{[answer](Engine&, Instant) { answer.set(true); }}))
      return false;  // the queue is full, and has been drained by nobody
    const auto pending = answer.pending();
    while (!pending()) {
      if (options_.clock.now().steady >= deadline)
        return false;
      rest(options_.clock, kWatchEvery, loop_ends_.get_token());
    }
    return true;
  }

  void stop() override {
    if (stopped_.exchange(true))
      return;
    const auto started = options_.clock.now().steady;
    if (reloader_)
      reloader_->stop();
    if (server_)
      server_->stop();
    if (alerting_)
      alerting_->stop();
    note_stop();
    if (workers_)
      workers_->stop_sources();  // no new evidence; what was read is still committed
    if (loop_.joinable()) {
      loop_ends_.request_stop();
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
                          {},
                          {}};
    workers.resolve = [this](const model::SecretRef& reference, const std::stop_token& stop) {
      return resolve(reference, stop);
    };
    workers.post = [this](Event event, const std::stop_token& stop) {
      return events_.push(std::move(event), stop);
    };
    workers.notify_readers = [this] { wake_readers(); };
    workers_ = start_worker_threads(std::move(workers), std::move(store), std::move(journal),
                                    std::move(tailed));
  }

  void wake_readers() {
    if (net::Server* server = serving_.load())
      server->wake();
  }

  Status start_server(const Setup& setup) {
    control_ = make_control(
        {published_, [this](Event event) { return events_.try_push(std::move(event)); },
         [this](auto job) { return workers_->try_with_store(std::move(job)); },
         [this](auto job) { return workers_->try_with_audit(std::move(job)); },
         [this](Delivery lines) { return workers_->deliver(std::move(lines)); },
         [this](const std::string& actor, auto promise) {
           reloader_->reload(actor, std::move(promise));
         },
         [this](auto command, auto promise) {
           reloader_->import(std::move(command), std::move(promise));
         },
         [this](auto passphrase, auto actor, auto promise) {
           reloader_->export_all(std::move(passphrase), actor, std::move(promise));
         },
         [this] { wake_readers(); }, options_.clock});
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
    serving_ = server_.get();
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
    if (!events_.push(std::move(event), loop_ends_.get_token()))
      options_.log.warn("an event came after the end of the loop");
  }

  void run_loop(const std::stop_token& stop) {
    SteadyTime deadline = options_.clock.now().steady;
    SteadyTime tidy_at = deadline + kTidyEvery;
    while (!stop.stop_requested()) {
      for (Event& event : events_.pop_all(deadline, stop))
        engine_->handle(std::move(event), options_.clock.now());
      deadline = engine_->step(options_.clock.now());
      if (const SteadyTime now = options_.clock.now().steady; now >= tidy_at) {
        release_free_memory();
        tidy_at = now + kTidyEvery;
      }
    }
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
  std::atomic<net::Server*> serving_{nullptr};  // for workers, which may commit before it is there
  std::string listening_on_;                    // empty before the server is there
  std::unique_ptr<Alerting> alerting_;
  std::unique_ptr<Reloader> reloader_;
  std::stop_source loop_ends_;  // of its own: workers ask for it before there is the loop
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
