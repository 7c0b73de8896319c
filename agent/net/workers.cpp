#include "net/workers.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

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

Piece make_piece(BodyStream& stream, bool chunked) {
  Piece piece;
  try {
    if (chunked)
      open_chunk(piece.bytes);
    piece.is_last = !stream.next(piece.bytes);
    if (chunked)
      close_chunk(piece.bytes, piece.is_last);
  } catch (...) {
    piece.failed = true;
  }
  return piece;
}

}  // namespace

Workers::Workers(const ServerOptions& options, Deliver deliver)
    : options_(options), deliver_(std::move(deliver)), queue_(options.queue_limit) {
  for (int i = 0; i < std::max(options.workers, 1); ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    pthread_setname_np(threads_.back().native_handle(), "kh-http-worker");
  }
}

void Workers::stop() {
  for (auto& thread : threads_)
    thread.request_stop();
  threads_.clear();
}

void Workers::run(const std::stop_token& stop) {
  // Bounded, so that a wake-up lost at the moment of the stop costs a part of its two seconds only.
  constexpr std::chrono::milliseconds kLongestWait{250};
  while (!stop.stop_requested()) {
    const auto job = queue_.pop(std::chrono::steady_clock::now() + kLongestWait, stop);
    if (!job)
      continue;
    if (job->stream)
      deliver_(job->connection, make_piece(*job->stream, job->chunked));
    else
      deliver_(job->connection, answer(*job));
  }
}

Answer Workers::answer(const Job& job) const {
  return call_guarded(
      [&]() -> Answer {
        if (options_.guard) {
          if (auto refusal = options_.guard(job.request, *job.route))
            return std::move(*refusal);
        }
        Answer made = job.route->handler(job.request);
        if (made.response && made.response->stream && job.request.method != "HEAD")
          begin_body(*made.response, job.chunked);
        return made;
      },
      options_);
}

}  // namespace keyherd::net
