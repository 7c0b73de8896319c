#pragma once

// A Transport that answers by rule, records every request and never touches a network.

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "net/transport.hpp"

namespace keyherd::test {

struct RecordedRequest {
  std::string method;
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string secret_header;
  std::string secret;  // revealed: tests may look
};

class ScriptedTransport final : public net::Transport {
 public:
  using Rule = std::function<Result<net::HttpResponse>(const RecordedRequest&)>;

  Result<net::HttpResponse> send(const net::HttpRequest& request, std::stop_token stop) override;

  // The next answer; used before the rule, in order.
  void push(Result<net::HttpResponse> answer);
  void push(int status, std::string body, std::multimap<std::string, std::string> headers = {});
  void set_rule(Rule rule);
  [[nodiscard]] std::vector<RecordedRequest> requests() const;
  // What was recorded so far: a long simulation would gather millions.
  void forget();

 private:
  mutable std::mutex mutex_;
  std::deque<Result<net::HttpResponse>> answers_;
  Rule rule_;
  std::vector<RecordedRequest> requests_;
};

}  // namespace keyherd::test
