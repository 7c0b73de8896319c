// How many probes a second the agent's own workers make against a server, and what that costs:
//   bench_probe_rate BASE_URL WORKERS SECONDS [CA_FILE]
// prints {"probes","per_second","cpu_ms_per_probe","rss_mb","failed"}. Used by scripts/bench, which
// starts the server. The whole way of a probe is in it: order, queue, request, answer,
// classification, evidence, and the event that the loop gets; only the loop's judgement is not.

#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/bounded_queue.hpp"
#include "base/log.hpp"
#include "engine/workers.hpp"
#include "store/memory_store.hpp"

using namespace keyherd;

namespace {

constexpr int kKeys = 1'000;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double resident_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == "VmRSS:" && status >> kilobytes)
      return kilobytes / 1024;
  }
  return 0;
}

struct Counts {
  std::int64_t probes = 0;
  std::int64_t failed = 0;
};

// The loop's part: keeps the workers' queue full and takes what they found out.
class Driver {
 public:
  Driver(const std::string& base_url, int workers, const std::string& ca_file)
      : log_(make_null_logger()), events_(8'192) {
    auto provider = std::make_shared<model::Provider>();
    provider->id = "bench";
    provider->type = "openai_compat";
    provider->base_url = base_url;
    provider->ca_file = ca_file;
    provider_ = std::move(provider);
    for (int i = 0; i < kKeys; ++i)
      secrets_.push_back(std::make_shared<const Secret>("sk-bench-" + std::to_string(100'000 + i)));
    engine::WorkerOptions options{*files_, clock_, redactor_, *log_, workers, {}, {}, {}, {}, {}};
    options.post = [this](engine::Event event, const std::stop_token& stop) {
      return events_.push(std::move(event), stop);
    };
    options.notify_readers = [] {};
    workers_ =
        engine::start_worker_threads(std::move(options), store::make_memory_store(), nullptr, {});
  }

  Counts run_for(std::chrono::nanoseconds time) {
    const SteadyTime end = clock_.now().steady + time;
    Counts counts;
    while (clock_.now().steady < end) {
      while (workers_->start_probe(next_order()))
        ++started_;
      for (const engine::Event& event : events_.pop_all(end, {})) {
        const auto* finished = std::get_if<engine::ProbeFinished>(&event);
        if (finished == nullptr)
          continue;
        ++counts.probes;
        counts.failed += finished->evidence.verdict != model::Verdict::ok ? 1 : 0;
      }
    }
    return counts;
  }

 private:
  engine::ProbeOrder next_order() {
    const auto key = static_cast<std::size_t>(started_ % kKeys);
    engine::ProbeOrder order;
    order.id = started_;
    order.job.key = "key-" + std::to_string(key);
    order.job.provider = provider_;
    order.job.secret = secrets_[key];
    order.job.kind = model::ProbeKind::models;
    return order;
  }

  std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  SystemClock clock_;
  Redactor redactor_;
  std::shared_ptr<spdlog::logger> log_;
  std::shared_ptr<const model::Provider> provider_;
  std::vector<std::shared_ptr<const Secret>> secrets_;
  std::uint64_t started_ = 0;
  BoundedQueue<engine::Event> events_;
  std::unique_ptr<engine::WorkerThreads> workers_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: bench_probe_rate BASE_URL WORKERS SECONDS [CA_FILE]\n";
    return 2;
  }
  const int seconds = std::atoi(argv[3]);
  Driver driver(argv[1], std::atoi(argv[2]), argc > 4 ? argv[4] : "");
  driver.run_for(std::chrono::seconds(1));  // connections are made, threads are there
  const double cpu = cpu_seconds();
  const auto begun = std::chrono::steady_clock::now();
  const Counts counts = driver.run_for(std::chrono::seconds(seconds));
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const auto probes = static_cast<double>(counts.probes);
  std::cout << "{\"probes\":" << counts.probes << ",\"per_second\":" << probes / elapsed
            << ",\"cpu_ms_per_probe\":" << (cpu_seconds() - cpu) * 1000 / probes
            << ",\"rss_mb\":" << resident_mb() << ",\"failed\":" << counts.failed << "}\n"
            << std::flush;
  return counts.failed == 0 ? 0 : 1;
}
