#pragma once

// Addresses that no request may go to, whoever named them: link-local ones, where clouds serve
// machines their own credentials. Checked on what a name resolved to, just before the connection.

#include <sys/socket.h>

namespace keyherd::net {

// 169.254.0.0/16, fe80::/10 and clouds' metadata services elsewhere; also inside IPv6 addresses
// that stand for an IPv4 one (mapped, compatible, NAT64, 6to4).
bool is_forbidden_address(const sockaddr_storage& address);

}  // namespace keyherd::net
