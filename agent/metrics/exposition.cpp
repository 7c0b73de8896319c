#include "metrics/exposition.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "metrics/families.hpp"
#include "metrics/herd.hpp"
#include "metrics/own_metrics.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

// Before the first body is known: a typical key, and the rest.
constexpr std::size_t kBytesPerKey = 5000;
constexpr std::size_t kFixedBytes = 64 * 1024;

}  // namespace

struct Exposition::Impl {
  Impl(const BuildInfo& build, const LogCounts& log, const Clock& source, ExpositionOptions given)
      : clock(source),
        options(given),
        own(log),
        build_labels(label("version", build.version) + "," + label("revision", build.revision) +
                     "," + label("compiler", build.compiler)) {}

  const Clock& clock;
  const ExpositionOptions options;
  OwnMetrics own;
  const std::string build_labels;
  std::atomic<std::chrono::nanoseconds> last_duration{std::chrono::nanoseconds(0)};
  std::atomic<std::size_t> last_bytes{0};
};

Exposition::Exposition(BuildInfo build, const LogCounts& log, const Clock& clock,
                       ExpositionOptions options)
    : impl_(std::make_unique<Impl>(build, log, clock, options)) {}
Exposition::~Exposition() = default;

std::string Exposition::render(const model::Snapshot& snapshot) const {
  std::string body;
  const std::size_t last = impl_->last_bytes.load();
  body.reserve(last > 0 ? last + last / 16 : kFixedBytes + kBytesPerKey * snapshot.keys.size());
  render(snapshot, [&](std::string_view piece) { body += piece; });
  impl_->last_bytes = body.size();
  return body;
}

void Exposition::render(const model::Snapshot& snapshot, const Sink& sink) const {
  const SteadyTime start = impl_->clock.now().steady;
  TextWriter out(sink);
  const Herd herd = make_herd(snapshot, impl_->options.models_per_key);
  out.family("keyherd_build_info");
  out.sample(impl_->build_labels, {}, std::int64_t{1});
  write_keys(out, herd);
  write_probes(out, herd);
  write_quotas(out, herd);
  write_usage(out, herd);
  write_limits(out, herd);
  write_pools(out, snapshot);
  write_usage_logs(out, snapshot);
  write_agent(out, herd);
  const OwnMetrics::Text own = impl_->own.render(impl_->last_duration.load(), out.series());
  out.append(own.body, own.series);
  out.finish();
  impl_->last_duration = impl_->clock.now().steady - start;
}

void Exposition::observe_http(std::string_view handler, std::string_view method, int status,
                              std::chrono::nanoseconds duration) {
  impl_->own.observe_http(handler, method, status, duration);
}

void Exposition::count_auth_failure() {
  impl_->own.count_auth_failure();
}

}  // namespace keyherd::metrics
