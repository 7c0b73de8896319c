#include "usage/accumulator.hpp"

#include <algorithm>
#include <compare>
#include <map>
#include <tuple>
#include <utility>

#include "base/time_text.hpp"
#include "usage/hash.hpp"

namespace keyherd::usage {

namespace {

constexpr std::int64_t kBucketNanos = std::chrono::nanoseconds(model::kBucketWidth).count();
constexpr std::int64_t kMinuteNanos = std::chrono::nanoseconds(std::chrono::minutes(1)).count();
constexpr std::chrono::minutes kMaxAhead{5};
constexpr std::uint64_t kTokensPerPrice = 1'000'000;

void sum(std::int64_t& total, std::int64_t value) {
  total = model::saturating_add(total, value);
}

// What a line costs, and whether that is known.
struct Cost {
  model::NanoUsd cost = 0;
  model::NanoUsd by_table = 0;
  bool unpriced = false;
};

void add_line(model::UsageCounts& counts, const Record& record, bool failed, const Cost& cost) {
  ++counts.requests;
  counts.failed += failed ? 1 : 0;
  sum(counts.input, record.input);
  sum(counts.cached_input, record.cached_input);
  sum(counts.cache_write, record.cache_write);
  sum(counts.output, record.output);
  sum(counts.reasoning, record.reasoning);
  sum(counts.cost, cost.cost);
  sum(counts.table_cost, cost.by_table);
  counts.unpriced += cost.unpriced ? 1 : 0;
  if (record.latency_ms >= 0) {
    sum(counts.latency_ms, record.latency_ms);
    ++counts.latency_count;
  }
}

// To tell a line that was written twice from two requests under one id.
std::uint32_t hash_of_numbers(const Record& record) {
  const auto bits = [](std::int64_t number) { return static_cast<std::uint64_t>(number); };
  const std::uint64_t sum =  // all odd, so that every bit of each counts
      bits(record.input) * 0xa0761d6478bd642fULL + bits(record.output) * 0xe7037ed1a0b428dbULL +
      bits(record.cached_input) * 0x8ebc6af09c88c6e3ULL +
      bits(record.cache_write) * 0x589965cc75374cc3ULL +
      bits(record.reasoning) * 0x1d8e4e27c47d124fULL + bits(record.status) * 0xeb44accab455d165ULL +
      bits(record.cost) * 0x9c6e6877736c46e3ULL;
  return static_cast<std::uint32_t>(sum >> 32U);
}

// Numbers of names in the order of the names, of those that occur in the sums as `number`.
template <class Sums, class Number, class Name>
std::vector<std::uint32_t> ranks(const Sums& sums, std::size_t count, Number number, Name name) {
  constexpr std::uint32_t kAbsent = 0xFFFF'FFFF;
  std::vector<std::uint32_t> rank(count, kAbsent);
  std::vector<std::uint32_t> present;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::uint32_t each = sums[i].*number;
    if (std::exchange(rank[each], 0) == kAbsent)
      present.push_back(each);
  }
  std::sort(present.begin(), present.end(),
            [&](std::uint32_t x, std::uint32_t y) { return name(x) < name(y); });
  for (std::uint32_t i = 0; i < present.size(); ++i)
    rank[present[i]] = i;
  return rank;
}

Uint128 product(std::int64_t tokens, model::NanoUsd price) {
  return static_cast<Uint128>(tokens) *
         static_cast<std::uint64_t>(std::max<model::NanoUsd>(price, 0));
}

}  // namespace

model::NanoUsd price_of(const Record& record, const model::Price& price) {
  const Uint128 aside =
      static_cast<Uint128>(record.cached_input) + static_cast<std::uint64_t>(record.cache_write);
  const auto input = static_cast<Uint128>(record.input);
  const std::int64_t fresh =
      input > aside ? static_cast<std::int64_t>(input - aside) : std::int64_t{0};
  const Uint128 total = product(fresh, price.input) +
                        product(record.cached_input, price.cached_input) +
                        product(record.cache_write, price.cache_write) +
                        product(record.output, price.output) + kTokensPerPrice / 2;
  if (total >> 63U == 0)  // nearly always, and many times faster to divide
    return static_cast<model::NanoUsd>(static_cast<std::uint64_t>(total) / kTokensPerPrice);
  const Uint128 nanos = total / kTokensPerPrice;
  constexpr auto kMax = std::numeric_limits<model::NanoUsd>::max();
  return nanos > static_cast<Uint128>(kMax) ? kMax : static_cast<model::NanoUsd>(nanos);
}

