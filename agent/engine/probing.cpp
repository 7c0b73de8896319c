#include "engine/probing.hpp"

#include <algorithm>

namespace keyherd::engine {

namespace {

// The first probes of a new herd start this far apart, so that a provider is not stormed.
constexpr std::chrono::milliseconds kFirstSpacing{20};

bool speaks_of_key(model::Verdict verdict) {
  const model::VerdictClass kind = model::info(verdict).kind;
  // "May not do this": for whoever shall use the key it is as good as no key.
  return kind == model::VerdictClass::auth || kind == model::VerdictClass::quota ||
         verdict == model::Verdict::permission_denied;
}

}  // namespace

void Probing::configure(Instant now) {
  std::map<std::string, std::chrono::nanoseconds> known = std::exchange(intervals_, {});
  std::chrono::nanoseconds spread{0};
  for (const auto& [id, record] : herd_.records()) {
    const auto& settings = herd_.providers().at(record.key.provider).provider->probe;
    intervals_[id] = settings.every;
    if (known.erase(id) > 0) {
      replan(id, now);
    } else if (record.secret.secret) {
      // A key that was probed before a restart keeps its rhythm.
      const model::KeyHealth* health = herd_.tracker().health(id);
      std::chrono::nanoseconds wait{0};
      if (health != nullptr && health->last_probe_at && record.verified)
        wait =
            std::clamp<std::chrono::nanoseconds>(*health->last_probe_at + settings.every - now.wall,
                                                 std::chrono::nanoseconds(0), settings.every);
      schedule_.set(id, now.steady + wait + spread);
      spread += kFirstSpacing;
    }
  }
  for (const auto& [id, interval] : known)
    schedule_.remove(id);
}

void Probing::replan(const std::string& key, Instant now) {
  const KeyRecord* record = herd_.find(key);
  const auto plan = herd_.tracker().next_probe(key, now);
  if (record == nullptr || !record->secret.secret || !plan) {
    schedule_.remove(key);
    return;
  }
  if (busy_.contains(key))
    return;  // planned when it comes back
  const double ratio = herd_.providers().at(record->key.provider).provider->probe.jitter;
  std::chrono::nanoseconds wait = random_.jitter(plan->wait, ratio);
  if (plan->not_before)
    wait = plan->wait + (wait > plan->wait ? wait - plan->wait : plan->wait - wait);
  schedule_.set(key, now.steady + wait);
}

void Probing::probe_soon(const std::string& key, Instant now) {
  const KeyRecord* record = herd_.find(key);
  if (record != nullptr && record->secret.secret && !busy_.contains(key) &&
      herd_.tracker().next_probe(key, now))
    schedule_.set(key, now.steady);
}

Promise<model::Evidence> Probing::ask(const std::string& key, Instant now) {
  Promise<model::Evidence> promise;
  const KeyRecord* record = herd_.find(key);
  if (record == nullptr) {
    promise.set(fail(ErrorCode::not_found, "no key '" + key + "'"));
  } else if (!record->secret.secret) {
    promise.set(fail(ErrorCode::unavailable, "key " + key + ": " + record->secret.problem));
  } else {
    Order order{key, std::nullopt, promise, {}};
    if (!start(order, now))
      urgent_.push_back(std::move(order));
  }
  return promise;
}

bool Probing::verify(rotation::StepRequest step, std::shared_ptr<const Secret> secret,
                     Instant now) {
  const KeyRecord* record = herd_.find(step.key);
  if (record == nullptr || !(secret || record->secret.secret))
    return false;
  Order order{step.key, std::move(step), std::nullopt, std::move(secret)};
  if (!start(order, now))
    urgent_.push_back(std::move(order));
  return true;
}

bool Probing::start(Order order, Instant now) {
  const KeyRecord* record = herd_.find(order.key);
  if (record == nullptr || !(order.secret || record->secret.secret))
    return true;  // gone meanwhile: whoever waits hears of it through the configuration
  const auto& provider = herd_.providers().at(record->key.provider).provider;
  ProbeOrder probe;
  probe.id = next_order_++;
  probe.job.key = order.key;
  probe.job.provider = provider;
  probe.job.secret = order.secret ? order.secret : record->secret.secret;
  probe::ProbeHistory history = record->probe_history;
  if (order.step && order.step->paid) {
    // As if spending had never been proven: the probe that does is due.
    history = {};
    history.probed = true;
  }
  probe.job.kind = probe::choose_probe(*provider, history, now.wall);
  if (!effects_.start_probe(std::move(probe)))
    return false;
  orders_.emplace(next_order_ - 1, std::move(order));
  return true;
}

void Probing::run(Instant now) {
  while (!urgent_.empty() && start(urgent_.front(), now))
    urgent_.erase(urgent_.begin());
  if (!urgent_.empty())
    return;
  while (auto due = schedule_.take_due(now.steady)) {
    const auto& [key, at] = *due;
    if (!start(Order{key, std::nullopt, std::nullopt, {}}, now)) {
      schedule_.set(key, at);  // no room: its delay keeps growing
      return;
    }
    busy_.insert(key);
    model::observe(delays_, std::chrono::duration<double>(now.steady - at).count());
  }
}

std::optional<SteadyTime> Probing::next_due() const {
  // Without room nothing can start before a probe comes back, and that wakes the loop by itself.
  return urgent_.empty() ? schedule_.next_due() : std::nullopt;
}

std::optional<rotation::StepDone> Probing::finished(std::uint64_t order_id,
                                                    const model::Evidence& evidence) {
  const auto found = orders_.find(order_id);
  if (found == orders_.end())
    return std::nullopt;
  const Order order = std::move(found->second);
  orders_.erase(found);
  if (order.promise)
    order.promise->set(evidence);
  if (!order.step) {
    if (!order.promise)
      busy_.erase(order.key);
    return std::nullopt;
  }
  rotation::StepDone done;
  done.request = *order.step;
  if (evidence.verdict != model::Verdict::ok)
    done.status = fail(speaks_of_key(evidence.verdict) ? ErrorCode::denied : ErrorCode::unavailable,
                       std::string(model::to_string(evidence.verdict)) +
                           (evidence.message.empty() ? "" : ": ") + evidence.message);
  return done;
}

void Probing::cancelled(std::uint64_t order) {
  orders_.erase(order);
}

std::chrono::nanoseconds Probing::interval(const std::string& key) const {
  const auto found = intervals_.find(key);
  return found == intervals_.end() ? std::chrono::nanoseconds(0) : found->second;
}

}  // namespace keyherd::engine
