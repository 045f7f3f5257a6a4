// Integration: calls over loopback in the steady state allocate nothing, on either
// side.

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"

namespace {

std::atomic<uint64_t> allocations{0};

}  // namespace

// Not inlined: g++ would see malloc's memory deleted.
[[gnu::noinline]] void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace skep {
namespace {

class EchoServer final : public echo::EchoService {
  void Echo(google::protobuf::RpcController*, const echo::EchoRequest* request,
            echo::EchoResponse* response, google::protobuf::Closure* done) override {
    response->set_payload(request->payload());
    done->Run();
  }
};

// Some calls in flight, each followed by the next, until there were so many.
class Caller {
 public:
  Caller(Channel& channel, size_t payload, int calls)
      : channel_(channel), left_(calls), responses_(kInFlight) {
    request_.set_payload(std::string(payload, 'x'));
  }

  // On the channel's executor.
  void Start() {
    for (echo::EchoResponse& response : responses_) Call(&response);
  }
  void Await() {
    MutexLock lock(mutex_);
    while (running_ > 0) done_.Wait(mutex_);
  }

 private:
  static constexpr int kInFlight = 16;

  void Call(echo::EchoResponse* response) {
    channel_.Start(method_, request_, response, {},
                   [this, response](const Controller& outcome) {
                     EXPECT_TRUE(outcome.status().ok()) << outcome.status();
                     if (left_-- > 0) return Call(response);
                     MutexLock lock(mutex_);
                     if (--running_ == 0) done_.Signal();
                   });
  }

  Channel& channel_;
  const google::protobuf::MethodDescriptor& method_ = Method<echo::EchoService>("Echo");
  echo::EchoRequest request_;
  int left_;
  std::vector<echo::EchoResponse> responses_;
  Mutex mutex_;
  CondVar done_;
  int running_ ABSL_GUARDED_BY(mutex_) = kInFlight;
};

TEST(Allocations, ASteadyStreamOfCallsMakesNone) {
  constexpr int kCalls = 20'000;
  TcpTransport transport(2);
  EchoServer echo;
  ServiceTable services;
  services.Add(&echo);
  auto server = Server::Listen(transport, Address::Tcp("127.0.0.1", 0), services);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::shared_ptr<Channel> channel = Connect(transport, (*server)->address());
  for (const size_t payload : {16, 4096}) {
    uint64_t made = 0;
    // The first round fills tables and buffers.
    for (int round = 0; round < 2; ++round) {
      Caller caller(*channel, payload, kCalls);
      const uint64_t before = allocations.load();
      transport.executor().Post([&caller] { caller.Start(); });
      caller.Await();
      made = allocations.load() - before;
    }
    // A response grows its own string once; a timer is armed now and then.
    EXPECT_LT(made, kCalls / 100) << "in " << kCalls << " calls of " << payload;
  }
}

}  // namespace
}  // namespace skep
