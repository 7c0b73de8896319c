#include "engine/certificate.hpp"

#include <spdlog/logger.h>

#include "base/environment.hpp"
#include "base/threads.hpp"
#include "base/time_text.hpp"
#include "config/secrets.hpp"

namespace keyherd::engine {

namespace {

constexpr std::size_t kLongestPem = 1U << 20U;
constexpr std::chrono::seconds kStatEvery{5};
constexpr std::chrono::hours kSoon{24 * 14};

net::ClientCertificates clients_of(const config::WebTls& tls) {
  if (tls.client_auth == "required")
    return net::ClientCertificates::required;
  return tls.client_auth == "optional" ? net::ClientCertificates::optional
                                       : net::ClientCertificates::none;
}

}  // namespace

Result<std::shared_ptr<const net::TlsServer>> load_certificate(
    const std::optional<config::WebTls>& tls, const FileSystem& files) {
  if (!tls)
    return nullptr;
  net::TlsServerOptions options;
  KH_ASSIGN(options.certificate, files.read(tls->cert_file, kLongestPem));
  KH_ASSIGN(options.key, config::read_secret_file(tls->key_file, files));
  if (!tls->client_ca_file.empty()) {
    KH_ASSIGN(options.client_ca, files.read(tls->client_ca_file, kLongestPem));
  }
  options.clients = clients_of(*tls);
  options.min_version =
      tls->min_version == "TLS13" ? net::TlsVersion::tls13 : net::TlsVersion::tls12;
  auto loaded = net::TlsServer::make(options);
  if (!loaded)
    return fail(with_context(loaded.error(), "web.tls (" + tls->cert_file + ")"));
  return loaded;
}

void Certificate::use(const std::optional<config::WebTls>& tls,
                      std::shared_ptr<const net::TlsServer> loaded) {
  Marks marks = marks_of(tls);
  if (loaded)
    warn_of_end(*loaded);
  MutexLock lock(mutex_);
  tls_ = tls;
  current_ = std::move(loaded);
  marks_ = std::move(marks);
}

std::shared_ptr<const net::TlsServer> Certificate::current() const {
  MutexLock lock(mutex_);
  return current_;
}

void Certificate::look() {
  std::optional<config::WebTls> tls;
  Marks before;
  {
    MutexLock lock(mutex_);
    tls = tls_;
    before = marks_;
  }
  // Taken before the files are read: what changes while they are is seen at the next look.
  Marks now = marks_of(tls);
  if (now == before)
    return;
  auto loaded = load_certificate(tls, files_);
  if (loaded) {
    log_.info("the certificate {} was loaded anew; it ends {}", tls->cert_file,
              format_rfc3339((*loaded)->expires_at()));
    warn_of_end(**loaded);
  } else {
    log_.error("the changed certificate was not loaded, the old one stays: {}",
               loaded.error().message);
  }
  MutexLock lock(mutex_);
  if (tls_ != tls)
    return;  // a reload was faster
  marks_ = std::move(now);
  if (loaded)
    current_ = std::move(*loaded);
}

Certificate::Marks Certificate::marks_of(const std::optional<config::WebTls>& tls) const {
  Marks marks;
  if (!tls)
    return marks;
  for (const std::string& path : {tls->cert_file, tls->key_file, tls->client_ca_file}) {
    if (path.empty())
      continue;
    const auto stat = files_.stat(path);
    marks[path] = stat ? std::pair(stat->id, stat->modified) : std::pair(FileId{}, WallTime{});
  }
  return marks;
}

void Certificate::warn_of_end(const net::TlsServer& certificate) {
  const WallTime now = clock_.now().wall;
  const WallTime end = certificate.expires_at();
  if (end <= now)
    log_.error("the server's certificate has ended {}: clients refuse it", format_rfc3339(end));
  else if (end - now < kSoon)
    log_.warn("the server's certificate ends {}", format_rfc3339(end));
}

void Certificate::start_watching() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    name_thread("kh-certificate");
    while (!stop.stop_requested()) {
      rest(clock_, kStatEvery, stop);
      contain(log_, "looking at the certificate", [this] { look(); });
    }
  });
}

void Certificate::stop() {
  thread_.request_stop();
  if (thread_.joinable())
    thread_.join();
}

}  // namespace keyherd::engine
