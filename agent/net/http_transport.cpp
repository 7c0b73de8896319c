#include <algorithm>
#include <array>
#include <map>

#include "base/mutex.hpp"
#include "base/text.hpp"
#include "net/exchange.hpp"
#include "net/link.hpp"
#include "net/message_rules.hpp"
#include "net/transport.hpp"

namespace keyherd::net {

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Servers close idle connections after five seconds (Node) to a few minutes. A request that must
// not be sent twice takes only a connection that was busy a moment ago.
constexpr std::chrono::seconds kMaxIdle{60};
constexpr std::chrono::seconds kMaxIdleOnce{3};
constexpr std::chrono::seconds kSweepEvery{10};

bool is_idempotent(const std::string& method) {
  constexpr std::array<std::string_view, 5> kMethods{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

// The transport frames the message itself.
bool is_framing_header(const std::string& name) {
  constexpr std::array<std::string_view, 5> kNames{"connection", "content-length", "host",
                                                   "transfer-encoding", "accept-encoding"};
  return std::find(kNames.begin(), kNames.end(), to_lower(name)) != kNames.end();
}

Status check_header(const std::string& name, std::string_view value) {
  if (!is_token(name))
    return fail(ErrorCode::invalid,
                "building a request: a header name has a character none may have");
  if (is_framing_header(name))
    return fail(ErrorCode::invalid, "building a request: header " + name + " is not the caller's");
  if (!is_plain_value(value))
    return fail(ErrorCode::invalid, "building a request: the value of header " + name +
                                        " must be printable ASCII without spaces at its ends");
  return {};
}

Status check_secret(const HttpRequest& request) {
  if (!is_credential(request.secret->reveal()))
    return fail(ErrorCode::invalid,
                "building a request: the secret is empty or has characters that no header may "
                "carry (it must be printable ASCII without spaces or line breaks)");
  // The prefix ends with a space; what it makes with the secret does not.
  return check_header(request.secret_header, request.secret_prefix + "x");
}

std::string host_header(const UrlParts& url) {
  const std::string host =
      url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const int usual = url.scheme == "https" ? 443 : 80;
  return url.port == usual ? host : host + ":" + std::to_string(url.port);
}

Result<Headers> build_headers(const HttpRequest& request, const UrlParts& url,
                              const std::string& user_agent) {
  if (!is_token(request.method))
    return fail(ErrorCode::invalid, "building a request: the method is not a word");
  Headers headers{{"Host", host_header(url)},
                  {"User-Agent", user_agent},
                  {"Accept", "*/*"},
                  {"Accept-Encoding", "identity"}};
  if (!request.body.empty()) {
    KH_TRY(check_header("Content-Type", request.content_type));
    headers.emplace_back("Content-Type", request.content_type);
  }
  for (const auto& header : request.headers) {
    KH_TRY(check_header(header.first, header.second));
    const bool replaces_ours = std::any_of(headers.begin(), headers.end(), [&](auto& ours) {
      if (!equals_ignore_case(ours.first, header.first))
        return false;
      ours.second = header.second;
      return true;
    });
    if (!replaces_ours)
      headers.push_back(header);
  }
  if (request.secret != nullptr) {
    KH_TRY(check_secret(request));
    headers.emplace_back(request.secret_header,
                         request.secret_prefix + std::string(request.secret->reveal()));
  }
  for (const auto& [name, value] : request.secret_headers) {
    KH_TRY(check_header(name, value->reveal()));
    headers.emplace_back(name, std::string(value->reveal()));
  }
  return headers;
}

// Idle connections by host, youngest last: a connection belongs to one caller at a time.
class LinkPool {
 public:
  using Key = std::pair<std::string, std::string>;  // scheme://host:port, CA file

  // Nothing when there is no idle connection that is young enough and still open.
  std::unique_ptr<Link> take(const Key& key, std::chrono::seconds max_idle) KH_EXCLUDES(mutex_) {
    for (;;) {
      Idle idle;
      {
        MutexLock lock(mutex_);
        const auto found = idle_.find(key);
        if (found == idle_.end() || found->second.empty())
          return nullptr;
        idle = std::move(found->second.back());
        found->second.pop_back();
      }
      if (std::chrono::steady_clock::now() - idle.since <= max_idle && idle.link->is_quiet())
        return std::move(idle.link);
    }
  }

  void give(const Key& key, std::unique_ptr<Link> link) KH_EXCLUDES(mutex_) {
    const SteadyTime now = std::chrono::steady_clock::now();
    std::vector<Idle> expired;  // closed outside the lock
    MutexLock lock(mutex_);
    idle_[key].push_back(Idle{std::move(link), now});
    if (now - swept_ >= kSweepEvery)
      expired = sweep(now);
  }

 private:
  struct Idle {
    std::unique_ptr<Link> link;
    SteadyTime since;
  };

  std::vector<Idle> sweep(SteadyTime now) KH_REQUIRES(mutex_) {
    std::vector<Idle> expired;
    swept_ = now;
    for (auto& [key, list] : idle_) {
      const auto young = std::find_if(list.begin(), list.end(),
                                      [now](auto& idle) { return now - idle.since <= kMaxIdle; });
      std::move(list.begin(), young, std::back_inserter(expired));
      list.erase(list.begin(), young);
    }
    std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
    return expired;
  }

  Mutex mutex_;
  std::map<Key, std::vector<Idle>> idle_ KH_GUARDED_BY(mutex_);
  SteadyTime swept_ KH_GUARDED_BY(mutex_) = std::chrono::steady_clock::now();
};

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(TransportOptions options) : options_(std::move(options)) {}

  Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) override {
    const SteadyTime began = std::chrono::steady_clock::now();
    KH_ASSIGN(const UrlParts url, parse_url(request.url));
    KH_ASSIGN(const Headers headers, build_headers(request, url, options_.user_agent));
    const Bounds bounds{began + request.timeout, std::move(stop)};
    auto response = attempt(request, url, headers, bounds);
    if (response)
      response->latency = std::chrono::steady_clock::now() - began;
    return response;
  }

 private:
  Result<HttpResponse> attempt(const HttpRequest& request, const UrlParts& url,
                               const Headers& headers, const Bounds& bounds) {
    const bool idempotent = is_idempotent(request.method);
    const LinkPool::Key key{url.scheme + "://" + host_header(url), request.ca_file};
    if (auto link = pool_.take(key, idempotent ? kMaxIdle : kMaxIdleOnce)) {
      auto outcome = exchange(*link, url, request, headers, bounds);
      // The peer closed the kept connection while the request was on its way: no answer, no fault.
      const bool stale = !outcome.response && outcome.nothing_received &&
                         outcome.response.error().code == ErrorCode::unavailable;
      if (!stale || !(idempotent || outcome.nothing_sent))
        return finish(key, std::move(link), std::move(outcome));
    }
    KH_ASSIGN(const auto tls, tls_for(url, request.ca_file));
    Bounds connecting = bounds;
    if (request.connect_timeout.count() > 0)
      connecting.deadline =
          std::min(bounds.deadline, std::chrono::steady_clock::now() + request.connect_timeout);
    KH_ASSIGN(auto link, Link::open(url, tls.get(), resolver_, connecting));
    auto outcome = exchange(*link, url, request, headers, bounds);
    return finish(key, std::move(link), std::move(outcome));
  }

  Result<HttpResponse> finish(const LinkPool::Key& key, std::unique_ptr<Link> link,
                              ExchangeOutcome outcome) {
    if (outcome.reusable)
      pool_.give(key, std::move(link));
    return std::move(outcome.response);
  }

  // Null for plain HTTP. Contexts are made once for each CA file.
  Result<std::shared_ptr<const TlsContext>> tls_for(const UrlParts& url, const std::string& ca_file)
      KH_EXCLUDES(tls_mutex_) {
    if (url.scheme != "https")
      return std::shared_ptr<const TlsContext>();
    MutexLock lock(tls_mutex_);
    auto& context = tls_[ca_file];
    if (!context) {
      KH_ASSIGN(context, TlsContext::make({options_.ca_directory, ca_file, options_.cert_file,
                                           options_.key_file}));
    }
    return context;
  }

  const TransportOptions options_;
  Resolver resolver_;
  LinkPool pool_;
  Mutex tls_mutex_;
  std::map<std::string, std::shared_ptr<const TlsContext>> tls_ KH_GUARDED_BY(tls_mutex_);
};

}  // namespace

std::string_view HttpResponse::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

Secret basic_credentials(std::string_view user, const Secret& password) {
  return Secret(base64(std::string(user) + ":" + std::string(password.reveal())));
}

std::unique_ptr<Transport> make_http_transport(const TransportOptions& options) {
  return std::make_unique<HttpTransport>(options);
}

}  // namespace keyherd::net
