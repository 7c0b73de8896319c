#include "engine/certificate.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <catch2/catch.hpp>
#include <sstream>

#include "support/manual_clock.hpp"
#include "support/memory_files.hpp"
#include "support/tls_material.hpp"

using namespace keyherd;
using namespace keyherd::engine;

namespace {

struct Watched {
  Watched() {
    put(test::make_tls_material({}));
    auto loaded = load_certificate(settings, files);
    REQUIRE(loaded);
    certificate.use(settings, *loaded);
  }
  // As a renewal leaves them: new files in the old ones' places.
  void put(const test::TlsMaterial& material) {
    files.create("/tls/server.crt", material.certificate_pem);
    files.create("/tls/server.key", material.key_pem);
    files.set_mode("/tls/server.key", 0600);
  }

  test::MemoryFileSystem files;
  test::ManualClock clock;
  std::ostringstream text;
  spdlog::logger log{"test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)};
  std::optional<config::WebTls> settings =
      config::WebTls{"/tls/server.crt", "/tls/server.key", "", "none", "TLS12"};
  Certificate certificate{files, clock, log};
};

}  // namespace

TEST_CASE("a certificate is loaded anew when a file of it has changed, and only then") {
  Watched watched;
  const auto first = watched.certificate.current();
  watched.certificate.look();
  CHECK(watched.certificate.current() == first);
  watched.put(test::make_tls_material({}));
  watched.certificate.look();
  const auto second = watched.certificate.current();
  CHECK(second != first);
  watched.certificate.look();
  CHECK(watched.certificate.current() == second);
}

TEST_CASE("a renewal that is half there leaves the old certificate, and is told of once") {
  Watched watched;
  const auto first = watched.certificate.current();
  const auto next = test::make_tls_material({});
  watched.files.create("/tls/server.key", next.key_pem);
  watched.files.set_mode("/tls/server.key", 0600);
  watched.certificate.look();
  watched.certificate.look();
  CHECK(watched.certificate.current() == first);
  const std::string told = watched.text.str();
  CHECK_THAT(told, Catch::Contains("does not belong to the certificate"));
  CHECK(told.find("the old one stays") == told.rfind("the old one stays"));
  watched.put(next);
  watched.certificate.look();
  CHECK(watched.certificate.current() != first);
}

TEST_CASE("a key that others may read is refused, and so is one that is not there") {
  Watched watched;
  watched.files.set_mode("/tls/server.key", 0644);
  const auto open = load_certificate(watched.settings, watched.files);
  REQUIRE_FALSE(open);
  CHECK_THAT(open.error().message, Catch::Contains("chmod 600 /tls/server.key"));
  watched.settings->key_file = "/tls/none.key";
  const auto none = load_certificate(watched.settings, watched.files);
  REQUIRE_FALSE(none);
  CHECK_THAT(none.error().message, Catch::Contains("/tls/none.key"));
}

TEST_CASE("a certificate that ends soon, or has, is told of") {
  Watched watched;
  watched.clock.set_wall(watched.certificate.current()->expires_at() - std::chrono::hours(1));
  watched.certificate.use(watched.settings, watched.certificate.current());
  CHECK_THAT(watched.text.str(), Catch::Contains("ends"));
  watched.clock.set_wall(watched.certificate.current()->expires_at());
  watched.certificate.use(watched.settings, watched.certificate.current());
  CHECK_THAT(watched.text.str(), Catch::Contains("has ended"));
}

TEST_CASE("without TLS there is no certificate and nothing to look at") {
  Watched watched;
  watched.certificate.use(std::nullopt, nullptr);
  watched.certificate.look();
  CHECK(watched.certificate.current() == nullptr);
}
