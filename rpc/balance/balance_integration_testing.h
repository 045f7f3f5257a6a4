// Echo servers, and a balancer before them, over real sockets: what the integration
// tests of the balanced channel and of the balancer share.

#ifndef SKEP_RPC_BALANCE_BALANCE_INTEGRATION_TESTING_H_
#define SKEP_RPC_BALANCE_BALANCE_INTEGRATION_TESTING_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/balance/balancer.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"

namespace skep {

inline constexpr absl::Duration kLong = absl::Seconds(30);

// An echo server that answers after `delay`, and can be killed and brought back on the
// same port.
class EchoBackend : public echo::EchoService {
 public:
  EchoBackend(TcpTransport& transport, absl::Duration delay)
      : transport_(transport), delay_(delay) {
    services_.Add(this);
    Start(Address::Tcp("127.0.0.1", 0));
  }
  ~EchoBackend() override { Kill(); }

  void Echo(google::protobuf::RpcController* /*controller*/,
            const echo::EchoRequest* request, echo::EchoResponse* response,
            google::protobuf::Closure* done) override {
    ++calls;
    response->set_payload(request->payload());
    if (delay_ == absl::ZeroDuration()) {
      Answer(done);
    } else {
      transport_.executor().PostAfter(delay_, [this, done] { Answer(done); });
    }
  }

  void Start(const Address& at) {
    auto server = Server::Listen(transport_, at, services_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    address_ = server_->address();
  }
  void Restart() { Start(address_); }
  void Kill() {
    if (server_ != nullptr) server_->Shutdown(absl::ZeroDuration());
    server_.reset();
  }

  const Address& address() const { return address_; }
  std::atomic<int> calls = 0;
  std::atomic<int> answered = 0;

 private:
  void Answer(google::protobuf::Closure* done) {
    done->Run();
    ++answered;
  }

  TcpTransport& transport_;
  const absl::Duration delay_;
  ServiceTable services_;
  std::unique_ptr<Server> server_;
  Address address_;
};

class Balance : public testing::Test {
 protected:
  TcpTransport transport_{2};
  EchoBackend fast_{transport_, absl::ZeroDuration()};
  EchoBackend quick_{transport_, absl::Milliseconds(1)};
  EchoBackend slow_{transport_, absl::Milliseconds(20)};
  std::vector<Address> backends_ = {fast_.address(), quick_.address(), slow_.address()};

  static absl::Status Echo(Channel& channel, absl::Duration timeout = kLong) {
    echo::EchoRequest request;
    request.set_payload("hello");
    const auto reply = BlockingCall<echo::EchoResponse>(
        channel, Method<echo::EchoService>("Echo"), request, {.timeout = timeout});
    if (!reply.ok()) return reply.status();
    return reply->message.payload() == "hello" ? absl::OkStatus() : Internal("garbled");
  }

  // `calls` calls, `window` at a time; returns how many failed. Dies if one hangs.
  static int Load(Channel& channel, int calls, int window) {
    std::atomic<int> failed = 0;
    std::atomic<int> next = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < window; ++i) {
      threads.emplace_back([&] {
        while (next++ < calls) {
          const absl::Status status = Echo(channel);
          EXPECT_NE(status.code(), absl::StatusCode::kDeadlineExceeded)
              << "a call hung";
          failed += !status.ok();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return failed;
  }

  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  }
};

// A balancer before all of them.
class Proxy : public Balance {
 protected:
  Proxy() {
    auto balancer =
        Balancer::Listen(transport_, Address::Tcp("127.0.0.1", 0), backends_);
    EXPECT_TRUE(balancer.ok()) << balancer.status();
    balancer_ = *std::move(balancer);
  }

  std::shared_ptr<Channel> Client() {
    return Connect(transport_, balancer_->address());
  }

  int ConnectedBackends() const {
    int connected = 0;
    for (const auto& backend : balancer_->backends()) connected += backend.connected;
    return connected;
  }

  std::unique_ptr<Balancer> balancer_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCE_INTEGRATION_TESTING_H_
