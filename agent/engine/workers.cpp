#include "engine/workers.hpp"

#include <spdlog/logger.h>

#include <atomic>
#include <functional>
#include <system_error>
#include <thread>

#include "base/bounded_queue.hpp"
#include "base/mutex.hpp"
#include "base/threads.hpp"
#include "rotation/runner.hpp"

namespace keyherd::engine {

namespace {

constexpr std::size_t kFileRunners = 2;
constexpr std::size_t kHookRunners = 4;
constexpr std::size_t kStepRunners = kFileRunners + kHookRunners;
constexpr std::size_t kStepQueue = 1'024;
constexpr std::size_t kStoreQueue = 256;
constexpr std::chrono::seconds kIdle{3600};

// As if there was no answer: nothing is known of the key.
model::Evidence failed_probe(const ProbeOrder& order, const Clock& clock) {
  model::Evidence evidence;
  evidence.key = order.job.key;
  evidence.probe = order.job.kind;
  evidence.at = clock.now().wall;
  evidence.message = "the probe failed by an internal error";
  return evidence;
}

class Threads final : public WorkerThreads {
 public:
  Threads(WorkerOptions options, std::unique_ptr<store::Store> store,
          std::unique_ptr<audit::Journal> audit, Tailed tailed)
      : options_(std::move(options)),
        store_(std::move(store)),
        audit_(std::move(audit)),
        transport_(options_.transport ? std::move(options_.transport)
                                      : net::make_http_transport({})),
        probes_(static_cast<std::size_t>(options_.probe_workers)),
        jobs_(kStoreQueue),
        audit_jobs_(kStoreQueue),
        tail_(options_.files, options_.clock, std::move(tailed), options_.request_ids,
              [this](model::Tally tally, const std::stop_token& stop) {
                return options_.post(TallyArrived{std::move(tally)}, stop);
              }) {
    for (std::size_t i = 0; i < kStepRunners; ++i)
      steps_.push_back(std::make_unique<BoundedQueue<StepOrder>>(kStepQueue));
    for (std::size_t i = 0; i < kStepRunners; ++i)
      runners_.emplace_back([this, i](const std::stop_token& stop) { step_loop(i, stop); });
    writer_ = std::jthread([this](const std::stop_token& stop) {
      name_thread("kh-store");
      store_loop(stop);
    });
    if (audit_) {
      auditor_ = std::jthread([this](const std::stop_token& stop) {
        name_thread("kh-audit");
        audit_loop(stop);
      });
    }
  }

  ~Threads() override {
    stop_sources();
    stop();
  }

  bool start_probe(ProbeOrder order) override {
    if (!probes_.try_push(std::move(order)))
      return false;
    grow_if_busy();
    return true;
  }

  // One pool's files keep their order, and so do its hooks; a hook that hangs holds up neither the
  // next key's file nor, mostly, another pool's hooks.
  void run_step(StepOrder order) override {
    const std::size_t pool = std::hash<std::string>{}(order.request.pool);
    const bool hooks = order.request.kind == rotation::StepRequest::Kind::deliver ||
                       is_issuers(order.request.kind);
    const std::size_t runner = hooks ? kFileRunners + pool % kHookRunners : pool % kFileRunners;
    if (!steps_[runner]->try_push(std::move(order)))
      options_.log.error("too many publications are waiting; a step is lost until the next start");
  }

  void with_store(std::function<void(store::Store&)> job) override {
    if (!jobs_.try_push(std::move(job)))
      options_.log.error("too much is waiting for the store; a query is not answered");
  }
  bool try_with_store(std::function<void(store::Store&)> job) override {
    return jobs_.size() < kStoreQueue / 2 && jobs_.try_push(std::move(job));
  }

  // The trail has one job under way; a full queue is of readers, and it asks again.
  void with_audit(std::function<void(audit::Journal&)> job) override {
    if (!audit_jobs_.try_push(std::move(job)))
      options_.log.error("too much is asked of the audit log; its entries wait for the next start");
  }
  bool try_with_audit(std::function<void(audit::Journal&)> job) override {
    return audit_ != nullptr && audit_jobs_.size() < kStoreQueue / 2 &&
           audit_jobs_.try_push(std::move(job));
  }

  bool deliver(Delivery delivery) override { return tail_.deliver(std::move(delivery)); }

  void acknowledge(const std::string& source, std::uint64_t batch) override {
    tail_.committed(source, batch);
  }
  void refuse(const std::string& source, std::uint64_t batch) override {
    tail_.refused(source, batch);
  }
  void configure_usage(std::vector<model::UsageLog> logs,
                       std::shared_ptr<const model::UsageContext> context) override {
    tail_.configure(std::move(logs), std::move(context));
  }
  void notify_readers() override { options_.notify_readers(); }

  void stop_sources() override {
    std::vector<std::jthread> probers;
    {
      MutexLock lock(probers_mutex_);
      stopping_ = true;
      probers = std::move(probers_);
    }
    for (auto* pool : {&probers, &runners_}) {
      for (std::jthread& thread : *pool)
        thread.request_stop();
    }
    tail_.stop();
    probers.clear();
    runners_.clear();
  }

  void stop() override {
    writer_.request_stop();
    if (writer_.joinable())
      writer_.join();
    auditor_.request_stop();
    if (auditor_.joinable())
      auditor_.join();
  }

 private:
  SteadyTime idle_deadline() const { return options_.clock.now().steady + kIdle; }

