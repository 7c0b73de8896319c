#include "cli/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <queue>

#include "base/random.hpp"
#include "rotation/dispenser.hpp"

namespace keyherd::cli {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr milliseconds kSnapshotEvery{50};  // as the agent publishes what it believes
constexpr milliseconds kRefusalTakes{50};
constexpr seconds kAskAgain{1};
constexpr int kMostAsks = 3;
constexpr std::int64_t kEnoughRequests = 20;  // to speak of a share of errors
constexpr seconds kAfterThrottling{5};
constexpr std::chrono::minutes kAfterRefusal{1};

// Independent of the order in which it is asked.
double chance(std::uint64_t seed, std::size_t request, std::size_t key) {
  std::uint64_t x =
      seed + 0x9e3779b97f4a7c15ULL * (request + 1) + 0xbf58476d1ce4e5b9ULL * (key + 1);
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return static_cast<double>((x ^ (x >> 31U)) >> 11U) * 0x1p-53;
}

class Simulation {
 public:
  Simulation(model::Strategy strategy, const Workload& workload, std::uint64_t seed)
      : workload_(workload), seed_(seed), keys_(workload.keys.size()) {
    pool_.id = "simulated";
    pool_.strategy = strategy;
    result_.strategy = strategy;
    result_.requests = static_cast<std::int64_t>(workload.requests.size());
    for (Key& key : keys_)
      key.load = std::make_shared<rotation::KeyLoad>();
  }

  SimulationResult run(const std::function<void(std::size_t)>& tell) {
    const std::size_t total = workload_.requests.size();
    const bool closed = workload_.at_once > 0;
    for (std::size_t i = 0; i < total && (!closed || i < workload_.at_once); ++i)
      events_.push({closed ? nanoseconds(0) : workload_.requests[i].at, started_++, false, i});
    std::size_t done = 0;
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      const bool is_over = event.is_end ? finish(event) : begin(event);
      if (!is_over)
        continue;
      tell(++done);
      if (closed && started_ < total)
        events_.push({now_, started_, false, started_}), ++started_;
    }
    return summed_up();
  }

 private:
  struct Key {
    std::shared_ptr<rotation::KeyLoad> load;
    std::int64_t used = 0;
    std::int64_t requests = 0;
    std::int64_t failed = 0;
    std::int64_t good = 0;
    nanoseconds latency{0};      // of the good ones, summed
    rotation::Spent uncounted;   // since the last table
    std::optional<int> refused;  // with this status, when last heard of
    nanoseconds refused_at{0};
  };
  struct Event {
    nanoseconds at;
    std::size_t order;  // of those at the same time
    bool is_end = false;
    std::size_t request = 0;
    std::size_t key = 0;
    int http_status = 0;
    nanoseconds took{0};
    int asks = 0;
    bool operator<(const Event& other) const {  // the queue gives the greatest first
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  [[nodiscard]] Instant instant() const {
    static constexpr std::chrono::hours kMidnight{24 * 365 * 50};
    return {WallTime(std::chrono::duration_cast<WallTime::duration>(kMidnight + now_)),
            SteadyTime(std::chrono::duration_cast<SteadyTime::duration>(kMidnight + now_))};
  }

  // True: there was no key for it, and it has failed.
  bool begin(const Event& event) {
    refresh();
    const rotation::Member* member = table_->next(instant());
    if (member == nullptr) {
      if (event.asks + 1 >= kMostAsks)
        return true;
      Event again = event;
      again.at = now_ + kAskAgain;
      ++again.asks;
      events_.push(again);
      return false;
    }
    const auto key = static_cast<std::size_t>(std::stoul(member->key));
    const SimulatedRequest& request = workload_.requests[event.request];
    Event end{now_, event.order, true, event.request, key};
    end.http_status = answer_of(key, event.request);
    const bool is_served = end.http_status == 200 || end.http_status >= 500;
    end.took = is_served ? nanoseconds(std::llround(static_cast<double>(request.latency.count()) *
                                                    workload_.keys[key].slowness))
                         : nanoseconds(kRefusalTakes);
    end.at += end.took;
    events_.push(end);
    return false;
  }

  // What the provider says.
  int answer_of(std::size_t key, std::size_t number) const {
    const SimulatedKey& kind = workload_.keys[key];
    for (const SimulatedKey::Refusal& refusal : kind.refusals) {
      if (refusal.from <= now_ && now_ < refusal.to)
        return refusal.http_status;
    }
    if (kind.quota > 0 && keys_[key].used >= kind.quota)
      return 402;
    if (workload_.requests[number].provider_fails)
      return 503;
    return chance(seed_, number, key) < kind.error_ratio ? 500 : 200;
  }

  bool finish(const Event& event) {
    Key& key = keys_[event.key];
    const SimulatedRequest& request = workload_.requests[event.request];
    ++key.requests;
    key.load->came_back(instant().steady);
    if (event.http_status == 200) {
      const rotation::Spent spent{1, request.input_tokens, request.output_tokens};
      key.used += request.input_tokens + request.output_tokens;
      key.load->add_uncounted(spent);
      key.uncounted.requests += 1;
      key.uncounted.input_tokens += spent.input_tokens;
      key.uncounted.output_tokens += spent.output_tokens;
      ++key.good;
      key.latency += event.took;
      key.refused.reset();
      latencies_.push_back(event.took);
      result_.latency_sum += event.took;
      result_.cost = model::saturating_add(result_.cost, request.cost);
    } else {
      ++key.failed;
      refused(key, event.http_status);
    }
    return true;
  }

  // As a report to the agent: at once for the calls that follow, and as evidence.
  void refused(Key& key, int http_status) {
    if (http_status >= 500)
      return;
    const WallTime now = instant().wall;
    const bool rate = http_status == 429;
    key.load->skip(now, now + (rate ? seconds(kAfterThrottling) : seconds(kAfterRefusal)), !rate);
    key.refused = http_status;
    key.refused_at = now_;
  }

  // A new table, as the agent would publish one.
  void refresh() {
    if (table_ && now_ - made_at_ < kSnapshotEvery)
      return;
    made_at_ = now_;
    rotation::Dispenser::Members members;
    for (std::size_t i = 0; i < keys_.size(); ++i)
      members.push_back(member(i));
    auto next = std::make_unique<rotation::Dispenser>(pool_.id, pool_.strategy, std::move(members));
    if (table_)
      next->go_on_from(*table_);
    table_ = std::move(next);
  }

  std::shared_ptr<const rotation::Member> member(std::size_t i) {
    Key& key = keys_[i];
    const SimulatedKey& kind = workload_.keys[i];
    rotation::Candidate candidate;
    candidate.key = std::to_string(i);
    candidate.priority = kind.priority;
    candidate.state = state_of(key);
    candidate.verified = true;
    candidate.secret_loaded = true;
    candidate.tokens_used = key.used;
    if (key.good > 0)
      candidate.latency = key.latency / key.good;
    if (key.requests >= kEnoughRequests)
      candidate.error_ratio = static_cast<double>(key.failed) / static_cast<double>(key.requests);
    if (kind.quota > 0) {
      model::QuotaStatus quota;
      quota.quota = "tokens";
      quota.unit = model::QuotaUnit::tokens;
      quota.used = key.used;
      quota.limit = kind.quota;
      candidate.quotas.push_back(std::move(quota));
    }
    auto made =
        std::make_shared<rotation::Member>(rotation::make_member(pool_, candidate, instant().wall));
    key.load->remove_uncounted(key.uncounted);
    key.uncounted = {};
    if (key.good > 0)
      made->usual_input = key.used / key.good;
    made->load = key.load;
    return made;
  }

  // Refused for good until it works again; throttled for a while.
  [[nodiscard]] model::KeyState state_of(const Key& key) const {
    if (!key.refused)
      return model::KeyState::healthy;
    if (*key.refused == 429)
      return now_ - key.refused_at < kAfterThrottling ? model::KeyState::throttled
                                                      : model::KeyState::healthy;
    if (now_ - key.refused_at >= kAfterRefusal)
      return model::KeyState::healthy;  // a probe finds out
    return *key.refused == 401 ? model::KeyState::dead : model::KeyState::exhausted;
  }

  SimulationResult summed_up() {
    result_.succeeded = static_cast<std::int64_t>(latencies_.size());
    if (!latencies_.empty()) {
      const std::size_t place = (latencies_.size() * 95 + 99) / 100 - 1;
      std::nth_element(latencies_.begin(), latencies_.begin() + static_cast<std::ptrdiff_t>(place),
                       latencies_.end());
      result_.latency_p95 = latencies_[place];
    }
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (workload_.keys[i].quota == 0)
        continue;
      result_.quota += workload_.keys[i].quota;
      result_.used += std::min(keys_[i].used, workload_.keys[i].quota);
    }
    return result_;
  }

