#pragma once

// The whole agent in one thread: a manual clock, a scripted provider, files and store in memory,
// every effect done at once. What the loop would do over a week happens in advance(week).

#include <algorithm>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/time_text.hpp"
#include "config/load.hpp"
#include "engine/engine.hpp"
#include "rotation/runner.hpp"
#include "store/keyring.hpp"
#include "store/memory_store.hpp"
#include "support/manual_clock.hpp"
#include "support/memory_files.hpp"
#include "support/scripted_transport.hpp"
#include "usage/tailer.hpp"

namespace keyherd::test {

inline net::HttpResponse told_off(int status) {
  net::HttpResponse response;
  response.status = status;
  response.latency = std::chrono::milliseconds(80);
  response.body = R"({"error":{"message":"refused","type":"x","code":"y"}})";
  return response;
}

// How the provider treats each secret, and whether it is up at all. It refuses secrets that are not
// of this world.
struct FakeProvider {
  std::map<std::string, int> status;  // by secret; absent: 200
  int outage = 0;                     // answers everybody with this
  std::string balance = "10.00";
  std::int64_t probes = 0;
  std::string retry_after;  // with a 429
  // Requests whose URL ends so, or whose body is so, are answered well whatever the key; "" for
  // all.
  std::vector<std::string> open;

  Result<net::HttpResponse> answer(const RecordedRequest& request) {
    ++probes;
    const auto found = status.find(request.secret);
    const int known = request.secret.starts_with("sk-world-") ? 200 : 401;
    const bool is_open = std::any_of(open.begin(), open.end(), [&](const std::string& what) {
      return what.empty() || request.url.ends_with(what) || request.body == what;
    });
    if (is_open && outage == 0)
      return answer_well(request);
    const int code = outage != 0 ? outage : found == status.end() ? known : found->second;
    if (code == 200)
      return answer_well(request);
    net::HttpResponse response = told_off(code);
    if (code == 429 && !retry_after.empty())
      response.headers.emplace("retry-after", retry_after);
    return response;
  }

  net::HttpResponse answer_well(const RecordedRequest& request) const {
    net::HttpResponse response;
    response.status = 200;
    response.latency = std::chrono::milliseconds(80);
    if (request.url.ends_with("/models"))
      response.body = R"({"object":"list","data":[{"id":"deepseek-flash","object":"model"}]})";
    else if (request.url.ends_with("/user/balance"))
      response.body =
          R"({"is_available":true,"balance_infos":[{"currency":"USD","total_balance":")" + balance +
          R"(","granted_balance":"0.00","topped_up_balance":")" + balance + R"("}]})";
    else if (request.body == "{}") {
      response.status = 400;
      response.body = R"({"error":{"message":"messages is required"}})";
    } else
      response.body =
          R"({"id":"x","object":"chat.completion","model":"deepseek-flash","choices":[{"index":0,)"
          R"("message":{"role":"assistant","content":"p"},"finish_reason":"length"}],)"
          R"("usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9}})";
    return response;
  }
};

// Reads go to the store behind it, nothing can be written.
class FullStore final : public store::Store {
 public:
  explicit FullStore(store::Store& store) : store_(store) {}
  Result<store::State> load() override { return store_.load(); }
  Status commit(const store::Batch&) override { return fail(full()); }
  Status each_usage(const store::UsageQuery& query, const store::UsageVisitor& visit) override {
    return store_.each_usage(query, visit);
  }
  Result<std::vector<model::MinuteRow>> minutes(const store::UsageQuery& query) override {
    return store_.minutes(query);
  }
  Result<std::vector<model::BalanceDrop>> balance_drops(const store::UsageQuery& query) override {
    return store_.balance_drops(query);
  }
  Result<std::vector<model::Evidence>> evidence(const store::HistoryQuery& query) override {
    return store_.evidence(query);
  }
  Result<std::vector<model::StateChange>> changes(const store::HistoryQuery& query) override {
    return store_.changes(query);
  }
  Result<std::vector<model::Rotation>> rotations(const std::string& pool,
                                                 std::size_t limit) override {
    return store_.rotations(pool, limit);
  }
  Result<bool> roll_up(const store::RollUp&) override { return fail(full()); }
  Status prune(WallTime, WallTime, WallTime) override { return fail(full()); }

