#include "engine/control.hpp"

#include <algorithm>
#include <set>

#include "engine/reports.hpp"
#include "engine/timeline.hpp"

namespace keyherd::engine {

namespace {

// Old usage is kept in rows of up to a day, in whatever time zone.
constexpr std::chrono::hours kWidestRow{26};

// Falls in the range, with the usage of the whole stretch in which they happened.
Result<std::vector<model::WalletDrain>> drains_in(store::Store& store,
                                                  std::vector<quota::Wallet> wallets,
                                                  const api::UsageRange& range) {
  KH_ASSIGN(const auto drops, store.balance_drops({range.from, range.to, {}}));
  if (drops.empty())
    return std::vector<model::WalletDrain>{};
  quota::Drains drains(std::move(wallets));
  WallTime from = WallTime::max();
  WallTime to = WallTime::min();
  std::set<std::string> fallen;
  for (const model::BalanceDrop& drop : drops) {
    drains.add(drop);
    fallen.insert(drop.key);
    from = std::min(from, drop.since - kWidestRow);
    to = std::max(to, model::bucket_start(drop.bucket + 2));
  }
  store::UsageQuery query{from, to, {}};
  for (const quota::Wallet& wallet : drains.wallets()) {
    if (std::any_of(wallet.keys.begin(), wallet.keys.end(),
                    [&](const std::string& key) { return fallen.contains(key); }))
      query.keys.insert(query.keys.end(), wallet.keys.begin(), wallet.keys.end());
  }
  if (!query.keys.empty()) {
    KH_ASSIGN(const auto usage, store.usage(query));
    for (const model::UsageRow& row : usage)
      drains.add(row);
  }
  return drains.between(range.from.value_or(WallTime::min()), range.to.value_or(WallTime::max()));
}

// How long a key is left alone after what was reported of it.
struct Pause {
  std::chrono::nanoseconds lasts;
  bool until_ok;  // no longer, once it is seen to work
};
// By then the loop has the report as evidence, and has probed the key.
constexpr std::chrono::minutes kAfterRefusal{1};
constexpr std::chrono::seconds kAfterThrottling{5};
constexpr std::chrono::hours kLongestPause{1};

std::optional<Pause> pause_after(const api::UseReport& report) {
  // A bare 403 may be about the model that was asked for.
  const model::Verdict verdict = report.verdict.value_or(
      report.http_status == 403 ? model::Verdict::permission_denied
                                : model::verdict_from_status(report.http_status));
  switch (model::info(verdict).kind) {
    case model::VerdictClass::auth:
    case model::VerdictClass::quota:
      return Pause{std::min<std::chrono::nanoseconds>(report.retry_after.value_or(kAfterRefusal),
                                                      kLongestPause),
                   !report.retry_after};
    case model::VerdictClass::rate:
      return Pause{std::min<std::chrono::nanoseconds>(report.retry_after.value_or(kAfterThrottling),
                                                      kLongestPause),
                   false};
    case model::VerdictClass::good:
    case model::VerdictClass::provider:
    case model::VerdictClass::request:
      return std::nullopt;
  }
  return std::nullopt;
}

class LoopControl final : public api::Control {
 public:
  explicit LoopControl(ControlParts parts)
      : parts_(std::move(parts)), reports_(parts_.deliver, parts_.notify) {}

  model::SnapshotPtr snapshot() const override { return parts_.published.snapshot(); }

  Result<api::ActiveKey> active(const std::string& pool) const override {
    const auto keys = parts_.published.active();
    if (const auto found = keys->find(pool); found != keys->end())
      return found->second;
    if (model::find_pool(*snapshot(), pool) == nullptr)
      return fail(ErrorCode::not_found, "no pool '" + pool + "'");
    return fail(ErrorCode::unavailable, "pool " + pool + " has not published a key yet");
  }

  api::Pending<model::Rotation> rotate(api::RotateCommand command) override {
    return call<model::Rotation>([command = std::move(command)](Engine& engine, Instant now) {
      return engine.rotate(command, now).pending();
    });
  }
  api::Pending<model::Evidence> probe(const std::string& key, const std::string& actor) override {
    return call<model::Evidence>([key, actor](Engine& engine, Instant now) {
      return engine.probe(key, actor, now).pending();
    });
  }
  api::Pending<model::KeyHealth> pause(const std::string& key, const std::string& actor) override {
    return change<model::KeyHealth>(
        [key, actor](Engine& engine, Instant now) { return engine.pause(key, actor, now); });
  }
  api::Pending<model::KeyHealth> resume(const std::string& key, const std::string& actor) override {
    return change<model::KeyHealth>(
        [key, actor](Engine& engine, Instant now) { return engine.resume(key, actor, now); });
  }

