// The scrape of a large herd beside its limits and its peer, in one run: the same series formatted
// plainly into one string, written by the exposition, fetched over loopback, and collected and
// serialised by prometheus-cpp. Ends with 1 when the scrape misses what it is held to.

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "metrics/catalogue.hpp"
#include "metrics/exposition.hpp"
#include "net/compress.hpp"
#include "net/server.hpp"

namespace {

using namespace keyherd;

constexpr int kKeys = 10'000;
constexpr int kRounds = 11;
constexpr double kMostOfPlain = 3;
constexpr double kMostMilliseconds = 40;
constexpr double kMostMegabytes = 60;

// Twenty series a key; what else a key has is dropped.
constexpr std::array<std::string_view, 10> kLean{
    "keyherd_key_info",
    "keyherd_key_up",
    "keyherd_key_state",
    "keyherd_key_state_changed_timestamp_seconds",
    "keyherd_probes_total",
    "keyherd_probe_last_timestamp_seconds",
    "keyherd_probe_last_success_timestamp_seconds",
    "keyherd_probe_last_duration_seconds",
    "keyherd_probe_last_http_status_code",
    "keyherd_probe_consecutive_failures",
};
constexpr std::string_view kLeanToo = "keyherd_usage_last_record_timestamp_seconds";

std::vector<std::string> all_but_lean() {
  std::vector<std::string> drop;
  for (const auto& info : metrics::catalogue())
    if (info.labels.starts_with("key") &&
        std::find(kLean.begin(), kLean.end(), info.name) == kLean.end() && info.name != kLeanToo)
      drop.emplace_back(info.name);
  return drop;
}

model::SnapshotPtr herd() {
  auto snapshot = std::make_shared<model::Snapshot>();
  const WallTime now{std::chrono::seconds(1'777'593'600)};
  auto provider = std::make_shared<model::ProviderView>();
  provider->provider.id = "deepseek";
  provider->provider.base_url = "https://api.deepseek.com";
  snapshot->providers.push_back(std::move(provider));
  for (int i = 0; i < kKeys; ++i) {
    auto view = std::make_shared<model::KeyView>();
    view->key.id = "deepseek-prod-" + std::to_string(100'000 + i);
    view->key.provider = "deepseek";
    view->key.limit_group = "account-main";
    view->fingerprint = "0123456789ab";
    view->health.state = model::KeyState::healthy;
    view->health.since = now - std::chrono::seconds(i);
    view->health.last_probe_at = now - std::chrono::milliseconds(i);
    view->health.last_success_at = now - std::chrono::milliseconds(i);
    view->last_probe = {200, std::chrono::microseconds(100'000 + i)};
    view->last_used_at = now - std::chrono::milliseconds(2 * i);
    view->probes.probes = {i, 2L * i, 0, 7};
    snapshot->keys.push_back(std::move(view));
  }
  return snapshot;
}

// What both the plain formatter and the peer are given: the parsed lines of our own text.
struct Series {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};
struct Family {
  std::string name;
  std::vector<Series> series;
};

std::vector<Family> parse(const std::string& text) {
  std::vector<Family> families;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t brace = line.find('{');
    if (line.starts_with("#") || brace == std::string::npos || line.find("key=\"") != brace + 1)
      continue;
    const std::string name = line.substr(0, brace);
    if (families.empty() || families.back().name != name)
      families.push_back({name, {}});
    Series series;
    std::size_t label = brace + 1;
    while (line[label - 1] != '}') {
      const std::size_t equals = line.find("=\"", label);
      const std::size_t quote = line.find('"', equals + 2);
      series.labels.emplace_back(line.substr(label, equals - label),
                                 line.substr(equals + 2, quote - equals - 2));
      label = quote + 2;
    }
    series.value = std::stod(line.substr(line.rfind(' ') + 1));
    families.back().series.push_back(std::move(series));
  }
  return families;
}

// The limit: to_chars into one string that is large enough, nothing escaped, nothing decided.
std::size_t format_plainly(const std::vector<Family>& families, std::string& out) {
  char* at = out.data();
  const auto put = [&at](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  for (const Family& family : families)
    for (const Series& series : family.series) {
      put(family.name);
      char before = '{';
      for (const auto& [name, value] : series.labels) {
        *at++ = before;
        before = ',';
        put(name);
        put("=\"");
        put(value);
        *at++ = '"';
      }
      put("} ");
      at = std::to_chars(at, at + 40, series.value).ptr;
      *at++ = '\n';
    }
  return static_cast<std::size_t>(at - out.data());
}

// The peer as its documentation wants it for values that live elsewhere.
class Collector final : public prometheus::Collectable {
 public:
  explicit Collector(const std::vector<Family>& families) : families_(families) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> all;
    for (const Family& family : families_) {
      prometheus::MetricFamily made{family.name, "Help.", prometheus::MetricType::Gauge, {}};
      made.metric.reserve(family.series.size());
      for (const Series& series : family.series) {
        prometheus::ClientMetric& metric = made.metric.emplace_back();
        metric.label.reserve(series.labels.size());
        for (const auto& [name, value] : series.labels)
          metric.label.push_back({name, value});
        metric.gauge.value = series.value;
      }
      all.push_back(std::move(made));
    }
    return all;
  }

 private:
  const std::vector<Family>& families_;
};

class Body final : public net::BodyStream {
 public:
  explicit Body(std::unique_ptr<metrics::Scrape> scrape) : scrape_(std::move(scrape)) {}
  bool next(std::string& piece) override { return scrape_->next(piece); }

 private:
  std::unique_ptr<metrics::Scrape> scrape_;
};

std::unique_ptr<net::Server> serve(const metrics::Exposition& exposition,
                                   const model::SnapshotPtr& snapshot) {
  const auto answer = [&exposition, snapshot](const net::ServerRequest& request) -> net::Answer {
    net::ServerResponse response;
    response.content_type = std::string(metrics::kContentType);
    response.stream = std::make_shared<Body>(exposition.scrape(snapshot));
    if (net::accepts_gzip(request))
      response.stream = net::gzip(std::move(response.stream));
    return response;
  };
  auto server = net::start_server({}, {{"GET", "/metrics", 0, answer}});
  if (!server)
    throw std::runtime_error(server.error().message);
  return std::move(*server);
}

// Fetches and drops; returns how many bytes came.
std::size_t fetch(int port, const char* headers) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("cannot connect");
  const std::string request =
      std::string("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n") + headers +
      "\r\n";
  static_cast<void>(::send(fd, request.data(), request.size(), MSG_NOSIGNAL));
  static std::array<char, 262'144> bytes;
  std::size_t total = 0;
  for (ssize_t count = 0; (count = ::recv(fd, bytes.data(), bytes.size(), 0)) > 0;)
    total += static_cast<std::size_t>(count);
  ::close(fd);
  return total;
}

double status_megabytes(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field))
      return std::stod(line.substr(line.find(':') + 1)) / 1024;
  return 0;
}

// How much higher resident memory rose than it was, while something was done.
double peak_megabytes(const std::function<void()>& work) {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = status_megabytes("VmRSS");
  work();
  return status_megabytes("VmHWM") - before;
}

struct Way {
  const char* name;
  std::function<std::size_t()> run;
  std::vector<double> milliseconds{};
  std::size_t bytes = 0;
  double megabytes = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(std::vector<Way>& ways) {
  for (Way& way : ways)
    way.megabytes = peak_megabytes([&] { way.bytes = way.run(); });
  for (int round = 0; round < kRounds; ++round)
    for (Way& way : ways) {
      const auto start = std::chrono::steady_clock::now();
      way.run();
      way.milliseconds.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
              .count());
    }
}

void print(const std::vector<Way>& ways) {
  const double plain = median(ways[0].milliseconds);
  for (const Way& way : ways)
    std::printf("| %-58s | %7.1f | %6.1f | %6.1f | %6.1f |\n", way.name, median(way.milliseconds),
                median(way.milliseconds) / plain, static_cast<double>(way.bytes) / 1e6,
                way.megabytes);
}

}  // namespace

int main() {
  const LogCounts log;
  const SystemClock clock;
  const model::SnapshotPtr snapshot = herd();
  const metrics::Exposition lean({"1", "r", "c"}, log, clock, {5, all_but_lean()});
  const metrics::Exposition full({"1", "r", "c"}, log, clock);
  const std::string text = lean.render(*snapshot);
  const std::vector<Family> families = parse(text);
  std::size_t series = 0;
  for (const Family& family : families)
    series += family.series.size();
  std::string plain(text.size() + 1'000'000, '\0');
  const Collector collector(families);
  const auto lean_server = serve(lean, snapshot);
  const auto full_server = serve(full, snapshot);

  std::vector<Way> ways{
      {"plain formatter, one presized string", [&] { return format_plainly(families, plain); }},
      {"exposition, in pieces",
       [&] {
         const auto scrape = lean.scrape(snapshot);
         std::size_t bytes = 0;
         for (bool more = true; more;) {
           std::string piece;
           more = scrape->next(piece);
           bytes += piece.size();
         }
         return bytes;
       }},
      {"whole scrape over loopback", [&] { return fetch(lean_server->port(), ""); }},
      {"whole scrape over loopback, gzip",
       [&] { return fetch(lean_server->port(), "Accept-Encoding: gzip\r\n"); }},
      {"prometheus-cpp: collect and serialise",
       [&] { return prometheus::TextSerializer().Serialize(collector.Collect()).size(); }},
      {"whole scrape over loopback, every family of these keys",
       [&] { return fetch(full_server->port(), ""); }},
  };
  measure(ways);
  std::printf("%d keys, %zu series of keys (%.0f a key), medians of %d interleaved rounds\n", kKeys,
              series, static_cast<double>(series) / kKeys, kRounds);
  std::printf("| %-58s | %7s | %6s | %6s | %6s |\n", "way", "ms", "times", "MB", "RSS+");
  print(ways);
  const Way& scrape = ways[2];
  const double took = median(scrape.milliseconds);
  const double times = took / median(ways[0].milliseconds);
  const bool met =
      times <= kMostOfPlain && took <= kMostMilliseconds && scrape.megabytes <= kMostMegabytes;
  std::printf(
      "whole scrape: %.1f x plain (at most %.0f), %.1f ms (at most %.0f), %.1f MB over idle "
      "(at most %.0f): %s; prometheus-cpp takes %.1f x as long\n",
      times, kMostOfPlain, took, kMostMilliseconds, scrape.megabytes, kMostMegabytes,
      met ? "met" : "MISSED", median(ways[4].milliseconds) / took);
  return met ? 0 : 1;
}
