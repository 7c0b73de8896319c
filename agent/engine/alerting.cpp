#include "engine/alerting.hpp"

#include <spdlog/logger.h>

#include <algorithm>

#include "base/threads.hpp"

namespace keyherd::engine {

namespace {

constexpr std::chrono::seconds kLookEvery{5};
// As the shipped scrape configuration names it.
constexpr const char* kJob = "keyherd";

// A reload reads every secret anew.
bool same_token(const std::shared_ptr<const Secret>& a, const std::shared_ptr<const Secret>& b) {
  if (a == nullptr || b == nullptr)
    return a == b;
  return fingerprint(*a, kJob) == fingerprint(*b, kJob);
}

}  // namespace

Alerting::Alerting(const Published& published, const Clock& clock, spdlog::logger& log,
                   std::string instance, Count count)
    : published_(published),
      clock_(clock),
      log_(log),
      count_(std::move(count)),
      transport_(net::make_http_transport({})),
      book_(kJob, std::move(instance)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Alerting::stop() {
  thread_.request_stop();
  if (thread_.joinable())
    thread_.join();
}

void Alerting::run(const std::stop_token& stop) {
  name_thread("kh-alerting");
  while (!stop.stop_requested()) {
    contain(log_, "looking for what to tell of", [&] { look(stop); });
    rest(clock_, kLookEvery, stop);
  }
}

void Alerting::look(const std::stop_token& stop) {
  const auto setup = published_.setup();
  const auto snapshot = published_.snapshot();
  if (setup == nullptr)
    return;
  take_targets(*setup);
  setup_ = setup;
  // What is restored is not yet known to be so.
  if (senders_.empty() || !snapshot->agent.ready)
    return;
  const Instant now = clock_.now();
  book_.update(notify::find_alerts(*snapshot, now.wall), now.wall);
  const auto alerts = book_.alerts();
  for (const auto& sender : senders_) {
    const notify::Sent sent = sender->send(alerts, clock_.now(), stop);
    if (sent.failed > 0 && !stop.stop_requested())
      log_.warn("alerts could not be sent to {}: {}", sender->target().url, sent.problem);
    if (sent.good + sent.failed > 0)
      count_(model::to_string(sender->target().kind), sent);
  }
}

// A target that stays keeps what it was told.
void Alerting::take_targets(const Setup& setup) {
  if (setup_.get() == &setup)
    return;
  std::vector<std::unique_ptr<notify::Sender>> now;
  for (std::size_t i = 0; i < setup.config.notify.size(); ++i) {
    const model::NotifyTarget& target = setup.config.notify[i];
    const auto& token = setup.notify_tokens[i];
    const auto same = std::find_if(senders_.begin(), senders_.end(), [&](const auto& sender) {
      return sender != nullptr && sender->target() == target && same_token(sender->token(), token);
    });
    now.push_back(same != senders_.end()
                      ? std::move(*same)
                      : std::make_unique<notify::Sender>(target, token, *transport_));
  }
  senders_ = std::move(now);
}

}  // namespace keyherd::engine