  api::Pending<model::KeyStory> explain(const std::string& key,
                                        std::optional<WallTime> at) override {
    return call<model::KeyStory>([key, at](Engine& engine, Instant now) {
      return engine.explain(key, at.value_or(now.wall), now).pending();
    });
  }
  api::Pending<model::PoolView> freeze(const std::string& pool, model::Freeze freeze) override {
    return change<model::PoolView>([pool, freeze = std::move(freeze)](Engine& engine, Instant now) {
      return engine.freeze(pool, freeze, now);
    });
  }
  api::Pending<model::PoolView> unfreeze(const std::string& pool,
                                         const std::string& actor) override {
    return change<model::PoolView>(
        [pool, actor](Engine& engine, Instant now) { return engine.unfreeze(pool, actor, now); });
  }

  api::Pending<model::Drill> drill(api::DrillCommand command) override {
    return change<model::Drill>([command = std::move(command)](Engine& engine, Instant now) {
      return engine.drill(command, now);
    });
  }

  api::Pending<std::vector<std::string>> reload(const std::string& actor) override {
    Promise<std::vector<std::string>> promise;
    parts_.reload(actor, promise);
    return promise.pending();
  }

  api::Pending<api::ImportReport> import_keys(api::ImportCommand command) override {
    Promise<api::ImportReport> promise;
    parts_.import_keys(std::move(command), promise);
    return promise.pending();
  }
  api::Pending<std::string> export_keys(std::shared_ptr<const Secret> passphrase,
                                        const std::string& actor) override {
    Promise<std::string> promise;
    parts_.export_keys(std::move(passphrase), actor, promise);
    return promise.pending();
  }

  api::Pending<api::UsageAnswer> usage(
      std::function<Result<api::UsageAnswer>(const api::ReadUsage&)> make) override {
    return ask_store<api::UsageAnswer>([make](store::Store& store) {
      return make([&](const api::UsageRange& range, const api::UsageVisitor& visit) {
        return store.each_usage({range.from, range.to, range.keys}, visit);
      });
    });
  }
  api::Pending<std::vector<model::WalletDrain>> drains(api::UsageRange range) override {
    const auto setup = parts_.published.setup();
    return ask_store<std::vector<model::WalletDrain>>([range, setup](store::Store& store) {
      return drains_in(store, wallets_of(setup->config), range);
    });
  }
  api::Pending<api::DeliveryReport> deliver_usage(std::string log, std::string lines) override {
    Promise<api::DeliveryReport> promise;
    Delivery delivery{std::move(log), std::move(lines),
                      [promise, notify = parts_.notify](Result<api::DeliveryReport> report) {
                        promise.set(std::move(report));
                        notify();
                      }};
    if (!snapshot()->agent.ready)
      promise.set(fail(ErrorCode::unavailable, "the state cannot be saved now"));
    else if (!parts_.deliver(std::move(delivery)))
      promise.set(fail(ErrorCode::unavailable, "too many lines wait to be saved"));
    return promise.pending();
  }
  api::Pending<api::HandedOut> next(const std::string& pool,
                                    std::vector<std::string> exclude) override {
    return with_table<api::HandedOut>(
        pool, [this, exclude = std::move(exclude)](const rotation::Dispenser& table) {
          return settled<api::HandedOut>(hand_out(table, exclude));
        });
  }
  api::Pending<bool> report(const std::string& pool, api::UseReport report) override {
    return with_table<bool>(pool,
                            [this, report = std::move(report)](const rotation::Dispenser& table) {
                              return take_report(table, report);
                            });
  }
  api::Pending<std::vector<model::Rotation>> rotations(const std::string& pool,
                                                       std::size_t limit) override {
    return ask_store<std::vector<model::Rotation>>(
        [pool, limit](store::Store& store) { return store.rotations(pool, limit); });
  }

  api::Pending<std::vector<model::AuditEntry>> audit(api::AuditQuestion question) override {
    Promise<std::vector<model::AuditEntry>> promise;
    const audit::Query query{question.from, question.to, question.pool, question.key,
                             question.limit};
    if (!parts_.with_audit([promise, query, notify = parts_.notify](audit::Journal& journal) {
          promise.set(journal.read(query));
          notify();
        }))
      promise.set(no_audit());
    return promise.pending();
  }
  // First the store, then the audit log, each by its thread. Without an audit log it is told what
  // the store knows.
  api::Pending<std::vector<api::TimelineEvent>> timeline(api::TimelineQuestion question) override {
    using Events = std::vector<api::TimelineEvent>;
    Promise<Events> promise;
    const bool taken = parts_.with_store([promise, question, notify = parts_.notify,
                                          with_audit = parts_.with_audit](store::Store& store) {
      auto recorded = recorded_events(store, question);
      const auto answer = [promise, notify](Result<Events> events) {
        promise.set(std::move(events));
        notify();
      };
      if (!recorded) {
        answer(std::move(recorded));
        return;
      }
      const auto events = std::make_shared<Events>(std::move(*recorded));
      if (!with_audit([answer, question, events](audit::Journal& journal) {
            auto decided = decided_events(journal, question);
            answer(join(std::move(*events), decided ? std::move(*decided) : Events{}));
          }))
        answer(join(std::move(*events), {}));
    });
    if (!taken)
      promise.set(fail(ErrorCode::unavailable, "the store is too busy; try again"));
    return promise.pending();
  }

