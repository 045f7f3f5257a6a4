#include "rpc/address.h"

#include <arpa/inet.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

constexpr std::string_view kLoopbackHost = "127.0.0.1";
constexpr std::string_view kUnixPrefix = "unix:";
// RFC 1035: longer names do not exist.
constexpr size_t kMaxHostLength = 253;

absl::Status Malformed(std::string_view text, std::string_view why) {
  return InvalidArgument("address \"", text, "\": ", why,
                         "; write for example 127.0.0.1:9981, [::1]:9981, "
                         "host:9981 or unix:/run/skep.sock");
}

bool IsDigits(std::string_view s) {
  return !s.empty() &&
         std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool ParsePort(std::string_view s, uint16_t* port) {
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), *port);
  return error == std::errc() && end == s.data() + s.size();
}

// Without the zone of a link-local address: "fe80::1%eth0".
bool IsIPv6(std::string_view host) {
  in6_addr ignored;
  const std::string number(host.substr(0, host.find('%')));
  return inet_pton(AF_INET6, number.c_str(), &ignored) == 1;
}

bool IsHostName(std::string_view host) {
  return !host.empty() && host.size() <= kMaxHostLength &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '.' || c == '-' || c == '_';
         });
}

}  // namespace

absl::StatusOr<Address> Address::Parse(std::string_view text, uint16_t default_port) {
  if (text.substr(0, kUnixPrefix.size()) == kUnixPrefix) {
    const std::string_view path = text.substr(kUnixPrefix.size());
    if (path.empty()) return Malformed(text, "the path is empty");
    return Unix(std::string(path));
  }
  std::string_view host;
  std::string_view port_text;
  bool has_port = false;
  if (text.substr(0, 1) == "[") {
    const size_t close = text.find(']');
    if (close == text.npos) return Malformed(text, "']' is missing");
    host = text.substr(1, close - 1);
    if (!IsIPv6(host)) return Malformed(text, "no IPv6 address between the brackets");
    const std::string_view rest = text.substr(close + 1);
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') return Malformed(text, "':' expected after ']'");
    if (has_port) port_text = rest.substr(1);
  } else if (IsDigits(text)) {
    host = kLoopbackHost;
    port_text = text;
    has_port = true;
  } else if (IsIPv6(text)) {
    host = text;
  } else {
    const size_t colon = text.find(':');
    has_port = colon != text.npos;
    host = text.substr(0, colon);
    if (has_port) port_text = text.substr(colon + 1);
    if (host.empty() && has_port) host = kLoopbackHost;
    if (!IsHostName(host)) return Malformed(text, "no valid host name");
  }
  uint16_t port = default_port;
  if (has_port) {
    if (!IsDigits(port_text) || !ParsePort(port_text, &port)) {
      return Malformed(text, "the port is not a number from 0 to 65535");
    }
  } else if (default_port == 0) {
    return Malformed(text, "the port is missing");
  }
  return Tcp(std::string(host), port);
}

Address Address::Unix(std::string path) {
  Address address;
  address.unix_path_ = std::move(path);
  return address;
}

Address Address::Tcp(std::string host, uint16_t port) {
  Address address;
  address.host_ = std::move(host);
  address.port_ = port;
  return address;
}

bool Address::IsLoopback() const {
  if (is_unix() || strcasecmp(host_.c_str(), "localhost") == 0) return true;
  in_addr v4;
  if (inet_pton(AF_INET, host_.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == 127;
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, host_.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) ||
         (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

std::string Address::ToString() const {
  if (is_unix()) return StrCat(kUnixPrefix, unix_path_);
  if (host_.find(':') != host_.npos) return StrCat("[", host_, "]:", port_);
  return StrCat(host_, ":", port_);
}

}  // namespace skep
