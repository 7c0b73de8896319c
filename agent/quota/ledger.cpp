#include "quota/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "quota/planner.hpp"
#include "quota/slot.hpp"

namespace keyherd::quota {

namespace {

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using Slots = std::vector<std::uint32_t>;
using SlotsByName = std::unordered_map<std::string, Slots, Hash, std::equal_to<>>;

const Slots& lookup(const SlotsByName& by_name, std::string_view name) {
  static const Slots kNone;
  const auto found = by_name.find(name);
  return found == by_name.end() ? kNone : found->second;
}

void earliest(std::optional<WallTime>& best, WallTime candidate) {
  best = best ? std::min(*best, candidate) : candidate;
}

// Where the history of a slot without a known past begins; nothing when its past is known.
std::optional<WallTime> unknown_from(const Slot& slot, WallTime now) {
  if (const auto* rolling = std::get_if<Rolling>(&slot.tally)) {
    if (rolling->known)
      return std::nullopt;
    return minute_start(model::minute_of(now) - rolling->tally.length() + 1);
  }
  CalendarTally tally = std::get<CalendarTally>(slot.tally);
  tally.enter(slot.quota, now);
  return tally.current().known ? std::nullopt : std::optional(tally.current().bounds.start);
}

}  // namespace

struct Ledger::Impl {
  std::vector<Slot> slots;
  SlotsByName by_key;
  SlotsByName by_owner;
  Slots rolling;
  std::uint64_t version = 0;
  // From when until when every calendar window is the current one.
  WallTime current_from = WallTime::min();
  WallTime current_until = WallTime::max();

