#pragma once

// The server's certificate: loaded with the configuration, and again when its files change (a
// certificate lives for weeks, the agent for months). A change that cannot be loaded, or is half
// there, leaves the old one in force.

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/mutex.hpp"
#include "config/config.hpp"
#include "net/tls_server.hpp"

namespace keyherd::engine {

// Null without a web.tls. Errors name the file.
Result<std::shared_ptr<const net::TlsServer>> load_certificate(
    const std::optional<config::WebTls>& tls, const FileSystem& files);

class Certificate {
 public:
  Certificate(const FileSystem& files, const Clock& clock, spdlog::logger& log)
      : files_(files), clock_(clock), log_(log) {}

  // What load_certificate made of these settings.
  void use(const std::optional<config::WebTls>& tls, std::shared_ptr<const net::TlsServer> loaded)
      KH_EXCLUDES(mutex_);
  [[nodiscard]] std::shared_ptr<const net::TlsServer> current() const KH_EXCLUDES(mutex_);

  // Loads anew if a file has changed since the last look. Once every few seconds, by one thread.
  void look() KH_EXCLUDES(mutex_);

  void start_watching();
  void stop();

 private:
  // What tells one content of the files from another.
  using Marks = std::map<std::string, std::pair<FileId, WallTime>>;
  [[nodiscard]] Marks marks_of(const std::optional<config::WebTls>& tls) const;
  void warn_of_end(const net::TlsServer& certificate);

  const FileSystem& files_;
  const Clock& clock_;
  spdlog::logger& log_;
  mutable Mutex mutex_;
  std::optional<config::WebTls> tls_ KH_GUARDED_BY(mutex_);
  std::shared_ptr<const net::TlsServer> current_ KH_GUARDED_BY(mutex_);
  Marks marks_ KH_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace keyherd::engine
