#include "notify/sender.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "notify/messages.hpp"

namespace keyherd::notify {

namespace {

constexpr std::chrono::seconds kTimeout{10};
constexpr std::size_t kMaxAnswerBytes = 65'536;
// Prometheus' own times.
constexpr std::chrono::minutes kResend{1};
constexpr std::chrono::minutes kExpires{4};
constexpr std::chrono::hours kRepeat{4};

}  // namespace

Sender::Sender(model::NotifyTarget target, std::shared_ptr<const Secret> token,
               net::Transport& transport)
    : target_(std::move(target)), token_(std::move(token)), transport_(transport) {}

Sent Sender::send(const std::vector<Alert>& alerts, Instant now, std::stop_token stop) {
  std::vector<Alert> grave;
  std::copy_if(alerts.begin(), alerts.end(), std::back_inserter(grave),
               [&](const Alert& alert) { return alert.rule->severity >= target_.least; });
  Sent sent;
  if (target_.kind == model::NotifyTarget::Kind::alertmanager)
    send_to_alertmanager(grave, now, sent, std::move(stop));
  else
    send_to_webhook(grave, now, sent, std::move(stop));
  return sent;
}

void Sender::send_to_alertmanager(const std::vector<Alert>& alerts, Instant now, Sent& sent,
                                  std::stop_token stop) {
  std::set<Labels> firing;
  for (const Alert& alert : alerts)
    if (alert.fires())
      firing.insert(alert.labels);
  const bool due = !told_at_ || now.steady - *told_at_ >= kResend;
  if (alerts.empty() || (firing == told_ && !due))
    return;
  if (post(target_.url + "/api/v2/alerts", alertmanager_body(alerts, now.wall + kExpires), sent,
           std::move(stop))) {
    told_ = std::move(firing);
    told_at_ = now.steady;
  }
}

// A webhook that was away for longer than the book remembers what is over, is not told any more.
void Sender::forget_old(const std::vector<Alert>& alerts) {
  std::erase_if(told_, [&](const Labels& labels) {
    return std::none_of(alerts.begin(), alerts.end(),
                        [&](const Alert& alert) { return alert.labels == labels; });
  });
}

void Sender::send_to_webhook(const std::vector<Alert>& alerts, Instant now, Sent& sent,
                             std::stop_token stop) {
  forget_old(alerts);
  std::map<std::string, std::vector<Alert>> by_name;
  for (const Alert& alert : alerts)
    if (alert.fires() || told_.contains(alert.labels))
      by_name[std::string(alert.rule->name)].push_back(alert);
  for (const auto& [name, group] : by_name) {
    const bool changed = std::any_of(group.begin(), group.end(), [&](const Alert& alert) {
      return alert.fires() != told_.contains(alert.labels);
    });
    const bool due = now.steady - told_name_at_[name] >= kRepeat;
    if ((!changed && !due) || !post(target_.url, webhook_body(group, name), sent, stop))
      continue;
    told_name_at_[name] = now.steady;
    for (const Alert& alert : group) {
      if (alert.fires())
        told_.insert(alert.labels);
      else
        told_.erase(alert.labels);
    }
  }
}

bool Sender::post(const std::string& url, std::string body, Sent& sent, std::stop_token stop) {
  net::HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.body = std::move(body);
  request.timeout = kTimeout;
  request.max_response_bytes = kMaxAnswerBytes;
  request.secret = token_.get();
  const auto answer = transport_.send(request, std::move(stop));
  if (answer && answer->status >= 200 && answer->status < 300) {
    ++sent.good;
    return true;
  }
  ++sent.failed;
  sent.problem = answer ? fmt::format("it answered {}", answer->status) : answer.error().message;
  return false;
}

}  // namespace keyherd::notify
