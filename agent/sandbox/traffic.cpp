#include "sandbox/traffic.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/json.hpp"
#include "base/mutex.hpp"
#include "base/secret.hpp"
#include "base/time_text.hpp"

namespace keyherd::sandbox {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxPublishedBytes = 65'536;

struct Published {
  std::string key;
  Secret secret;
};

std::string text_of(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name) || !object[name].is_string())
    return {};
  return object[name].get<std::string>();
}

std::optional<Published> read_published(const FileSystem& files, const std::string& path) {
  const auto text = files.read(path, kMaxPublishedBytes);
  if (!text)
    return std::nullopt;
  const auto body = parse_json(*text);
  if (!body)
    return std::nullopt;
  Published published{text_of(*body, "key"), Secret(text_of(*body, "secret"))};
  if (published.key.empty() || published.secret.empty())
    return std::nullopt;
  return published;
}

std::int64_t count_of(const json& body, const char* pointer) {
  const json::json_pointer path(pointer);
  if (!body.contains(path) || !body.at(path).is_number_unsigned())
    return 0;
  return body.at(path).get<std::int64_t>();
}

// The native usage log's line for one call. Without an answer the status is 0.
std::string log_line(const TrafficClient& client, const std::string& key, WallTime at,
                     const Result<net::HttpResponse>& response, std::uint64_t request_id) {
  json line = {{"ts", format_rfc3339(at)},
               {"key", key},
               {"model", client.model},
               {"input_tokens", 0},
               {"output_tokens", 0},
               {"cached_input_tokens", 0},
               {"status", 0},
               {"request_id", "req-" + std::to_string(request_id)}};
  if (!response)
    return dump_json(line) + "\n";
  line["status"] = response->status;
  line["latency_ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(response->latency).count();
  if (const auto body = parse_json(response->body); body && response->status == 200) {
    line["input_tokens"] = count_of(*body, "/usage/prompt_tokens");
    line["output_tokens"] = count_of(*body, "/usage/completion_tokens");
    line["cached_input_tokens"] =
        std::max(count_of(*body, "/usage/prompt_tokens_details/cached_tokens"),
                 count_of(*body, "/usage/prompt_cache_hit_tokens"));
  }
  return dump_json(line) + "\n";
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Traffic::Traffic(TrafficOptions options, net::Transport& transport, const FileSystem& files,
                 const Clock& clock, Random& random)
    : options_(std::move(options)),
      transport_(transport),
      files_(files),
      clock_(clock),
      random_(random) {}

Status Traffic::append(const std::string& line) const {
  const std::string doing = "writing the usage log " + options_.log_path;
  const Descriptor file(
      ::open(options_.log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0)
    return fail(errno_error(errno, doing));
  // One write a line: a reader never meets two lines mixed.
  const auto written = ::write(file.get(), line.data(), line.size());
  if (written < 0)
    return fail(errno_error(errno, doing));
  if (static_cast<std::size_t>(written) != line.size())
    return fail(ErrorCode::no_space, doing + ": the disk took a part of a line");
  struct stat status {};
  if (options_.rotate_bytes == 0 || ::fstat(file.get(), &status) != 0 ||
      static_cast<std::uint64_t>(status.st_size) < options_.rotate_bytes)
    return {};
  const std::string old = options_.log_path + ".1";
  if (std::rename(options_.log_path.c_str(), old.c_str()) != 0)
    return fail(errno_error(errno, "rotating the usage log " + options_.log_path));
  return {};
}

Status Traffic::step(std::stop_token stop) {
  if (options_.clients.empty())
    return {};
  const TrafficClient& client = options_.clients[next_client_++ % options_.clients.size()];
  const auto published = read_published(files_, client.pool_file);
  if (!published) {
    ++counts_.skipped;
    return {};
  }
  net::HttpRequest request;
  request.method = "POST";
  request.url = client.base_url + "/chat/completions";
  const std::string prompt(static_cast<std::size_t>(40 + 400 * random_.unit()), 'x');
  request.body = dump_json(
      {{"model", client.model},
       {"messages", json::array({{{"role", "user"}, {"content", "summarise: " + prompt}}})}});
  request.secret = &published->secret;
  request.timeout = options_.timeout;
  const auto response = transport_.send(request, stop);
  if (!response && response.error().code == ErrorCode::cancelled)
    return {};
  ++counts_.requests;
  if (!response || response->status < 200 || response->status > 299)
    ++counts_.failed;
  return append(log_line(client, published->key, clock_.now().wall, response, random_.next()));
}

Status Traffic::run(std::stop_token stop) {
  if (options_.requests_per_second <= 0)
    return fail(ErrorCode::invalid, "traffic needs more than 0 requests per second");
  const std::chrono::nanoseconds interval(
      static_cast<std::int64_t>(1e9 / options_.requests_per_second));
  Mutex mutex;
  Condition woken;
  SteadyTime next = clock_.now().steady;
  while (!stop.stop_requested()) {
    KH_TRY(step(stop));
    // After a slow answer it goes on from now: no burst to catch up.
    next = std::max(next + interval, clock_.now().steady);
    MutexLock lock(mutex);
    while (!stop.stop_requested() && clock_.now().steady < next)
      woken.wait_until(mutex, next, stop);
  }
  return {};
}

}  // namespace keyherd::sandbox
