#include "metrics/own_metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <vector>

#include "metrics/catalogue.hpp"
#include "metrics/process_stats.hpp"

namespace keyherd::metrics {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

// A scrape takes milliseconds, a long poll half a minute.
const prometheus::Histogram::BucketBoundaries kBounds{0.001, 0.005, 0.01, 0.05, 0.1,
                                                      0.5,   1,     5,    30,   60};

template <class Metric>
prometheus::Family<Metric>& add_family(prometheus::Registry& registry,
                                       prometheus::detail::Builder<Metric> builder,
                                       const char* name) {
  return builder.Name(name).Help(std::string(metric(name).help)).Register(registry);
}

prometheus::MetricType type_of(MetricType type) {
  switch (type) {
    case MetricType::gauge:
      return prometheus::MetricType::Gauge;
    case MetricType::counter:
      return prometheus::MetricType::Counter;
    case MetricType::histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

MetricFamily make_family(std::string_view name) {
  const MetricInfo& info = metric(name);
  return {std::string(name), std::string(info.help), type_of(info.type), {}};
}

MetricFamily single(std::string_view name, double value) {
  MetricFamily family = make_family(name);
  ClientMetric& sample = family.metric.emplace_back();
  sample.counter.value = value;
  sample.gauge.value = value;
  return family;
}

void add_process(std::vector<MetricFamily>& families) {
  const auto stats = read_process_stats();
  if (!stats)
    return;
  families.push_back(single("process_cpu_seconds_total", stats->cpu_seconds));
  families.push_back(
      single("process_resident_memory_bytes", static_cast<double>(stats->resident_bytes)));
  families.push_back(
      single("process_virtual_memory_bytes", static_cast<double>(stats->virtual_bytes)));
  families.push_back(single("process_open_fds", static_cast<double>(stats->open_fds)));
  families.push_back(single("process_max_fds", static_cast<double>(stats->max_fds)));
  families.push_back(single("process_start_time_seconds", stats->start_time_seconds));
}

MetricFamily log_lines(const LogCounts& log) {
  MetricFamily family = make_family("keyherd_log_messages_total");
  const auto add = [&](const char* level, const std::atomic<std::uint64_t>& count) {
    ClientMetric& sample = family.metric.emplace_back();
    sample.label.push_back({"level", level});
    sample.counter.value = static_cast<double>(count.load(std::memory_order_relaxed));
  };
  add("debug", log.debug);
  add("info", log.info);
  add("warning", log.warning);
  add("error", log.error);
  return family;
}

std::size_t count_series(const MetricFamily& family) {
  std::size_t series = 0;
  for (const ClientMetric& sample : family.metric)
    series +=
        family.type == prometheus::MetricType::Histogram ? sample.histogram.bucket.size() + 2 : 1;
  return series;
}

// The library keeps samples in hash order, with labels in the order of their names.
void sort_samples(std::vector<MetricFamily>& families) {
  for (MetricFamily& family : families)
    std::sort(family.metric.begin(), family.metric.end(),
              [](const ClientMetric& a, const ClientMetric& b) { return a.label < b.label; });
  std::sort(families.begin(), families.end(), [](const MetricFamily& a, const MetricFamily& b) {
    return &metric(a.name) < &metric(b.name);
  });
}

std::string bounded_method(std::string_view method) {
  static constexpr std::array<std::string_view, 7> kMethods{"GET",    "HEAD",    "POST", "PUT",
                                                            "DELETE", "OPTIONS", "PATCH"};
  const bool known = std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
  return std::string(known ? method : "other");
}

}  // namespace

struct OwnMetrics::Impl {
  explicit Impl(const LogCounts& counts) : log(counts) {}

  const LogCounts& log;
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      add_family(registry, prometheus::BuildCounter(), "keyherd_http_requests_total");
  prometheus::Family<prometheus::Histogram>& durations =
      add_family(registry, prometheus::BuildHistogram(), "keyherd_http_request_duration_seconds");
  prometheus::Counter& auth_failures =
      add_family(registry, prometheus::BuildCounter(), "keyherd_http_auth_failures_total").Add({});
};

OwnMetrics::OwnMetrics(const LogCounts& log) : impl_(std::make_unique<Impl>(log)) {}
OwnMetrics::~OwnMetrics() = default;

void OwnMetrics::observe_http(std::string_view handler, std::string_view method, int status,
                              std::chrono::nanoseconds duration) {
  const std::string route(handler);
  const int code = std::clamp(status, 100, 599);
  impl_->requests
      .Add({{"handler", route}, {"method", bounded_method(method)}, {"code", std::to_string(code)}})
      .Increment();
  impl_->durations.Add({{"handler", route}}, kBounds)
      .Observe(std::chrono::duration<double>(duration).count());
}

void OwnMetrics::count_auth_failure() {
  impl_->auth_failures.Increment();
}

OwnMetrics::Text OwnMetrics::render(std::chrono::nanoseconds last_duration,
                                    std::size_t series_before) const {
  std::vector<MetricFamily> families = impl_->registry.Collect();
  families.push_back(log_lines(impl_->log));
  add_process(families);
  families.push_back(single("keyherd_scrape_duration_seconds",
                            std::chrono::duration<double>(last_duration).count()));
  Text text;
  text.series = 1;  // the count itself
  for (const MetricFamily& family : families)
    text.series += count_series(family);
  families.push_back(
      single("keyherd_scrape_series", static_cast<double>(series_before + text.series)));
  sort_samples(families);
  text.body = prometheus::TextSerializer().Serialize(families);
  return text;
}

}  // namespace keyherd::metrics
