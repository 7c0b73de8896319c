#include "net/client.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace keyherd::net {

std::optional<int> eviction_rank(const Client& client) {
  switch (client.phase) {
    case Client::Phase::draining:
      return 0;
    case Client::Phase::idle:
      return 1;
    case Client::Phase::reading_head:
      return 2;
    case Client::Phase::reading_body:
      return 3;
    case Client::Phase::working:
    case Client::Phase::parked:
    case Client::Phase::writing:
      break;
  }
  return std::nullopt;
}

bool send_some(Client& client) {
  while (client.unsent() > 0) {
    const std::size_t head_done = std::min(client.written, client.answer_head.size());
    const std::size_t body_done = client.written - head_done;
    std::array<iovec, 2> parts{
        iovec{client.answer_head.data() + head_done, client.answer_head.size() - head_done},
        iovec{client.answer_body.data() + body_done, client.answer_body.size() - body_done}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const auto sent = ::sendmsg(client.socket.get(), &message, MSG_NOSIGNAL);
    if (sent > 0)
      client.written += static_cast<std::size_t>(sent);
    else if (errno == EAGAIN)
      return true;
    else if (errno != EINTR)
      return false;
  }
  return true;
}

bool discard_some(Client& client) {
  std::array<char, 16'384> waste{};
  const auto count = ::recv(client.socket.get(), waste.data(), waste.size(), 0);
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace keyherd::net
