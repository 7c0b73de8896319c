#include "scripted_transport.hpp"

#include <utility>

namespace keyherd::test {

namespace {

RecordedRequest record(const net::HttpRequest& request) {
  RecordedRequest recorded;
  recorded.method = request.method;
  recorded.url = request.url;
  recorded.headers = request.headers;
  recorded.body = request.body;
  if (request.secret != nullptr) {
    recorded.secret_header = request.secret_header;
    recorded.secret = std::string(request.secret->reveal());
  }
  return recorded;
}

}  // namespace

Result<net::HttpResponse> ScriptedTransport::send(const net::HttpRequest& request,
                                                  std::stop_token stop) {
  const RecordedRequest recorded = record(request);
  Rule rule;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(recorded);
    if (stop.stop_requested())
      return fail(ErrorCode::cancelled, "scripted transport: cancelled");
    if (!answers_.empty()) {
      auto answer = std::move(answers_.front());
      answers_.pop_front();
      return answer;
    }
    rule = rule_;
  }
  // Outside the lock: a rule may look at requests() or push().
  if (rule)
    return rule(recorded);
  return fail(ErrorCode::unavailable, "scripted transport: no answer was scripted");
}

void ScriptedTransport::push(Result<net::HttpResponse> answer) {
  const std::lock_guard lock(mutex_);
  answers_.push_back(std::move(answer));
}

void ScriptedTransport::push(int status, std::string body,
                             std::multimap<std::string, std::string> headers) {
  net::HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  push(Result<net::HttpResponse>(std::move(response)));
}

void ScriptedTransport::set_rule(Rule rule) {
  const std::lock_guard lock(mutex_);
  rule_ = std::move(rule);
}

std::vector<RecordedRequest> ScriptedTransport::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ScriptedTransport::forget() {
  const std::lock_guard lock(mutex_);
  requests_.clear();
}

}  // namespace keyherd::test