void Accumulator::set_now(WallTime now) {
  now_ = to_unix_nanos(now);
  latest_believed_ = to_unix_nanos(now + kMaxAhead);
  oldest_kept_ = names_.kept() > std::chrono::nanoseconds(0)
                     ? to_unix_nanos(now - names_.kept())
                     : std::numeric_limits<std::int64_t>::min();
}

void Accumulator::add(const Record& record, std::uint64_t offset) {
  const std::uint32_t key = names_.key(record.key);
  if (key == NameTable::kNone)
    return reject(model::RejectReason::unknown_key, std::nullopt, offset);
  Line& line = pending_[pending_count_];
  line.key = key;
  line.model = names_.model(record.model);
  line.record = record;
  line.offset = offset;
  line.ahead = record.at > latest_believed_;
  if (line.ahead)
    line.record.at = now_;
  line.folded = line.model == Names::kOtherModel && record.model != Names::kOther;
  last_at_ = std::max(last_at_, line.record.at);
  line.bucket = line.record.at / kBucketNanos;
  line.hash = SumTable<Priced>::hash(key, line.model, line.bucket);
  usage_.expect_slot(line.hash);
  line.growth = Growth::hash_of(key, line.model);
  growth_.expect(line.growth);
  line.request = 0;
  if (seen_ != nullptr && !record.request_id.empty()) {
    line.request = SeenIds::hash_of(scope_, record.request_id);
    seen_->expect(line.request);
  }
  if (++pending_count_ == kAhead)
    sum_pending();
}

void Accumulator::sum_pending() {
  for (std::size_t i = 0; i < pending_count_; ++i)
    usage_.expect_cell(pending_[i].hash);
  for (std::size_t i = 0; i < pending_count_; ++i) {
    if (pending_[i].request == 0 || is_new(pending_[i]))
      sum_up(pending_[i]);
  }
  pending_count_ = 0;
}

bool Accumulator::is_new(const Line& line) {
  const SeenIds::Answer answer = seen_->add(line.request, hash_of_numbers(line.record));
  if (answer == SeenIds::Answer::fresh)
    return true;
  counts_.conflicts += answer == SeenIds::Answer::conflicting ? 1 : 0;
  reject(model::RejectReason::duplicate, Field::request_id, line.offset);
  return false;
}

void Accumulator::sum_up(const Line& line) {
  const Record& record = line.record;
  ++counts_.records;
  counts_.models_folded += line.folded ? 1 : 0;
  counts_.future += line.ahead ? 1 : 0;
  counts_.late += record.at < oldest_kept_ ? 1 : 0;
  auto [cell, is_new] = usage_.at(line.hash, line.key, line.model, line.bucket);
  if (is_new)
    cell.price = names_.price(line.key, line.model, line.bucket);
  const bool failed = record.status >= 400 || record.status == 0;
  const bool has_tokens = (record.input | record.output) != 0;
  Cost cost;
  if (cell.price != nullptr)
    cost.by_table = price_of(record, *cell.price);
  cost.cost = record.cost >= 0 ? record.cost : cost.by_table;
  cost.unpriced = !failed && has_tokens && record.cost < 0 && cell.price == nullptr;
  if (const auto why = suspicion(line, failed, cost.unpriced))
    suspect(*why, line);
  add_line(cell.counts, record, failed, cost);
  if (names_.per_minute(line.key))
    add_line(minutes_.at(line.key, 0, record.at / kMinuteNanos).first, record, failed, cost);
  if (failed)
    note(failures_.at(line.key, 0, record.status).first, record.at);
  else
    cell.last_success = std::max(cell.last_success, record.at);
}

void Accumulator::reject(model::RejectReason reason, std::optional<Field> field,
                         std::uint64_t offset) {
  ++counts_.rejected[static_cast<std::size_t>(reason)];
  if (samples_.size() >= kMaxSamples)
    return;
  std::string sample(model::to_string(reason));
  if (field)
    sample.append(": ").append(to_string(*field));
  keep_sample(samples_, std::move(sample), offset);
}

std::optional<model::Suspicion> Accumulator::suspicion(const Line& line, bool failed,
                                                       bool unpriced) {
  const Record& record = line.record;
  if (line.ahead)
    return model::Suspicion::clock;
  if (failed)
    return std::nullopt;
  if ((record.input | record.output) == 0)
    return model::Suspicion::missing_usage;
  if (growth_.note(line.growth, record.input, record.output))
    return model::Suspicion::cumulative;
  if (line.folded || (unpriced && names_.has_prices(line.key)))
    return model::Suspicion::unknown_model;
  return std::nullopt;
}

