#include "rpc/address.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(Address, ParsesEveryForm) {
  struct Case {
    std::string text;
    uint16_t default_port;
    std::string host;
    uint16_t port;
    std::string shown;
  };
  const std::vector<Case> cases = {
      {"127.0.0.1:9981", 0, "127.0.0.1", 9981, "127.0.0.1:9981"},
      {"localhost:9981", 7, "localhost", 9981, "localhost:9981"},
      {"[::1]:9981", 0, "::1", 9981, "[::1]:9981"},
      {"[fe80::1%eth0]:1", 0, "fe80::1%eth0", 1, "[fe80::1%eth0]:1"},
      {":9981", 0, "127.0.0.1", 9981, "127.0.0.1:9981"},
      {"9981", 0, "127.0.0.1", 9981, "127.0.0.1:9981"},
      {"w3.farm.example", 7000, "w3.farm.example", 7000, "w3.farm.example:7000"},
      {"::1", 7000, "::1", 7000, "[::1]:7000"},
      {"[::1]", 7000, "::1", 7000, "[::1]:7000"},
      {"127.0.0.1:0", 0, "127.0.0.1", 0, "127.0.0.1:0"},
  };
  for (const Case& c : cases) {
    const absl::StatusOr<Address> address = Address::Parse(c.text, c.default_port);
    ASSERT_TRUE(address.ok()) << c.text << ": " << address.status();
    EXPECT_EQ(address->host(), c.host) << c.text;
    EXPECT_EQ(address->port(), c.port) << c.text;
    EXPECT_EQ(address->ToString(), c.shown);
    EXPECT_EQ(*Address::Parse(c.shown), *address);
    EXPECT_FALSE(address->is_unix());
  }
}

TEST(Address, ParsesUnixSockets) {
  const absl::StatusOr<Address> address = Address::Parse("unix:/run/skep.sock");
  ASSERT_TRUE(address.ok());
  EXPECT_TRUE(address->is_unix());
  EXPECT_EQ(address->unix_path(), "/run/skep.sock");
  EXPECT_EQ(address->ToString(), "unix:/run/skep.sock");
  EXPECT_TRUE(address->IsLoopback());
}

TEST(Address, RefusesWithAnExample) {
  for (const char* text :
       {"", "host", "127.0.0.1:", "127.0.0.1:65536", "host:12x", "a b:1", "[::1:9981",
        "[host]:1", "[::1]9981", "unix:", "host:-1", "99999", "a:b:c", "host:1:2"}) {
    const absl::StatusOr<Address> address = Address::Parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(address.status().ToString().find("127.0.0.1:9981"), std::string::npos);
  }
}

TEST(Address, KnowsLoopback) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost",
                           "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(Address::Tcp(host, 1).IsLoopback()) << host;
  }
  for (const char* host : {"0.0.0.0", "10.0.0.1", "::", "w3", "128.0.0.1"}) {
    EXPECT_FALSE(Address::Tcp(host, 1).IsLoopback()) << host;
  }
}

}  // namespace
}  // namespace skep
