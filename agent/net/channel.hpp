#pragma once

// The bytes of one accepted connection, plain or through TLS, never blocking. Only the front's
// thread touches it.

#include <cstddef>
#include <span>
#include <string_view>

#include "net/fd.hpp"
#include "net/tls_socket.hpp"

namespace keyherd::net {

class Channel {
 public:
  // ssl: a session on this socket whose handshake is still to come; null: plain.
  Channel(Fd socket, SslPtr ssl) : socket_(std::move(socket)), ssl_(std::move(ssl)) {}

  enum class Handshake {
    done,
    wants_read,
    wants_write,
    failed,
    plain_http,  // the client does not speak TLS: it can be told so, in plain text
  };
  Handshake handshake();

  struct Moved {
    std::size_t bytes = 0;  // 0 with ok: nothing for the moment
    bool ok = true;         // false: the end of the stream, or a broken connection
  };
  Moved read(std::span<char> buffer);
  // Some bytes of first, then of second.
  Moved write(std::string_view first, std::string_view second);
  // Reads and drops what is there. False at the end of the stream.
  bool discard();
  // Says that nothing more will be sent.
  void end();
  // Goes on in plain text.
  void abandon_tls() { ssl_.reset(); }

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool is_secure() const { return ssl_ != nullptr; }
  void close();

 private:
  [[nodiscard]] Moved tls_outcome(int count);

  Fd socket_;
  SslPtr ssl_;
};

}  // namespace keyherd::net