void Accumulator::suspect(model::Suspicion why, const Line& line) {
  ++counts_.suspect[static_cast<std::size_t>(why)];
  ++suspects_.at(line.key, 0, static_cast<std::int64_t>(why)).first;
  if (suspect_samples_.size() < kMaxSamples)
    keep_sample(suspect_samples_, std::string(model::to_string(why)), line.offset);
}

void Accumulator::keep_sample(std::vector<std::string>& samples, std::string sample,
                              std::uint64_t offset) const {
  sample.append(" at byte ").append(std::to_string(offset));
  if (path_ != nullptr)
    sample.append(" of ").append(*path_);
  samples.push_back(std::move(sample));
}

std::optional<WallTime> Accumulator::last_record_at() const {
  if (last_at_ < 0)
    return std::nullopt;
  return from_unix_nanos(last_at_);
}

bool Accumulator::empty() const {
  return counts_ == model::SourceCounts{} && samples_.empty();
}

void Accumulator::take_rows(model::Tally& tally) const {
  using Cell = SumTable<Priced>::Cell;
  const auto key_ranks = ranks(
      usage_, names_.key_count(),
      &Cell::a, [&](std::uint32_t key) -> const auto& { return names_.key_id(key); });
  const auto model_ranks = ranks(
      usage_, names_.model_count(),
      &Cell::b, [&](std::uint32_t model) -> const auto& { return names_.model_name(model); });
  struct Place {
    std::uint64_t series;
    std::int64_t bucket;
    std::uint32_t cell;
    auto operator<=>(const Place&) const = default;
  };
  std::vector<Place> order;
  order.reserve(usage_.size());
  for (std::uint32_t i = 0; i < usage_.size(); ++i) {
    const Cell& cell = usage_[i];
    order.push_back(
        {static_cast<std::uint64_t>(key_ranks[cell.a]) << 32U | model_ranks[cell.b], cell.c, i});
  }
  std::sort(order.begin(), order.end());
  tally.usage.reserve(usage_.size());
  for (const Place& place : order) {
    const Cell& cell = usage_[place.cell];
    tally.usage.push_back(
        {names_.key_id(cell.a), names_.model_name(cell.b), cell.c, cell.sum.counts});
    const std::int64_t successes = cell.sum.counts.requests - cell.sum.counts.failed;
    if (successes == 0)
      continue;
    const WallTime at = from_unix_nanos(cell.sum.last_success);
    if (tally.successes.empty() || tally.successes.back().key != tally.usage.back().key)
      tally.successes.push_back({tally.usage.back().key, 0, at});
    tally.successes.back().count += successes;
    tally.successes.back().last_at = std::max(tally.successes.back().last_at, at);
  }
  tally.minutes.reserve(minutes_.size());
  for (std::size_t i = 0; i < minutes_.size(); ++i)
    tally.minutes.push_back({names_.key_id(minutes_[i].a), minutes_[i].c, minutes_[i].sum});
  std::sort(tally.minutes.begin(), tally.minutes.end(), [](const auto& x, const auto& y) {
    return std::tie(x.key, x.minute) < std::tie(y.key, y.minute);
  });
}

void Accumulator::take_evidence(model::Tally& tally) const {
  for (std::size_t i = 0; i < failures_.size(); ++i) {
    const auto& cell = failures_[i];
    tally.failures.push_back({names_.key_id(cell.a), static_cast<int>(cell.c), cell.sum.count,
                              from_unix_nanos(cell.sum.at)});
  }
  std::sort(tally.failures.begin(), tally.failures.end(), [](const auto& x, const auto& y) {
    return std::tie(x.key, x.http_status) < std::tie(y.key, y.http_status);
  });
  std::map<std::string, model::SuspectCounts> suspects;
  for (std::size_t i = 0; i < suspects_.size(); ++i)
    suspects[names_.key_id(suspects_[i].a)][static_cast<std::size_t>(suspects_[i].c)] +=
        suspects_[i].sum;
  for (const auto& [key, counts] : suspects)
    tally.suspects.push_back({key, counts});
}

void Accumulator::take(model::Tally& tally) {
  sum_pending();
  take_rows(tally);
  take_evidence(tally);
  tally.counts = counts_;
  tally.samples = std::move(samples_);
  tally.suspect_samples = std::move(suspect_samples_);
  counts_ = {};
  usage_.clear();
  minutes_.clear();
  failures_.clear();
  suspects_.clear();
  samples_.clear();
  suspect_samples_.clear();
}

}  // namespace keyherd::usage
