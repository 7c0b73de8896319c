#include "engine/job_line.hpp"

#include <utility>

#include "base/threads.hpp"

namespace keyherd::engine {

bool JobLine::add(Job job) {
  MutexLock lock(mutex_);
  if (stopped_ || jobs_.size() >= most_waiting_)
    return false;
  jobs_.push_back(std::move(job));
  if (std::exchange(works_, true))
    return true;
  if (thread_.joinable())
    thread_.join();  // it has done its last job and takes the mutex no more
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  return true;
}

void JobLine::run(const std::stop_token& stop) {
  name_thread("kh-jobs");
  while (true) {
    Job job;
    {
      MutexLock lock(mutex_);
      if (jobs_.empty() || stop.stop_requested()) {
        works_ = false;
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(stop);
  }
}

void JobLine::stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;  // no thread is started from here on
  }
  thread_.request_stop();
  if (thread_.joinable())
    thread_.join();
}

}  // namespace keyherd::engine