 private:
  static Error full() { return {ErrorCode::no_space, "the disk is full"}; }
  store::Store& store_;
};

// An audit log that nothing can be written to.
class FullJournal final : public audit::Journal {
 public:
  Result<audit::Appended> append(const std::vector<audit::Line>&) override {
    return fail(ErrorCode::no_space, "audit log: writing keyherd.audit.jsonl: No space left");
  }
  Result<std::vector<model::AuditEntry>> read(const audit::Query&) override { return {}; }
};

class World : public engine::Effects {
 public:
  explicit World(std::string config)
      : store(store::make_memory_store()), config_(std::move(config)) {
    transport.set_rule([this](const RecordedRequest& request) { return provider.answer(request); });
    files.fault = [this](std::string_view operation, const std::string&) -> Status {
      return disk_full && operation == "write_atomic"
                 ? Status(fail(ErrorCode::no_space, "the disk is full"))
                 : Status();
    };
  }

  // A new process on what the store has.
  void start() {
    const auto state = store->load();
    keyring = std::make_unique<store::Keyring>(
        store::MasterKey::parse(Secret(std::string(64, 'a'))).value(), state->sealed);
    const auto setup = set_up();
    events_.clear();
    tailer = std::make_unique<usage::Tailer>(files, std::vector<model::UsageLog>{}, state->cursors);
    tailer->restore_seen(state->seen);
    engine_ = std::make_unique<engine::Engine>(engine::EngineOptions{
        *this, [this](engine::Event event) { events_.push_back(std::move(event)); }, random, *log,
        published, keyring.get(), audit::Appended{}});
    if (!setup || !state || !engine_->start(*setup, *state, clock.now()))
      throw std::runtime_error("the engine does not start");
    settle();
  }

  // As after a signal; with an error the configuration stays, and so does it with the next start.
  Status reload(std::string config) {
    std::swap(config_, config);
    Status done = engine_->reconfigure(set_up().value(), clock.now());
    if (!done)
      std::swap(config_, config);
    settle();
    return done;
  }

  static std::string secret_of(const std::string& key) { return "sk-world-" + key; }

  // Everything that is due now, and what follows from it.
  void settle() {
    do {
      poll_logs();
      while (!events_.empty()) {
        engine::Event event = std::move(events_.front());
        events_.pop_front();
        engine_->handle(std::move(event), clock.now());
      }
      next_ = engine_->step(clock.now());
    } while (!events_.empty() || next_ <= clock.now().steady);
  }

  // Time passes from one deadline to the next, as the loop would let it.
  void advance(std::chrono::nanoseconds by) {
    const SteadyTime end = clock.now().steady + by;
    while (clock.now().steady < end) {
      const auto wait =
          std::min(end, std::max(next_, clock.now().steady + std::chrono::milliseconds(1))) -
          clock.now().steady;
      clock.advance(wait);
      settle();
    }
  }

  // As a person would, by hand.
  void ask(const std::string& key) { asked_ = engine_->probe(key, "test", clock.now()); }
  void pause(const std::string& key) {
    if (!engine_->pause(key, "test", clock.now()))
      throw std::runtime_error("no key " + key);
    settle();
  }
  // A command, as the API posts it.
  void call(const std::function<void(engine::Engine&, Instant)>& command) {
    events_.emplace_back(engine::Call{command});
    settle();
  }

  // Lines that came by another way than a file.
  void arrive(const model::Tally& tally) {
    events_.emplace_back(engine::TallyArrived{tally});
    settle();
  }

  model::SnapshotPtr snapshot() const { return published.snapshot(); }
  const model::KeyView& key(const std::string& id) const {
    return *model::find_key(*snapshot(), id);
  }
  const model::PoolView& pool(const std::string& id) const {
    return *model::find_pool(*snapshot(), id);
  }
  model::KeyState state(const std::string& id) const { return key(id).health.state; }
  std::string active(const std::string& pool) const { return this->pool(pool).state.active; }
  // What the agent tells of a key; answered like a command.
  model::KeyStory explain(const std::string& id, WallTime at) {
    const auto pending = engine_->explain(id, at, clock.now()).pending();
    settle();
    const auto story = pending();
    if (!story || !*story)
      throw std::runtime_error("no story of " + id);
    return **story;
  }
  nlohmann::json file(const std::string& path) const { return *parse_json(files.content(path)); }

