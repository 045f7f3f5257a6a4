// Where a server listens or a peer is: "host:port", "[v6]:port", "unix:/path".

#ifndef SKEP_RPC_ADDRESS_H_
#define SKEP_RPC_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace skep {

// A parsed address; not resolved. A value type.
class Address {
 public:
  Address() = default;

  // "127.0.0.1:9981", "localhost:9981", "[::1]:9981", ":9981" (loopback),
  // "9981" (loopback), "unix:/run/skep.sock". Without a port, `default_port` is
  // taken; 0 there means that a port is required. InvalidArgument shows an example.
  static absl::StatusOr<Address> Parse(std::string_view text, uint16_t default_port = 0);
  static Address Unix(std::string path);
  static Address Tcp(std::string host, uint16_t port);

  bool is_unix() const { return !unix_path_.empty(); }
  const std::string& unix_path() const { return unix_path_; }
  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }

  // True for Unix sockets, 127.0.0.0/8, ::1 and "localhost". Names are not resolved.
  bool IsLoopback() const;

  // As Parse reads it.
  std::string ToString() const;
  friend bool operator==(const Address&, const Address&) = default;

 private:
  std::string unix_path_;
  std::string host_;
  uint16_t port_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_ADDRESS_H_
