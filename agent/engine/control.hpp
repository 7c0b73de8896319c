#pragma once

// api::Control over a running loop: readers get what is published, commands are posted.

#include <functional>

#include "api/control.hpp"
#include "base/clock.hpp"
#include "engine/deliveries.hpp"
#include "engine/engine.hpp"
#include "engine/published.hpp"

namespace keyherd::engine {

struct ControlParts {
  const Published& published;
  std::function<bool(Event)> post;                                     // false: the queue is full
  std::function<bool(std::function<void(store::Store&)>)> with_store;  // false: too busy
  // The same on the audit log; also false when none is kept.
  std::function<bool(std::function<void(audit::Journal&)>)> with_audit;
  std::function<bool(Delivery)> deliver;  // false: too many lines wait for the store
  // Starts a reload; its outcome goes into the promise.
  std::function<void(const std::string& actor, Promise<std::vector<std::string>>)> reload;
  std::function<void(api::ImportCommand, Promise<api::ImportReport>)> import_keys;
  std::function<void(std::shared_ptr<const Secret>, std::string actor, Promise<std::string>)>
      export_keys;
  std::function<void()> notify;  // somebody's answer is there
  const Clock& clock;
};

std::unique_ptr<api::Control> make_control(ControlParts parts);

}  // namespace keyherd::engine
