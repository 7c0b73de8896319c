#include "engine/probing.hpp"

#include <algorithm>

namespace keyherd::engine {

namespace {

// Real use shows that a key is good, and not all that a probe shows: now and then one is sent.
constexpr std::chrono::hours kLongestUnprobed{1};
// Where each proof is paid for, this often is enough.
constexpr std::chrono::minutes kPaidProofEvery{15};
constexpr std::string_view kBudgetSetting = "probe_budget";

std::chrono::nanoseconds proof_interval(const model::Provider& provider, bool paid) {
  return paid ? std::max<std::chrono::nanoseconds>(provider.probe.every, kPaidProofEvery)
              : provider.probe.every;
}

bool speaks_of_key(model::Verdict verdict) {
  const model::VerdictClass kind = model::info(verdict).kind;
  // "May not do this": for whoever shall use the key it is as good as no key.
  return kind == model::VerdictClass::auth || kind == model::VerdictClass::quota ||
         verdict == model::Verdict::permission_denied;
}

}  // namespace

void Probing::configure(const Setup& setup, Instant now) {
  budget_.configure(setup.config.agent.probe_budget_tokens, setup.config.agent.probe_budget_usd);
  control_.configure(setup.providers, now.steady);
  std::map<std::string, std::int64_t> keys_of;
  for (const auto& [id, record] : herd_.records())
    ++keys_of[record.key.provider];
  pace_.clear();
  for (const auto& [id, provider] : setup.providers)
    pace_.add(id, provider->base_url, keys_of[id], provider->probe.every,
              provider->probe.min_spacing);
  std::map<std::string, std::chrono::nanoseconds> known = std::exchange(intervals_, {});
  held_.clear();
  for (const auto& [id, record] : herd_.records()) {
    const model::Provider& provider = provider_of(record);
    const bool paid = probe::needs_paid_proof(provider, control_.trust(provider.id));
    intervals_[id] = proof_interval(provider, paid);
    const auto plan = herd_.tracker().next_probe(id, now);
    // A key that was probed before a restart keeps its rhythm, unless it must be proven anew; but
    // never before the time that its provider stated.
    if (known.erase(id) == 0 && record.secret.secret && plan && !plan->not_before &&
        !record.verified)
      schedule_.set(id, now.steady);
    else
      replan(id, now);
  }
  for (const auto& [id, interval] : known) {
    schedule_.remove(id);
    reserved_.erase(id);
    cooling_.erase(id);
  }
}

void Probing::restore(const store::State& state, Instant now) {
  const auto used = state.settings.find(std::string(kBudgetSetting));
  if (used != state.settings.end())
    budget_.restore(used->second, now.wall);
}

void Probing::replan(const std::string& key, Instant now) {
  const KeyRecord* record = herd_.find(key);
  if (record == nullptr) {
    schedule_.remove(key);
    return;
  }
  if (busy_.contains(key))
    return;  // planned when it comes back
  const auto plan = herd_.tracker().next_probe(key, now);
  if (!plan || !record->secret.secret) {
    // Paused, or without a secret: its rhythm goes on, and what is not sent is counted.
    reserved_.erase(key);
    schedule_.set(key, now.steady + interval(key));
    return;
  }
  if (!plan->not_before) {
    cooling_.erase(key);
    if (reserved_.contains(key))
      return;  // it waits for its slot
  }
  reserved_.erase(key);
  const model::KeyHealth* health = herd_.tracker().health(key);
  const bool well = health != nullptr && health->consecutive_failures == 0 &&
                    health->auth_strikes == 0 && !plan->urgent && !plan->not_before;
  // Where each proof is paid for, the usual time is longer than `every`.
  const std::chrono::nanoseconds base =
      well && plan->wait.count() > 0
          ? plan->wait + (interval(key) - provider_of(*record).probe.every)
          : plan->wait;
  std::chrono::nanoseconds wait = random_.jitter(base, provider_of(*record).probe.jitter);
  if (plan->not_before) {
    wait = base + (wait > base ? wait - base : base - wait);
    if (cooling_.insert(key).second)
      skip(ProbeSkip::cooldown,
           base / std::max<std::chrono::nanoseconds>(interval(key), std::chrono::milliseconds(1)));
  }
  schedule_.set(key, now.steady + wait);
}

void Probing::probe_soon(const std::string& key, Instant now) {
  const KeyRecord* record = herd_.find(key);
  const auto plan = herd_.tracker().next_probe(key, now);
  if (record == nullptr || !record->secret.secret || busy_.contains(key) ||
      reserved_.contains(key) || !plan)
    return;
  // What the provider asked for is kept, whoever is in a hurry.
  schedule_.set(key, now.steady + (plan->not_before ? plan->wait : std::chrono::nanoseconds(0)));
}

Promise<model::Evidence> Probing::ask(const std::string& key, Instant now) {
  Promise<model::Evidence> promise;
  const KeyRecord* record = herd_.find(key);
  if (record == nullptr) {
    promise.set(fail(ErrorCode::not_found, "no key '" + key + "'"));
  } else if (!record->secret.secret) {
    promise.set(fail(ErrorCode::unavailable, "key " + key + ": " + record->secret.problem));
  } else {
    Order order{key, {}, promise, {}, false, {}};
    if (start(order, {}, now) == Start::no_room)
      urgent_.push_back(std::move(order));
  }
  return promise;
}

bool Probing::verify(rotation::StepRequest step, std::shared_ptr<const Secret> secret,
                     Instant now) {
  const KeyRecord* record = herd_.find(step.key);
  if (record == nullptr || !(secret || record->secret.secret))
    return false;
  Order order{step.key, std::move(step), {}, {}, false, std::move(secret)};
  if (start(order, {}, now) == Start::no_room)
    urgent_.push_back(std::move(order));
  return true;
}

// What people and rotations ask for is sent whatever the budget says; it counts all the same.
Probing::Start Probing::start(Order order, probe::ProbeWish wish, Instant now) {
  const KeyRecord* record = herd_.find(order.key);
  if (record == nullptr || !(order.secret || record->secret.secret))
    return Start::started;  // gone meanwhile: whoever waits hears of it through the configuration
  const std::string& provider = record->key.provider;
  const std::shared_ptr<const Secret> secret = order.secret ? order.secret : record->secret.secret;
  probe::ProbeHistory history = record->probe_history;
  if (order.step && order.step->paid) {
    // As if spending had never been proven: the probe that does is due.
    history = {};
    history.probed = true;
  }
  const bool on_demand = order.step || order.promise;
  wish.may_pay = on_demand || budget_.admits(now.wall);
  const probe::ProbeChoice choice =
      probe::choose_probe(provider_of(*record), history, control_.trust(provider), wish, now.wall);
  if (!choice.kind) {
    skip(ProbeSkip::budget);
    return Start::withheld;
  }
  if (!send(std::move(order), *choice.kind, secret, provider))
    return Start::no_room;
  if (choice.went_without_paid)
    skip(ProbeSkip::budget);
  return Start::started;
}

bool Probing::send(Order order, model::ProbeKind kind, std::shared_ptr<const Secret> secret,
                   const std::string& provider) {
  ProbeOrder probe;
  probe.id = next_order_++;
  probe.job.key = order.key;
  probe.job.provider = herd_.providers().at(provider).provider;
  probe.job.secret = std::move(secret);
  probe.job.kind = kind;
  const std::uint64_t id = probe.id;
  if (!effects_.start_probe(std::move(probe)))
    return false;
  order.paid = kind == model::ProbeKind::chat;
  if (order.paid)
    budget_.begin();
  orders_.emplace(id, std::move(order));
  return true;
}

bool Probing::run_controls(Instant now) {
  while (const auto question = control_.take_due(now.steady)) {
    if (!send({"", {}, {}, question, false, {}}, question->kind, control_.bogus_key(),
              question->provider)) {
      control_.put_back(*question, now.steady);
      return false;
    }
  }
  return true;
}

void Probing::run(Instant now) {
  while (!urgent_.empty() && start(urgent_.front(), {}, now) != Start::no_room)
    urgent_.erase(urgent_.begin());
  if (!urgent_.empty() || !run_controls(now))
    return;
  while (auto due = schedule_.take_due(now.steady)) {
    if (!run_one(due->first, due->second, now))
      return;
  }
}

// False: there is no room, and the key is due as before; its delay keeps growing.
bool Probing::run_one(const std::string& key, SteadyTime due, Instant now) {
  const KeyRecord* record = herd_.find(key);
  if (record == nullptr)
    return true;
  const auto plan = herd_.tracker().next_probe(key, now);
  if (!plan || !record->secret.secret) {
    skip(ProbeSkip::disabled);
    schedule_.set(key, now.steady + interval(key));
    return true;
  }
  const std::string& provider = record->key.provider;
  if (control_.is_awaited(provider)) {
    reserved_.erase(key);
    held_[provider].insert(key);
    return true;
  }
  if (const auto later = shown_by_use(*record, *plan, now)) {
    skip(ProbeSkip::recent_evidence);
    reserved_.erase(key);
    schedule_.set(key, *later);
    return true;
  }
  auto slot = reserved_.find(key);
  if (slot == reserved_.end()) {
    const auto later = pace_.take(provider, now.steady);
    // To be kept apart from others is no delay: it was meant.
    slot = reserved_.emplace(key, later.value_or(due)).first;
    if (later) {
      schedule_.set(key, *later);
      return true;
    }
  }
  switch (start({key, {}, {}, {}, false, {}}, {plan->paid, true}, now)) {
    case Start::no_room:
      schedule_.set(key, due);
      return false;
    case Start::withheld:
      schedule_.set(key, now.steady + interval(key));
      break;
    case Start::started:
      busy_.insert(key);
      model::observe(delays_, std::chrono::duration<double>(now.steady - slot->second).count());
      break;
  }
  reserved_.erase(key);
  return true;
}

// Until when the usage log answers for a healthy key: it has just served somebody. Not for a probe
// that asks for more: for money, or after something that the log has not cleared up.
std::optional<SteadyTime> Probing::shown_by_use(const KeyRecord& record,
                                                const health::ProbePlan& plan, Instant now) const {
  const model::KeyHealth* health = herd_.tracker().health(record.key.id);
  if (health == nullptr || plan.urgent || plan.paid || plan.not_before || !record.served_at ||
      !health->last_probe_at)
    return std::nullopt;
  const bool well = health->state == model::KeyState::healthy && record.verified &&
                    health->consecutive_failures == 0 && health->auth_strikes == 0;
  const std::chrono::nanoseconds every = interval(record.key.id);
  const auto served = now.wall - *record.served_at;
  const auto probed = now.wall - *health->last_probe_at;
  const auto longest = std::max<std::chrono::nanoseconds>(every, kLongestUnprobed);
  if (!well || served < served.zero() || served >= every || probed >= longest)
    return std::nullopt;
  // A probe that also brings the balance is worth its request.
  const auto choice = probe::choose_probe(provider_of(record), record.probe_history,
                                          control_.trust(record.key.provider), {}, now.wall);
  if (choice.kind == model::ProbeKind::balance)
    return std::nullopt;
  return now.steady + std::min<std::chrono::nanoseconds>(every - served, longest - probed);
}

std::optional<SteadyTime> Probing::next_due() const {
  // Without room nothing can start before a probe comes back, and that wakes the loop by itself.
  if (!urgent_.empty())
    return std::nullopt;
  auto next = schedule_.next_due();
  if (const auto control = control_.next_due())
    next = std::min(next.value_or(*control), *control);
  return next;
}

std::optional<rotation::StepDone> Probing::finished(std::uint64_t order_id,
                                                    model::Evidence& evidence, Instant now) {
  const auto found = orders_.find(order_id);
  if (found == orders_.end())
    return std::nullopt;
  const Order order = std::move(found->second);
  orders_.erase(found);
  if (order.paid)
    budget_.end();
  if (budget_.spend(model::saturating_add(evidence.input_tokens, evidence.output_tokens),
                    evidence.cost, now.wall))
    pipeline_.next().settings[std::string(kBudgetSetting)] = budget_.text();
  if (order.question) {
    answer_control(*order.question, evidence, now);
    return std::nullopt;
  }
  if (const KeyRecord* record = herd_.find(order.key))
    probe::discount(control_.trust(record->key.provider), evidence);
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

void Probing::answer_control(const NegativeControl::Question& question,
                             const model::Evidence& evidence, Instant now) {
  const bool was_worthless = probe::is_worthless(control_.trust(question.provider), question.kind);
  const auto knew = control_.authenticates(question.provider);
  control_.answered(question, evidence.verdict, now.steady);
  const auto provider = herd_.providers().find(question.provider);
  if (provider == herd_.providers().end())
    return;  // a reload took it away
  const bool accepts = probe::is_worthless(control_.trust(question.provider), question.kind);
  const auto knows = control_.authenticates(question.provider);
  if (knew != knows || was_worthless != accepts)
    herd_.control_answered(question.provider, question.kind, accepts);
  if (control_.is_awaited(question.provider))
    return;
  // A probe that keys were believed by has turned out to be worth nothing.
  set_intervals(*provider->second.provider, accepts && !was_worthless, now);
  release(question.provider, now);
}

void Probing::set_intervals(const model::Provider& provider, bool doubt, Instant now) {
  const bool paid = probe::needs_paid_proof(provider, control_.trust(provider.id));
  const std::chrono::nanoseconds interval = proof_interval(provider, paid);
  for (const auto& [id, record] : herd_.records()) {
    if (record.key.provider != provider.id)
      continue;
    if (std::exchange(intervals_[id], interval) != interval)
      herd_.touch(id);
    const auto plan = herd_.tracker().next_probe(id, now);
    if (doubt && plan && !plan->not_before)
      probe_soon(id, now);
  }
}

void Probing::release(const std::string& provider, Instant now) {
  const auto held = held_.extract(provider);
  if (held.empty())
    return;
  for (const std::string& key : held.mapped())
    replan(key, now);
}

void Probing::cancelled(std::uint64_t order_id, Instant now) {
  const auto found = orders_.find(order_id);
  if (found == orders_.end())
    return;
  if (found->second.paid)
    budget_.end();
  if (found->second.question)
    control_.given_up(*found->second.question, now.steady);
  orders_.erase(found);
}

std::chrono::nanoseconds Probing::interval(const std::string& key) const {
  const auto found = intervals_.find(key);
  return found == intervals_.end() ? std::chrono::nanoseconds(0) : found->second;
}

}  // namespace keyherd::engine
