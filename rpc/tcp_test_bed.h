// The conformance suite's world over loopback sockets.

#ifndef SKEP_RPC_TCP_TEST_BED_H_
#define SKEP_RPC_TCP_TEST_BED_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "rpc/tcp_transport.h"
#include "rpc/transport_conformance.h"

namespace skep {

class TcpBed : public TestBed {
 public:
  ~TcpBed() override {
    for (const int fd : black_hole_fds_) close(fd);
  }
  Transport& server() override { return server_; }
  TcpTransport& tcp() { return server_; }
  Transport& client() override { return client_; }
  Address listen_address() override { return Address::Tcp("127.0.0.1", 0); }

  // A listening socket whose queue is full: the kernel drops what asks for more.
  Address black_hole() override {
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    black_hole_fds_.push_back(listening);
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    EXPECT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&at), length), 0);
    EXPECT_EQ(listen(listening, 0), 0);
    getsockname(listening, reinterpret_cast<sockaddr*>(&at), &length);
    for (int i = 0; i < 8; ++i) {
      const int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      black_hole_fds_.push_back(filler);
      [[maybe_unused]] const int ignored =
          connect(filler, reinterpret_cast<sockaddr*>(&at), length);
    }
    return Address::Tcp("127.0.0.1", ntohs(at.sin_port));
  }

  bool WaitUntil(const std::function<bool()>& done) override {
    const absl::Time deadline = Clock::Real().Now() + absl::Seconds(60);
    MutexLock lock(mutex());
    while (!done()) {
      const absl::Duration left = deadline - Clock::Real().Now();
      if (left <= absl::ZeroDuration()) return false;
      changed().WaitFor(mutex(), left);
    }
    return true;
  }

 private:
  TcpTransport server_{2};
  TcpTransport client_{1};
  std::vector<int> black_hole_fds_;
};

}  // namespace skep

#endif  // SKEP_RPC_TCP_TEST_BED_H_
