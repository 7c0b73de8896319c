#include "engine/audit_trail.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <iterator>

#include "base/text.hpp"

namespace keyherd::engine {

namespace {

// More than a busy day of a large herd; about as much memory as a thousand keys.
constexpr std::size_t kMostEntriesWaiting = 10'000;
constexpr std::size_t kMostLinesAtOnce = 500;
constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::seconds kLongestRetry{60};
constexpr const char* kHeadSetting = "audit_head";

}  // namespace

audit::Head audit_head(const store::State& state) {
  audit::Head head;
  const auto setting = state.settings.find(kHeadSetting);
  if (setting == state.settings.end())
    return head;
  const auto words = split(setting->second, ' ');
  if (words.size() != 2)
    return head;
  head.seq = parse_int(words[0]).value_or(0);
  head.hash = words[1];
  return head;
}

store::AuditRow offline_entry(const store::State& state, model::AuditEntry entry) {
  entry.seq = std::max(audit_head(state).seq, state.audit.empty() ? 0 : state.audit.back().seq) + 1;
  audit::Line line = audit::make_line(entry);
  return {line.seq, std::move(line.content)};
}

void AuditTrail::restore(const store::State& state, const std::optional<audit::Appended>& log,
                         Instant now) {
  enabled_ = log.has_value();
  seq_ = audit_head(state).seq;
  for (const store::AuditRow& row : state.audit) {
    seq_ = std::max(seq_, row.seq);
    waiting_.push_back({row.seq, row.content});
  }
  committed_ = seq_;
  if (!enabled_) {
    waiting_.clear();
    return;
  }
  // Lines that this state does not know of, as after a restored backup: their numbers are taken.
  seq_ = std::max(seq_, log->head.seq);
  note_mended(log->mended, now);
}

void AuditTrail::note_mended(const std::vector<std::string>& what, Instant now) {
  for (const std::string& line : what) {
    log_.error("audit log: {}", line);
    note({.act = model::AuditAct::mended, .text = line}, now);
  }
}

void AuditTrail::note(model::AuditEntry entry, Instant now) {
  if (!enabled_)
    return;
  if (waiting_.size() >= kMostEntriesWaiting) {
    ++dropped_;
    return;
  }
  entry.seq = ++seq_;
  entry.at = now.wall;
  const audit::Line line = audit::make_line(entry);
  pipeline_.next().audit.push_back({line.seq, line.content});
  pipeline_.then([this, seq = line.seq](Instant) { committed_ = std::max(committed_, seq); });
  waiting_.push_back(line);
}

void AuditTrail::run(Instant now) {
  if (!enabled_ || in_flight_ || waiting_.empty() || waiting_.front().seq > committed_ ||
      (retry_at_ && now.steady < *retry_at_))
    return;
  std::vector<audit::Line> lines;
  for (const audit::Line& line : waiting_) {
    if (line.seq > committed_ || lines.size() == kMostLinesAtOnce)
      break;
    lines.push_back(line);
  }
  in_flight_ = true;
  effects_.with_audit([lines = std::move(lines), post = post_](audit::Journal& journal) {
    post(AuditWritten{journal.append(lines)});
  });
}

std::optional<SteadyTime> AuditTrail::next_due() const {
  if (in_flight_ || waiting_.empty() || waiting_.front().seq > committed_)
    return std::nullopt;
  return retry_at_.value_or(SteadyTime::min());
}

void AuditTrail::written(const AuditWritten& event, Instant now) {
  in_flight_ = false;
  if (!event.outcome) {
    ++failures_;
    back_off_ = std::clamp<std::chrono::nanoseconds>(back_off_ * 2, kFirstRetry, kLongestRetry);
    retry_at_ = now.steady + back_off_;
    if (std::exchange(problem_, event.outcome.error().message) != problem_)
      log_.error("{}; its entries wait in the state, nothing else is held up", problem_);
    return;
  }
  retry_at_.reset();
  back_off_ = {};
  if (!std::exchange(problem_, "").empty())
    log_.info("the audit log is written again");
  const audit::Head& head = event.outcome->head;
  while (!waiting_.empty() && waiting_.front().seq <= head.seq)
    waiting_.pop_front();
  pipeline_.next().audit_written = head.seq;
  pipeline_.next().settings[kHeadSetting] = fmt::format("{} {}", head.seq, head.hash);
  seq_ = std::max(seq_, head.seq);
  note_mended(event.outcome->mended, now);
  if (const auto lost = dropped_ - std::exchange(dropped_said_, dropped_); lost > 0)
    note_mended(
        {fmt::format("{} entries were dropped: too many waited while it could not be written",
                     lost)},
        now);
}

AuditTrail::Counts AuditTrail::counts() const {
  return {seq_, failures_, dropped_, static_cast<std::int64_t>(waiting_.size())};
}

}  // namespace keyherd::engine
