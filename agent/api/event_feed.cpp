#include "api/event_feed.hpp"

#include "api/guard.hpp"
#include "api/views.hpp"

namespace keyherd::api {

namespace {

constexpr std::size_t kMostBytes = 65'536;
// How long a client waits before it comes back.
constexpr std::string_view kOpening = "retry: 2000\n: Keyherd\n\n";

class EventFeed final : public net::Feed {
 public:
  EventFeed(const ApiParts& parts, Principal who, std::shared_ptr<const Access> access,
            std::string_view last_id)
      : parts_(parts), who_(std::move(who)), access_(std::move(access)), text_(kOpening) {
    const auto known = parts_.events.number_of(last_id);
    after_ = known.value_or(parts_.events.newest());
    if (!known && !last_id.empty())
      reset("the agent has started anew since");
  }

  bool next(std::string& piece, bool quiet) override {
    if (parts_.access() != access_)
      return false;
    piece += text_;
    text_.clear();
    if (after_ != parts_.events.newest())
      append_news(piece);
    if (quiet && piece.empty())
      piece += ": alive\n\n";
    return true;
  }

 private:
  void append_news(std::string& piece) {
    const std::size_t before = piece.size();
    const auto snapshot = parts_.control.snapshot();
    const bool complete = parts_.events.visit(after_, [&](const Event& event) {
      if (piece.size() - before >= kMostBytes)
        return false;
      after_ = event.number;
      if (may_see(*snapshot, event))
        append(piece, event.type, event.data, event.number);
      return true;
    });
    if (complete)
      return;
    after_ = parts_.events.newest();
    reset("too much has happened since");
    piece += text_;
    text_.clear();
  }

  [[nodiscard]] bool may_see(const model::Snapshot& snapshot, const Event& event) const {
    if (who_.pools.empty())
      return true;
    if (!event.pool.empty())
      return who_.may_see_pool(event.pool);
    if (!event.key.empty())
      return may_see_key(snapshot, who_, event.key);
    // Of a limit group: whose keys it has is not known here.
    return event.type != "quota";
  }

  void append(std::string& piece, std::string_view type, std::string_view data,
              std::uint64_t number) const {
    piece += "id: " + parts_.events.id_of(number) + "\nevent: ";
    piece += type;
    piece += "\ndata: ";
    piece += data;
    piece += "\n\n";
  }

  void reset(std::string_view reason) {
    append(text_, "reset", R"({"reason":")" + std::string(reason) + R"("})", after_);
  }

  ApiParts parts_;
  Principal who_;
  std::shared_ptr<const Access> access_;
  std::uint64_t after_ = 0;
  std::string text_;  // to be sent before anything else
};

}  // namespace

net::Answer event_feed(const ApiParts& parts, const net::ServerRequest& request) {
  const auto asked = request.parameter("last_event_id");
  const std::string last(asked ? std::string_view(*asked) : request.header("last-event-id"));
  net::ServerResponse response;
  response.content_type = "text/event-stream";
  // Proxies that collect an answer before they pass it on would pass on nothing.
  response.headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
  response.feed = std::make_shared<EventFeed>(parts, caller_of(request), parts.access(), last);
  return response;
}

}  // namespace keyherd::api
