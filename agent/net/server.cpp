#include "net/server.hpp"

#include <optional>
#include <thread>

#include "base/mutex.hpp"
#include "base/threads.hpp"
#include "net/front.hpp"
#include "net/listener.hpp"
#include "net/route_table.hpp"
#include "net/workers.hpp"

namespace keyherd::net {

namespace {

class EpollServer final : public Server {
 public:
  EpollServer(ServerOptions options, std::vector<Route> routes)
      : options_(std::move(options)), routes_(std::move(routes)) {}
  ~EpollServer() override { halt(); }

  Status start() {
    KH_ASSIGN(Listener listener, open_listener(options_.address, options_.port));
    port_ = listener.port;
    KH_ASSIGN(front_, Front::make(std::move(listener), options_, routes_));
    workers_.emplace(options_, [this](std::uint64_t client, std::variant<Answer, Piece> made) {
      front_->deliver(client, std::move(made));
    });
    thread_ = std::jthread([this] {
      name_thread("kh-http-front");
      front_->run([this](Job job) { return workers_->submit(std::move(job)); });
    });
    return {};
  }

  [[nodiscard]] int port() const override { return port_; }
  void wake() override { front_->wake(); }
  void stop() override { halt(); }

 private:
  void halt() KH_EXCLUDES(stopping_) {
    MutexLock lock(stopping_);
    if (!thread_.joinable())
      return;
    front_->stop();
    thread_.join();
    workers_->stop();
  }

  const ServerOptions options_;
  const RouteTable routes_;
  int port_ = 0;
  std::unique_ptr<Front> front_;
  std::optional<Workers> workers_;
  Mutex stopping_;
  std::jthread thread_;
};

}  // namespace

std::string_view ServerRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::string> ServerRequest::parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::nullopt : std::optional(found->second);
}

Result<std::unique_ptr<Server>> start_server(ServerOptions options, std::vector<Route> routes) {
  auto server = std::make_unique<EpollServer>(std::move(options), std::move(routes));
  KH_TRY(server->start());
  return server;
}

}  // namespace keyherd::net
