#include "engine/tail_thread.hpp"

#include <algorithm>
#include <utility>

#include "base/threads.hpp"
#include "usage/tailer.hpp"

namespace keyherd::engine {

TailThread::TailThread(const FileSystem& files, const Clock& clock, Tailed tailed,
                       usage::SeenIds::Limits request_ids, Post post)
    : files_(files),
      clock_(clock),
      tailed_(std::move(tailed)),
      request_ids_(request_ids),
      post_(std::move(post)) {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    name_thread("kh-tailer");
    run(stop);
  });
}

void TailThread::configure(std::vector<model::UsageLog> logs,
                           std::shared_ptr<const model::UsageContext> context) {
  {
    MutexLock lock(mutex_);
    wanted_ = Configuration{std::move(logs), std::move(context)};
  }
  watcher_.wake();
}

void TailThread::committed(const std::string& source, std::uint64_t batch) {
  answer({source, batch, true});
}

void TailThread::refused(const std::string& source, std::uint64_t batch) {
  answer({source, batch, false});
}

void TailThread::answer(Answer answer) {
  {
    MutexLock lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  watcher_.wake();
}

bool TailThread::deliver(Delivery delivery) {
  if (!deliveries_.add(std::move(delivery)))
    return false;
  watcher_.wake();
  return true;
}

std::optional<std::size_t> TailThread::take_deliveries(usage::Tailer& tailer,
                                                       const std::stop_token& stop) {
  std::size_t batches = 0;
  for (Delivery& each : deliveries_.take()) {
    auto tally = tailer.take_delivery(each.log, std::move(each.lines), clock_.now());
    if (!tally) {
      deliveries_.refuse(each, tally.error());
      continue;
    }
    deliveries_.await(std::move(each), *tally);
    ++batches;
    if (!post_(std::move(*tally), stop))
      return std::nullopt;
  }
  return batches;
}

void TailThread::stop() {
  thread_.request_stop();
  watcher_.wake();
  if (thread_.joinable())
    thread_.join();
}

void TailThread::run(const std::stop_token& stop) {
  usage::TailerOptions options;
  options.request_ids = request_ids_;
  // The server, the probes and the store want descriptors too.
  options.max_open_files = std::min(options.max_open_files, descriptor_limit() / 4);
  usage::Tailer tailer(files_, {}, std::move(tailed_.cursors), options);
  tailer.restore_seen(std::exchange(tailed_.seen, {}));
  std::size_t uncommitted = 0;
  while (!stop.stop_requested()) {
    std::optional<Configuration> configuration;
    std::vector<Answer> answers;
    bool is_changing = false;  // first what is read is committed
    {
      MutexLock lock(mutex_);
      answers = std::exchange(answers_, {});
      if (wanted_ && uncommitted == answers.size())
        configuration = std::exchange(wanted_, std::nullopt);
      is_changing = wanted_.has_value();
    }
    for (const Answer& one : answers) {
      if (one.committed)
        tailer.committed(one.source, one.batch);
      else
        tailer.rejected(one.source, one.batch);
      deliveries_.settle(one.batch, one.committed);
    }
    uncommitted -= std::min(uncommitted, answers.size());
    if (configuration) {
      tailer.set_logs(std::move(configuration->logs));
      tailer.set_context(std::move(configuration->context));
      watcher_.watch(tailer.directories());
    }
    if (!is_changing) {
      const auto delivered = take_deliveries(tailer, stop);
      if (!delivered)
        return;
      uncommitted += *delivered;
    }
    for (model::Tally& tally : tailer.poll(clock_.now())) {
      uncommitted += tally.batch != 0 ? 1 : 0;
      if (!post_(std::move(tally), stop))
        return;
    }
    if (!watcher_.sees_all())
      watcher_.watch(tailer.directories());  // one may exist by now
    if (!tailer.has_more() || uncommitted > 0)
      watcher_.wait(clock_.now().steady + watcher_.interval(), stop);
  }
}

}  // namespace keyherd::engine