  std::string timezone() const override { return parts_.published.setup()->config.agent.timezone; }

  std::vector<api::Firing> schedule(WallTime from, std::size_t count) const override {
    std::vector<api::Firing> firings;
    const auto setup = parts_.published.setup();
    for (const auto& [pool, schedule] : setup->schedules) {
      for (const WallTime at : schedule.next_n(from, count))
        firings.push_back({pool, at, schedule.local(at)});
    }
    std::stable_sort(firings.begin(), firings.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    if (firings.size() > count)
      firings.resize(count);
    return firings;
  }

 private:
  api::HandedOut hand_out(const rotation::Dispenser& table,
                          const std::vector<std::string>& exclude) const {
    const Instant now = parts_.clock.now();
    api::HandedOut out;
    if (const rotation::Member* member = table.next(now, exclude)) {
      out.key = member->key;
      out.secret = member->secret;
      out.provider = member->provider;
    } else {
      auto nothing = table.explain(now, exclude);
      out.why_none = std::move(nothing.message);
      out.ask_again = nothing.ask_again;
    }
    return out;
  }

  api::Pending<bool> take_report(const rotation::Dispenser& table, const api::UseReport& report) {
    const rotation::Member* member = table.find(report.key);
    if (member == nullptr)
      return settled<bool>(fail(ErrorCode::not_found, "the pool has no key '" + report.key + "'"));
    const Instant now = parts_.clock.now();
    if (const auto pause = pause_after(report))
      member->load->skip(now.wall, now.wall + pause->lasts, pause->until_ok);
    if (!snapshot()->agent.ready)
      return settled<bool>(fail(ErrorCode::unavailable, "the state cannot be saved now"));
    member->load->came_back(now.steady);
    return reports_.add(report.line, member->load, {1, report.input_tokens, report.output_tokens});
  }

  // Calls use(table) once the pool has a table: at once, but for its first time.
  template <class T, class Use>
  api::Pending<T> with_table(const std::string& pool, Use use) {
    if (const auto table = table_of(pool))
      return use(*table);
    const bool taken = parts_.post(
        Call{[pool](Engine& engine, Instant now) { engine.begin_dispensing(pool, now); }});
    if (!taken)
      return settled<T>(fail(ErrorCode::unavailable, "the agent is too busy; try again"));
    return [this, pool, use,
            begun = std::make_shared<api::Pending<T>>()]() mutable -> std::optional<Result<T>> {
      if (!*begun) {
        const auto table = table_of(pool);
        if (!table)
          return std::nullopt;
        *begun = use(*table);
      }
      return (*begun)();
    };
  }
  std::shared_ptr<const rotation::Dispenser> table_of(const std::string& pool) const {
    const auto tables = parts_.published.dispensers();
    const auto found = tables->find(pool);
    return found == tables->end() ? nullptr : found->second;
  }

  template <class T>
  static api::Pending<T> settled(Result<T> value) {
    Promise<T> promise;
    promise.set(std::move(value));
    return promise.pending();
  }

  // Runs a command on the loop. Its answer is a Pending of its own, reached through another one:
  // the command has not run yet when this returns.
  template <class T, class Command>
  api::Pending<T> call(Command command) {
    Promise<api::Pending<T>> started;
    const bool taken = parts_.post(Call{
        [started, command](Engine& engine, Instant now) { started.set(command(engine, now)); }});
    if (!taken)
      return settled<T>(fail(ErrorCode::unavailable, "the agent is too busy; try again"));
    return [outer = started.pending()]() -> std::optional<Result<T>> {
      const auto inner = outer();
      if (!inner)
        return std::nullopt;
      return (**inner)();
    };
  }

  // The same for a command that changes something at once: its answer comes when everybody can see
  // what it did.
  template <class T, class Command>
  api::Pending<T> change(Command command) {
    Promise<T> done;
    const bool taken = parts_.post(Call{[done, command](Engine& engine, Instant now) {
      engine.tell_once_published([done, outcome = command(engine, now)] { done.set(outcome); });
    }});
    if (!taken)
      done.set(fail(ErrorCode::unavailable, "the agent is too busy; try again"));
    return done.pending();
  }

  template <class T, class Query>
  api::Pending<T> ask_store(Query query) {
    Promise<T> promise;
    const bool taken =
        parts_.with_store([promise, query, notify = parts_.notify](store::Store& store) {
          promise.set(query(store));
          notify();
        });
    if (!taken)
      promise.set(fail(ErrorCode::unavailable, "the store is too busy; try again"));
    return promise.pending();
  }

  tl::unexpected<Error> no_audit() const {
    return parts_.published.setup()->config.agent.audit.empty()
               ? fail(ErrorCode::not_found, "no audit log is kept: agent.audit is \"\"")
               : fail(ErrorCode::unavailable, "the audit log is too busy; try again");
  }

  ControlParts parts_;
  Reports reports_;
};

}  // namespace

std::unique_ptr<api::Control> make_control(ControlParts parts) {
  return std::make_unique<LoopControl>(std::move(parts));
}

}  // namespace keyherd::engine
