#include "net/workers.hpp"

#include <algorithm>
#include <chrono>

#include "base/threads.hpp"
#include "net/answer.hpp"

namespace keyherd::net {

Answer call_guarded(const std::function<Answer()>& function, const ServerOptions& options) {
  // The text of an exception may quote anything, a secret included: it never leaves.
  try {
    return function();
  } catch (...) {
    return error_answer(options, 500, "internal", "the request could not be handled");
  }
}

ServerResponse error_answer(const ServerOptions& options, int status, std::string_view code,
                            std::string_view message) {
  if (!options.error_body)
    return default_error(status, code, message);
  try {
    return options.error_body(status, code, message);
  } catch (...) {
    return default_error(status, code, message);
  }
}

ServerResponse overloaded(const ServerOptions& options, std::string_view message) {
  ServerResponse response = error_answer(options, 503, "overloaded", message);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

namespace {

constexpr std::string_view kNoChunkSize = "00000000\r\n";

// Room for the size of a chunk that is to be made.
void open_chunk(std::string& bytes) {
  bytes += kNoChunkSize;
}

// A chunk of no bytes would end the body: it is left out.
void close_chunk(std::string& bytes, bool is_last) {
  std::size_t size = bytes.size() - kNoChunkSize.size();
  for (std::size_t digit = 8; digit-- > 0; size /= 16)
    bytes[digit] = "0123456789abcdef"[size % 16];
  if (bytes.size() == kNoChunkSize.size())
    bytes.clear();
  else
    bytes += "\r\n";
  if (is_last)
    bytes += "0\r\n\r\n";
}

// The first piece. A body that is whole with it becomes one like any other.
void begin_body(ServerResponse& response, bool chunked) {
  response.body.clear();
  if (chunked)
    open_chunk(response.body);
  if (response.stream->next(response.body)) {
    if (chunked)
      close_chunk(response.body, false);
    return;
  }
  response.stream.reset();
  if (chunked)
    response.body.erase(0, kNoChunkSize.size());
}

template <class Next>
Piece piece_of(bool chunked, Next next) {
  Piece piece;
  try {
    if (chunked)
      open_chunk(piece.bytes);
    piece.is_last = !next(piece.bytes);
    if (chunked)
      close_chunk(piece.bytes, piece.is_last);
  } catch (...) {
    piece.failed = true;
  }
  return piece;
}

}  // namespace

Piece next_of_feed(Feed& feed, bool chunked, bool quiet) {
  return piece_of(chunked, [&](std::string& bytes) {
    std::string text;  // what is framed already is none of the feed's
    const bool goes_on = feed.next(text, quiet);
    bytes += text;
    return goes_on;
  });
}

Workers::Workers(const ServerOptions& options, Deliver deliver)
    : options_(options),
      deliver_(std::move(deliver)),
      queue_(options.queue_limit),
      undecided_(options.undecided_limit) {
  for (int i = 0; i < std::max(options.workers, 1); ++i)
    start_thread(queue_, "kh-http-worker");
  if (options.guard)
    start_thread(undecided_, "kh-http-guard");
}

void Workers::start_thread(BoundedQueue<Job>& queue, const char* name) {
  threads_.emplace_back([this, &queue, name](const std::stop_token& stop) {
    name_thread(name);
    run(queue, stop);
  });
}

void Workers::stop() {
  for (auto& thread : threads_)
    thread.request_stop();
  threads_.clear();
}

void Workers::run(BoundedQueue<Job>& queue, const std::stop_token& stop) {
  // Bounded, so that a wake-up lost at the moment of the stop costs a part of its two seconds only.
  constexpr std::chrono::milliseconds kLongestWait{250};
  while (!stop.stop_requested()) {
    if (auto job = queue.pop(std::chrono::steady_clock::now() + kLongestWait, stop))
      handle(std::move(*job), &queue == &undecided_);
  }
}

void Workers::handle(Job job, bool may_take_long) {
  if (job.stream)
    return deliver_(job.connection, piece_of(job.chunked, [&job](std::string& bytes) {
                      return job.stream->next(bytes);
                    }));
  if (auto made = answer(job, may_take_long))
    return deliver_(job.connection, std::move(*made));
  const std::uint64_t connection = job.connection;
  if (!undecided_.try_push(std::move(job)))
    deliver_(connection, overloaded(options_, "too many logins are being checked"));
}

std::optional<Answer> Workers::answer(Job& job, bool may_take_long) const {
  bool undecided = false;
  Answer made = call_guarded(
      [&]() -> Answer {
        if (options_.guard) {
          Admission admission = options_.guard(job.request, *job.route, may_take_long);
          undecided = admission.kind == Admission::Kind::undecided;
          if (admission.kind != Admission::Kind::admitted)
            return std::move(admission.refusal);
        }
        Answer handled = job.route->handler(job.request);
        if (handled.response && handled.response->stream && job.request.method != "HEAD")
          begin_body(*handled.response, job.chunked);
        return handled;
      },
      options_);
  if (undecided && !may_take_long)
    return std::nullopt;
  return made;
}

}  // namespace keyherd::net