  void refresh();
  [[nodiscard]] bool is_current(WallTime now) const {
    return now >= current_from && now < current_until;
  }
  Slot* find(const std::string& owner, const std::string& quota);
  // Calls give(slot, row's time, counts) for the slots of each row's key that count its sort.
  template <class Give>
  void for_each_slot(const std::vector<model::UsageRow>& usage,
                     const std::vector<model::MinuteRow>& minutes, Give give) const;
  // Gives each row to the slots of its key that count its sort and want its time.
  template <class Wanted>
  void count(Planner& planner, const std::vector<model::UsageRow>& usage,
             const std::vector<model::MinuteRow>& minutes, Wanted wanted) const;
};

void Ledger::Impl::refresh() {
  current_from = WallTime::min();
  current_until = WallTime::max();
  for (const Slot& slot : slots) {
    const auto* tally = std::get_if<CalendarTally>(&slot.tally);
    if (tally == nullptr)
      continue;
    if (tally->empty()) {
      current_until = WallTime::min();
      return;
    }
    const cron::Window& bounds = tally->current().bounds;
    if (!bounds.end)
      continue;
    current_from = std::max(current_from, bounds.start);
    current_until = std::min(current_until, *bounds.end);
  }
}

Slot* Ledger::Impl::find(const std::string& owner, const std::string& quota) {
  for (const std::uint32_t index : lookup(by_owner, owner))
    if (slots[index].quota.id == quota)
      return &slots[index];
  return nullptr;
}

template <class Give>
void Ledger::Impl::for_each_slot(const std::vector<model::UsageRow>& usage,
                                 const std::vector<model::MinuteRow>& minutes, Give give) const {
  const auto visit = [&](const std::string& key, WallTime at, const model::UsageCounts& counts,
                         bool by_minute) {
    for (const std::uint32_t index : lookup(by_key, key))
      if (slots[index].by_minute() == by_minute)
        give(index, at, counts);
  };
  for (const model::UsageRow& row : usage)
    visit(row.key, model::bucket_start(row.bucket), row.counts, false);
  for (const model::MinuteRow& row : minutes)
    visit(row.key, minute_start(row.minute), row.counts, true);
}

template <class Wanted>
void Ledger::Impl::count(Planner& planner, const std::vector<model::UsageRow>& usage,
                         const std::vector<model::MinuteRow>& minutes, Wanted wanted) const {
  for_each_slot(usage, minutes,
                [&](std::uint32_t index, WallTime at, const model::UsageCounts& counts) {
                  if (wanted(index, at))
                    planner.add(index, at, counts);
                });
}

bool Change::empty() const {
  return updates_ == nullptr || (updates_->calendar.empty() && updates_->rolling.empty());
}

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

Result<Ledger> Ledger::make(std::vector<Assignment> assignments) {
  auto impl = std::make_unique<Impl>();
  for (Assignment& assignment : assignments) {
    if (impl->find(assignment.owner, assignment.quota.id) != nullptr)
      return fail(ErrorCode::conflict,
                  fmt::format("quota \"{}\" is given twice to \"{}\"",
                              printable(assignment.quota.id, 60), printable(assignment.owner, 60)));
    KH_ASSIGN(Slot slot, make_slot(std::move(assignment.quota), std::move(assignment.owner),
                                   std::move(assignment.keys)));
    const auto index = static_cast<std::uint32_t>(impl->slots.size());
    impl->by_owner[slot.owner].push_back(index);
    for (const std::string& key : std::set<std::string>(slot.keys.begin(), slot.keys.end()))
      impl->by_key[key].push_back(index);
    if (slot.quota.window == model::WindowKind::rolling)
      impl->rolling.push_back(index);
    impl->slots.push_back(std::move(slot));
  }
  impl->refresh();
  return Ledger(std::move(impl));
}

void Ledger::restore(const std::vector<model::QuotaWindow>& windows, WallTime now) {
  for (const model::QuotaWindow& window : windows) {
    Slot* slot = impl_->find(window.owner, window.quota);
    if (slot == nullptr)
      continue;
    if (auto* rolling = std::get_if<Rolling>(&slot->tally)) {
      rolling->level = std::clamp(window.level_fired, 0, static_cast<int>(slot->triggers.size()));
      continue;
    }
    const auto bounds = window_of(slot->quota, window.start);
    if (!bounds || *bounds != cron::Window{window.start, window.end} ||
        (window.end && *window.end <= now))
      continue;
    std::get<CalendarTally>(slot->tally)
        .hold({*bounds, window.used, std::min(window.level_fired, slot->reached(window.used)), true,
               false});
  }
  for (Slot& slot : impl_->slots)
    if (auto* tally = std::get_if<CalendarTally>(&slot.tally); tally != nullptr && !tally->empty())
      tally->enter(slot.quota, now);
  impl_->refresh();
  ++impl_->version;
}

void Ledger::inherit(const Ledger& previous, WallTime now) {
  for (Slot& slot : impl_->slots) {
    const Slot* before = previous.impl_->find(slot.owner, slot.quota.id);
    if (before == nullptr || !counts_alike(slot.quota, before->quota))
      continue;
    slot.tally = before->tally;
    slot.burn = before->burn;
    slot.burn_known = before->burn_known;
    if (auto* rolling = std::get_if<Rolling>(&slot.tally))
      rolling->level =
          std::min(rolling->level, slot.reached(rolling->tally.used(model::minute_of(now))));
    else
      std::get<CalendarTally>(slot.tally).limit_levels([&slot](std::int64_t used) {
        return slot.reached(used);
      });
  }
  impl_->refresh();
  ++impl_->version;
}

HistoryNeed Ledger::history_needed(WallTime now) const {
  HistoryNeed need;
  std::set<std::string> keys;
  for (const Slot& slot : impl_->slots) {
    const auto from = unknown_from(slot, now);
    if (!from)
      continue;
    earliest(slot.by_minute() ? need.minutes_from : need.usage_from, *from);
    keys.insert(slot.keys.begin(), slot.keys.end());
  }
  need.keys.assign(keys.begin(), keys.end());
  return need;
}

HistoryNeed Ledger::burn_needed(WallTime now) const {
  HistoryNeed need;
  std::set<std::string> keys;
  for (const Slot& slot : impl_->slots) {
    if (slot.burn_known)
      continue;
    (slot.by_minute() ? need.minutes_from : need.usage_from) = Burn::since(now);
    keys.insert(slot.keys.begin(), slot.keys.end());
  }
  need.keys.assign(keys.begin(), keys.end());
  return need;
}

Change Ledger::plan_seed(const std::vector<model::UsageRow>& usage,
                         const std::vector<model::MinuteRow>& minutes, WallTime now) const {
  Planner planner(impl_->slots, now);
  std::vector<std::optional<WallTime>> from(impl_->slots.size());
  for (std::uint32_t index = 0; index < impl_->slots.size(); ++index)
    if (const auto start = unknown_from(impl_->slots[index], now); start && planner.recount(index))
      from[index] = start;
  impl_->count(planner, usage, minutes, [&from](std::uint32_t index, WallTime at) {
    return from[index] && at >= *from[index];
  });
  return finished(planner);
}

Change Ledger::plan(const std::vector<model::UsageRow>& usage,
                    const std::vector<model::MinuteRow>& minutes, WallTime now) const {
  Planner planner(impl_->slots, now);
  if (!impl_->is_current(now))
    for (std::uint32_t index = 0; index < impl_->slots.size(); ++index)
      if (const auto* tally = std::get_if<CalendarTally>(&impl_->slots[index].tally);
          tally != nullptr && !tally->is_current(now))
        planner.touch(index);
  impl_->count(planner, usage, minutes, [](std::uint32_t, WallTime) { return true; });
  return finished(planner);
}

Change Ledger::finished(Planner& planner) const {
  Change change;
  auto updates = std::make_shared<Change::Updates>();
  updates->version = impl_->version;
  planner.finish(change, *updates);
  change.updates_ = std::move(updates);
  return change;
}

void Ledger::adopt(Change change) {
  if (change.updates_ == nullptr)
    return;
  if (change.updates_->version != impl_->version)
    throw std::logic_error("quota: a change was adopted that another one overtook");
  for (const CalendarUpdate& update : change.updates_->calendar)
    impl_->slots[update.slot].tally = update.tally;
  for (const RollingUpdate& update : change.updates_->rolling) {
    auto& rolling = std::get<Rolling>(impl_->slots[update.slot].tally);
    if (update.anew)
      rolling.tally.clear();
    rolling.tally.add(update.additions);
    rolling.level = update.level;
    rolling.known = update.known;
  }
  if (change.updates_->windows_began)
    impl_->refresh();
  ++impl_->version;
}

void Ledger::observe(const std::vector<model::UsageRow>& usage,
                     const std::vector<model::MinuteRow>& minutes) {
  impl_->for_each_slot(usage, minutes,
                       [this](std::uint32_t index, WallTime at, const model::UsageCounts& counts) {
                         Slot& slot = impl_->slots[index];
                         slot.burn.add(model::bucket_of(at), amount_of(slot.quota.unit, counts));
                       });
}

void Ledger::seed_burn(const std::vector<model::UsageRow>& usage,
                       const std::vector<model::MinuteRow>& minutes) {
  impl_->for_each_slot(usage, minutes,
                       [this](std::uint32_t index, WallTime at, const model::UsageCounts& counts) {
                         Slot& slot = impl_->slots[index];
                         if (!slot.burn_known)
                           slot.burn.add(model::bucket_of(at), amount_of(slot.quota.unit, counts));
                       });
  for (Slot& slot : impl_->slots)
    slot.burn_known = true;
}

std::vector<model::QuotaStatus> Ledger::status(std::string_view owner, WallTime now) const {
  std::vector<model::QuotaStatus> all;
  for (const std::uint32_t index : lookup(impl_->by_owner, owner))
    all.push_back(status_of(impl_->slots[index], now));
  return all;
}

std::vector<model::QuotaStatus> Ledger::status(WallTime now) const {
  std::vector<model::QuotaStatus> all;
  all.reserve(impl_->slots.size());
  for (const Slot& slot : impl_->slots)
    all.push_back(status_of(slot, now));
  return all;
}

const std::vector<std::string>& Ledger::keys_of(std::string_view owner) const {
  static const std::vector<std::string> kNone;
  const Slots& slots = lookup(impl_->by_owner, owner);
  return slots.empty() ? kNone : impl_->slots[slots.front()].keys;
}

std::optional<Exhaustion> Ledger::exhausted(std::string_view key, WallTime now) const {
  std::optional<Exhaustion> longest;
  for (const std::uint32_t index : lookup(impl_->by_key, key)) {
    const Slot& slot = impl_->slots[index];
    const auto until = standing_of(slot, now).exhausted_until;
    if (until && (!longest || *until > longest->until))
      longest = Exhaustion{slot.quota.id, slot.owner, *until};
  }
  return longest;
}

std::optional<WallTime> Ledger::next_roll(WallTime now) const {
  if (!impl_->is_current(now))
    return now;
  std::optional<WallTime> next;
  if (impl_->current_until != WallTime::max())
    next = impl_->current_until;
  for (const std::uint32_t index : impl_->rolling) {
    const RollingTally& tally = std::get<Rolling>(impl_->slots[index].tally).tally;
    if (const auto minute = tally.next_leaving(model::minute_of(now)))
      earliest(next, minute_start(*minute));
  }
  return next;
}

bool Ledger::needs_minutes(std::string_view key) const {
  const Slots& slots = lookup(impl_->by_key, key);
  return std::any_of(slots.begin(), slots.end(),
                     [this](std::uint32_t index) { return impl_->slots[index].by_minute(); });
}

std::chrono::nanoseconds Ledger::minutes_kept() const {
  std::chrono::nanoseconds longest{0};
  for (const std::uint32_t index : impl_->rolling)
    longest = std::max(longest, impl_->slots[index].quota.rolling);
  return longest;
}

}  // namespace keyherd::quota