  // A thread more when an order finds none that waits: a herd whose providers answer quickly needs
  // few, one with a thousand slow answers under way a thousand.
  void grow_if_busy() KH_EXCLUDES(probers_mutex_) {
    if (--free_probers_ >= 0)
      return;
    MutexLock lock(probers_mutex_);
    if (stopping_ || probers_.size() >= static_cast<std::size_t>(options_.probe_workers))
      return;
    try {
      probers_.emplace_back([this](const std::stop_token& stop) { probe_loop(stop); });
    } catch (const std::system_error& error) {
      options_.log.error("no thread for another probe ({} are there): {}", probers_.size(),
                         error.code().message());
    }
  }

  void probe_loop(const std::stop_token& stop) {
    name_thread("kh-probe");
    while (!stop.stop_requested()) {
      ++free_probers_;
      auto order = probes_.pop(idle_deadline(), stop);
      if (!order) {
        --free_probers_;
        continue;
      }
      ProbeFinished finished;
      finished.order = order->id;
      const bool is_done = contain(options_.log, "the probe of key " + order->job.key, [&] {
        finished.evidence =
            probe::run_probe(order->job, *transport_, options_.redactor, options_.clock, stop);
      });
      if (!is_done)
        finished.evidence = failed_probe(*order, options_.clock);
      finished.cancelled = stop.stop_requested();
      static_cast<void>(options_.post(std::move(finished), stop));
    }
  }

  void step_loop(std::size_t runner, const std::stop_token& stop) {
    name_thread(runner < kFileRunners ? "kh-files" : "kh-hooks");
    while (!stop.stop_requested()) {
      auto order = steps_[runner]->pop(idle_deadline(), stop);
      if (!order)
        continue;
      std::optional<rotation::StepDone> done;
      if (!contain(options_.log, "a step of pool " + order->request.pool,
                   [&] { done = run(*order, stop); }))
        done = rotation::fail_step(order->request, Error{ErrorCode::internal, "an internal error"});
      static_cast<void>(options_.post(StepFinished{std::move(*done)}, stop));
    }
  }

  rotation::StepDone issue(const StepOrder& order, const std::stop_token& stop) {
    if (!order.issuer) {
      return rotation::fail_step(
          order.request,
          Error{ErrorCode::unavailable, "issuer " + order.request.issuer + " is not configured"});
    }
    std::optional<Secret> admin;
    if (order.issuer->admin_secret) {
      auto resolved = options_.resolve(*order.issuer->admin_secret, stop);
      if (!resolved)
        return rotation::fail_step(order.request,
                                   with_context(resolved.error(), "issuer " + order.issuer->id));
      admin = std::move(*resolved);
    }
    return rotation::run_issue(order.request, {*order.issuer, order.slot, order.secret.get()},
                               {*transport_, options_.redactor, admin ? &*admin : nullptr}, stop);
  }

  rotation::StepDone run(const StepOrder& order, const std::stop_token& stop) {
    if (is_issuers(order.request.kind))
      return issue(order, stop);
    if (!order.secret)
      return rotation::fail_step(
          order.request,
          Error{ErrorCode::unavailable, "key " + order.request.key + " has no secret"});
    const rotation::PublishContext context{
        options_.files, *transport_, options_.redactor,
        [&](const model::SecretRef& reference) -> Result<Secret> {
          const auto secret = order.signing_secrets.find(reference.text);
          if (secret == order.signing_secrets.end())
            return fail(ErrorCode::not_found, reference.text + " is not loaded");
          return secret->second->clone();
        }};
    return rotation::run_step(order.request, *order.secret, context, stop);
  }

  // Ends only when nothing is waiting any more: a commit that was handed in is made.
  void store_loop(const std::stop_token& stop) {
    while (!stop.stop_requested() || jobs_.size() > 0) {
      for (auto& job : jobs_.pop_all(idle_deadline(), stop))
        job(*store_);
    }
  }

  void audit_loop(const std::stop_token& stop) {
    while (!stop.stop_requested() || audit_jobs_.size() > 0) {
      for (auto& job : audit_jobs_.pop_all(idle_deadline(), stop))
        job(*audit_);
    }
  }

  WorkerOptions options_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<audit::Journal> audit_;
  std::unique_ptr<net::Transport> transport_;
  BoundedQueue<ProbeOrder> probes_;
  std::vector<std::unique_ptr<BoundedQueue<StepOrder>>> steps_;
  BoundedQueue<std::function<void(store::Store&)>> jobs_;
  BoundedQueue<std::function<void(audit::Journal&)>> audit_jobs_;
  TailThread tail_;
  std::atomic<std::int64_t> free_probers_{0};  // threads that wait, less the orders for them
  Mutex probers_mutex_;
  bool stopping_ KH_GUARDED_BY(probers_mutex_) = false;
  std::vector<std::jthread> probers_ KH_GUARDED_BY(probers_mutex_);
  std::vector<std::jthread> runners_;
  std::jthread writer_;
  std::jthread auditor_;
};

}  // namespace

std::unique_ptr<WorkerThreads> start_worker_threads(WorkerOptions options,
                                                    std::unique_ptr<store::Store> store,
                                                    std::unique_ptr<audit::Journal> audit,
                                                    Tailed tailed) {
  return std::make_unique<Threads>(std::move(options), std::move(store), std::move(audit),
                                   std::move(tailed));
}

}  // namespace keyherd::engine
