#include "metrics/exposition.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "metrics/families.hpp"
#include "metrics/herd.hpp"
#include "metrics/own_metrics.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
// Between two looks at how much is written: a row is at most a few kilobytes.
constexpr std::size_t kRowsAtOnce = 16;

// In the catalogue's order.
std::vector<FamilyWriter> all_families(const std::vector<std::string>& drop) {
  std::vector<FamilyWriter> all;
  for (const FamilyTable table :
       {key_families(), probe_families(), quota_families(), usage_families(), limit_families(),
        pool_families(), usage_log_families(), agent_families()})
    for (const FamilyWriter& family : table)
      if (std::find(drop.begin(), drop.end(), family.name) == drop.end())
        all.push_back(family);
  return all;
}

}  // namespace

struct Exposition::Impl {
  Impl(const BuildInfo& build, const LogCounts& log, const Clock& source, ExpositionOptions given)
      : clock(source),
        options(std::move(given)),
        own(log),
        families(all_families(options.drop)),
        build_labels(label("version", build.version) + "," + label("revision", build.revision) +
                     "," + label("compiler", build.compiler)) {}

  const Clock& clock;
  const ExpositionOptions options;
  OwnMetrics own;
  const std::vector<FamilyWriter> families;
  const std::string build_labels;
  std::atomic<std::chrono::nanoseconds> last_duration{std::chrono::nanoseconds(0)};
};

// Where a scrape is: in a family, before a row.
class Exposition::Walk final : public Scrape {
 public:
  Walk(Impl& impl, model::SnapshotPtr snapshot) : impl_(impl), snapshot_(std::move(snapshot)) {}

  bool next(std::string& piece) override {
    const SteadyTime start = impl_.clock.now().steady;
    if (!herd_.snapshot)
      begin();
    while (!done_ && out_.size() < kPieceBytes)
      step();
    out_.take(piece);
    spent_ += impl_.clock.now().steady - start;
    if (done_)
      impl_.last_duration = spent_;
    return !done_;
  }

 private:
  void begin() {
    herd_ = make_herd(*snapshot_, impl_.options.models_per_key);
    out_.family("keyherd_build_info");
    out_.sample(impl_.build_labels, {}, std::int64_t{1});
  }

  void step() {
    if (family_ == impl_.families.size())
      return end();
    const FamilyWriter& family = impl_.families[family_];
    if (row_ == 0)
      out_.family(family.name);
    bool more = false;
    if (family.of_key != nullptr)
      more = write_rows(herd_.keys, family.of_key);
    else if (family.of_quota != nullptr)
      more = write_rows(herd_.quotas, family.of_quota);
    else
      family.whole(out_, herd_);
    if (!more) {
      ++family_;
      row_ = 0;
    }
  }

  // True when rows are left.
  template <class Row>
  bool write_rows(const std::vector<Row>& rows, void (*write)(TextWriter&, const Row&)) {
    const std::size_t end = std::min(rows.size(), row_ + kRowsAtOnce);
    for (; row_ < end; ++row_)
      write(out_, rows[row_]);
    return row_ < rows.size();
  }

  void end() {
    const OwnMetrics::Text own = impl_.own.render(impl_.last_duration.load(), out_.series());
    out_.append(own.body, own.series);
    done_ = true;
  }

  Impl& impl_;
  const model::SnapshotPtr snapshot_;
  Herd herd_;
  TextWriter out_;
  std::size_t family_ = 0;
  std::size_t row_ = 0;
  std::chrono::nanoseconds spent_{0};
  bool done_ = false;
};

Exposition::Exposition(BuildInfo build, const LogCounts& log, const Clock& clock,
                       ExpositionOptions options)
    : impl_(std::make_unique<Impl>(build, log, clock, std::move(options))) {}
Exposition::~Exposition() = default;

std::unique_ptr<Scrape> Exposition::scrape(model::SnapshotPtr snapshot) const {
  return std::make_unique<Walk>(*impl_, std::move(snapshot));
}

std::string Exposition::render(const model::Snapshot& snapshot) const {
  // Borrowed: the walk ends before this does.
  Walk walk(*impl_, model::SnapshotPtr(std::shared_ptr<void>(), &snapshot));
  std::string body;
  while (walk.next(body)) {
  }
  return body;
}

void Exposition::observe_http(std::string_view handler, std::string_view method, int status,
                              std::chrono::nanoseconds duration) {
  impl_->own.observe_http(handler, method, status, duration);
}

void Exposition::count_auth_failure() {
  impl_->own.count_auth_failure();
}

}  // namespace keyherd::metrics