  void log_line(const std::string& key, int status, std::int64_t tokens = 0) {
    files.append("usage.jsonl", dump_json({{"ts", format_rfc3339(clock.now().wall)},
                                           {"key", key},
                                           {"model", "deepseek-flash"},
                                           {"input_tokens", tokens},
                                           {"output_tokens", 0},
                                           {"status", status}}) +
                                    "\n");
  }

  // Effects
  bool start_probe(engine::ProbeOrder order) override {
    engine::ProbeFinished finished;
    finished.order = order.id;
    finished.evidence = probe::run_probe(order.job, *wire, redactor, clock, {});
    events_.emplace_back(std::move(finished));
    return true;
  }
  void run_step(engine::StepOrder order) override {
    effect();
    events_.emplace_back(engine::StepFinished{carry_out(order)});
    effect();
  }
  void with_store(std::function<void(store::Store&)> job) override {
    if (store_fails) {
      FullStore full(*store);
      job(full);
      return;
    }
    effect();
    job(*store);
    effect();
  }
  void with_audit(std::function<void(audit::Journal&)> job) override {
    FullJournal full;
    effect();
    job(audit_log_fails ? static_cast<audit::Journal&>(full) : *journal);
    effect();
  }
  void acknowledge(const std::string& source, std::uint64_t batch) override {
    tailer->committed(source, batch);
  }
  void refuse(const std::string& source, std::uint64_t batch) override {
    tailer->rejected(source, batch);
  }
  void configure_usage(std::vector<model::UsageLog> logs,
                       std::shared_ptr<const model::UsageContext> context) override {
    tailer->set_logs(std::move(logs));
    tailer->set_context(std::move(context));
  }
  void notify_readers() override {}

  ManualClock clock;
  FakeProvider provider;
  ScriptedTransport transport;
  net::Transport* wire = &transport;  // what probes, hooks and issuers use
  std::unique_ptr<store::Keyring> keyring;
  // Called before and after each effect, and may throw: then the process has died there.
  std::function<void()> effect = [] {};
  MemoryFileSystem files;
  Redactor redactor;
  SeededRandom random{42};
  std::shared_ptr<spdlog::logger> log = make_null_logger();
  engine::Published published;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<usage::Tailer> tailer;
  std::unique_ptr<audit::Journal> journal = audit::make_memory_journal();
  int published_steps = 0;
  bool store_fails = false;
  bool disk_full = false;  // no file can be published
  bool audit_log_fails = false;
  std::vector<model::AuditEntry> audited() const { return journal->read({}).value(); }

 private:
  Result<std::shared_ptr<const engine::Setup>> set_up() {
    config::LoadResult loaded = config::parse_config(config_, "keyherd.toml", files);
    for (const auto& problem : loaded.errors)
      throw std::runtime_error(config::to_string(problem));
    std::map<std::string, std::string> variables;
    for (const model::Key& key : loaded.config->keys) {
      if (key.secret.kind == model::SecretRef::Kind::env)
        variables[key.secret.name] = secret_of(key.id);
    }
    const FixedEnvironment environment(variables);
    return engine::make_setup(std::move(*loaded.config),
                              {environment, files, redactor, "installation", keyring.get()}, {});
  }

  rotation::StepDone carry_out(const engine::StepOrder& order) {
    if (engine::is_issuers(order.request.kind)) {
      const Secret admin("sk-admin-secret");
      return rotation::run_issue(order.request, {*order.issuer, order.slot, order.secret.get()},
                                 {*wire, redactor, &admin}, {});
    }
    ++published_steps;
    if (!order.secret)
      return rotation::fail_step(order.request, Error{ErrorCode::unavailable, "no secret"});
    const rotation::PublishContext context{files, *wire, redactor, {}};
    return rotation::run_step(order.request, *order.secret, context, {});
  }

  void poll_logs() {
    for (model::Tally& tally : tailer->poll(clock.now()))
      events_.emplace_back(engine::TallyArrived{std::move(tally)});
  }

  std::string config_;
  std::deque<engine::Event> events_;
  std::unique_ptr<engine::Engine> engine_;
  SteadyTime next_{};
  std::optional<engine::Promise<model::Evidence>> asked_;
};

}  // namespace keyherd::test
