#pragma once

// The thread behind [[notify]]: every few seconds it looks at the published Snapshot and tells the
// configured targets of what it finds. It reads the setup anew each time, so a reload needs
// nothing.

#include <spdlog/fwd.h>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "engine/published.hpp"
#include "net/transport.hpp"
#include "notify/alert_book.hpp"
#include "notify/sender.hpp"

namespace keyherd::engine {

class Alerting {
 public:
  // Called with the label `target` and what was sent to it, on the thread.
  using Count = std::function<void(std::string_view target, const notify::Sent& sent)>;
  // `instance`: the agent as others know it, host:port. Everything referred to outlives this.
  Alerting(const Published& published, const Clock& clock, spdlog::logger& log,
           std::string instance, Count count);
  ~Alerting() { stop(); }
  Alerting(const Alerting&) = delete;
  Alerting& operator=(const Alerting&) = delete;

  // Ends the message that is under way and waits. Idempotent.
  void stop();

 private:
  void run(const std::stop_token& stop);
  void look(const std::stop_token& stop);
  void take_targets(const Setup& setup);

  const Published& published_;
  const Clock& clock_;
  spdlog::logger& log_;
  const Count count_;
  const std::unique_ptr<net::Transport> transport_;
  notify::AlertBook book_;
  std::shared_ptr<const Setup> setup_;  // that the senders are of
  std::vector<std::unique_ptr<notify::Sender>> senders_;
  std::jthread thread_;
};

}  // namespace keyherd::engine
