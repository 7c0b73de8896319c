#include "net/workers.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "net/answer.hpp"

namespace keyherd::net {

Answer call_guarded(const std::function<Answer()>& function, const ServerOptions& options) {
  // The text of an exception may quote anything, a secret included: it never leaves.
  try {
    return function();
  } catch (...) {
    return error_answer(options, 500, "internal", "the request could not be handled");
  }
}

ServerResponse error_answer(const ServerOptions& options, int status, std::string_view code,
                            std::string_view message) {
  if (!options.error_body)
    return default_error(status, code, message);
  try {
    return options.error_body(status, code, message);
  } catch (...) {
    return default_error(status, code, message);
  }
}

Workers::Workers(const ServerOptions& options, Deliver deliver)
    : options_(options), deliver_(std::move(deliver)), queue_(options.queue_limit) {
  for (int i = 0; i < std::max(options.workers, 1); ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    pthread_setname_np(threads_.back().native_handle(), "kh-http-worker");
  }
}

void Workers::stop() {
  for (auto& thread : threads_)
    thread.request_stop();
  threads_.clear();
}

void Workers::run(const std::stop_token& stop) {
  // Bounded, so that a wake-up lost at the moment of the stop costs a part of its two seconds only.
  constexpr std::chrono::milliseconds kLongestWait{250};
  while (!stop.stop_requested()) {
    const auto job = queue_.pop(std::chrono::steady_clock::now() + kLongestWait, stop);
    if (job)
      deliver_(job->connection, answer(*job));
  }
}

Answer Workers::answer(const Job& job) const {
  return call_guarded(
      [&]() -> Answer {
        if (options_.guard) {
          if (auto refusal = options_.guard(job.request, *job.route))
            return std::move(*refusal);
        }
        return job.route->handler(job.request);
      },
      options_);
}

}  // namespace keyherd::net
