#include "net/client.hpp"

#include <algorithm>

namespace keyherd::net {

std::optional<int> eviction_rank(const Client& client) {
  switch (client.phase) {
    case Client::Phase::draining:
      return 0;
    case Client::Phase::handshaking:
      return 1;
    case Client::Phase::idle:
      return 2;
    case Client::Phase::reading_head:
      return 3;
    case Client::Phase::reading_body:
      return 4;
    case Client::Phase::working:
    case Client::Phase::parked:
    case Client::Phase::feeding:
    case Client::Phase::writing:
      break;
  }
  return std::nullopt;
}

bool send_some(Client& client) {
  while (client.unsent() > 0) {
    const std::size_t head_done = std::min(client.written, client.answer_head.size());
    const std::size_t body_done = client.written - head_done;
    const Channel::Moved sent =
        client.channel.write(std::string_view(client.answer_head).substr(head_done),
                             std::string_view(client.answer_body).substr(body_done));
    client.written += sent.bytes;
    if (!sent.ok || sent.bytes == 0)
      return sent.ok;
  }
  return true;
}

}  // namespace keyherd::net