  const Workload& workload_;
  const std::uint64_t seed_;
  model::Pool pool_;
  std::vector<Key> keys_;
  std::unique_ptr<rotation::Dispenser> table_;
  nanoseconds made_at_{0};
  nanoseconds now_{0};
  std::priority_queue<Event> events_;
  std::size_t started_ = 0;
  std::vector<nanoseconds> latencies_;
  SimulationResult result_;
};

}  // namespace

Workload synthetic_workload(const SyntheticOptions& options) {
  SeededRandom random(options.seed);
  constexpr double kTypicalMs = 750;
  constexpr double kSpread = 0.4;
  constexpr model::NanoUsd kInputNanos = 300;     // $0.30 a million tokens
  constexpr model::NanoUsd kOutputNanos = 1'200;  // $1.20
  constexpr double kProviderFails = 0.001;
  Workload load;
  load.at_once = options.at_once;
  for (std::size_t i = 0; i < options.keys; ++i) {
    SimulatedKey key;
    key.id = "key-" + std::to_string(i + 1);
    key.priority = i < 2 ? 3 : i + 1 < options.keys ? 2 : 1;
    key.quota = options.quota;
    key.slowness = 0.9 + 0.05 * static_cast<double>(i % 5);
    if (i == 2)
      key.refusals.push_back({seconds(3), seconds(9), 429});
    if (i == 3)
      key.error_ratio = 0.02;
    load.keys.push_back(std::move(key));
  }
  for (std::size_t i = 0; i < options.requests; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
    const double normal = radius * std::cos(2 * std::numbers::pi * random.unit());
    SimulatedRequest request;
    request.latency = nanoseconds(std::llround(kTypicalMs * 1e6 * std::exp(kSpread * normal)));
    request.input_tokens = 60 + static_cast<std::int64_t>(random.unit() * 240);
    request.output_tokens = 20 + static_cast<std::int64_t>(random.unit() * 80);
    request.cost = request.input_tokens * kInputNanos + request.output_tokens * kOutputNanos;
    request.provider_fails = random.unit() < kProviderFails;
    load.requests.push_back(request);
  }
  return load;
}

SimulationResult simulate(model::Strategy strategy, const Workload& workload, std::uint64_t seed,
                          const std::function<void(std::size_t done)>& tell) {
  return Simulation(strategy, workload, seed).run(tell);
}

}  // namespace keyherd::cli
