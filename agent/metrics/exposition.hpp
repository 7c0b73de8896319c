#pragma once

// What `GET /metrics` answers: the families of a Snapshot, and the agent's own (HTTP, log,
// process), as Prometheus text 0.0.4. Every name, label and help text comes from catalogue.hpp.
//
// Safe to call from any thread. A scrape touches neither the loop nor any lock of it; its time
// grows with the number of series, its memory is a label list a key and one piece.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "model/snapshot.hpp"

namespace keyherd::metrics {

inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

// Labels of keyherd_build_info.
struct BuildInfo {
  std::string version;
  std::string revision;
  std::string compiler;
};

struct ExpositionOptions {
  // A key with more models than this shows only the first so many priced models of its provider by
  // name; the others are summed under model="other". Keeps a key within 100 series.
  std::size_t models_per_key = 4;
  // Families that are left out. Names that are none are ignored.
  std::vector<std::string> drop;
};

// One answer in the making. One thread at a time; holds its Snapshot until it is destroyed.
class Scrape {
 public:
  virtual ~Scrape() = default;
  // Appends the next piece, about a quarter of a megabyte that ends at the end of a line. False
  // when that was the last one.
  virtual bool next(std::string& piece) = 0;
};

class Exposition {
 public:
  // `log` and `clock` outlive the exposition.
  Exposition(BuildInfo build, const LogCounts& log, const Clock& clock,
             ExpositionOptions options = {});
  ~Exposition();
  Exposition(const Exposition&) = delete;
  Exposition& operator=(const Exposition&) = delete;

  // A body to be sent with kContentType, never held whole: with ten thousand keys it is 50 to 90
  // MB. The same facts give the same text, but for the families process_* and
  // keyherd_scrape_duration_seconds. The exposition outlives it.
  [[nodiscard]] std::unique_ptr<Scrape> scrape(model::SnapshotPtr snapshot) const;
  // The same at once.
  [[nodiscard]] std::string render(const model::Snapshot& snapshot) const;

  // One answered request. `handler` is the route's pattern ("/api/v1/keys/{id}"), never the path:
  // each distinct value is kept for ever. An unusual method is counted as "other".
  void observe_http(std::string_view handler, std::string_view method, int status,
                    std::chrono::nanoseconds duration);
  // One request that was refused for a missing, wrong or too weak token.
  void count_auth_failure();

 private:
  struct Impl;
  class Walk;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyherd::metrics
