// Integration: calls over loopback in the steady state allocate nothing, on either
// side.

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread_pool.h"
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

// Some calls in flight, each followed by the next as it completes, until there were so
// many.
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

// The same from a thread that is not the channel's: what completed on its loop is
// called again here.
class CallingThread {
 public:
  CallingThread(Channel& channel, size_t payload, int calls)
      : channel_(channel), left_(calls) {
    request_.set_payload(std::string(payload, 'x'));
    idle_.reserve(kInFlight);
    for (echo::EchoResponse& response : responses_) idle_.push_back(&response);
  }

  void Run() {
    while (echo::EchoResponse* const response = Next()) {
      channel_.Start(method_, request_, response, {},
                     [this, response](const Controller& outcome) {
                       EXPECT_TRUE(outcome.status().ok()) << outcome.status();
                       MutexLock lock(mutex_);
                       idle_.push_back(response);
                       changed_.Signal();
                     });
    }
    MutexLock lock(mutex_);
    while (idle_.size() < kInFlight) changed_.Wait(mutex_);
  }

 private:
  static constexpr int kInFlight = 16;

  // Null when there were so many calls.
  echo::EchoResponse* Next() {
    MutexLock lock(mutex_);
    while (idle_.empty()) changed_.Wait(mutex_);
    if (left_-- == 0) return nullptr;
    echo::EchoResponse* const response = idle_.back();
    idle_.pop_back();
    return response;
  }

  Channel& channel_;
  const google::protobuf::MethodDescriptor& method_ = Method<echo::EchoService>("Echo");
  echo::EchoRequest request_;
  int left_;
  std::vector<echo::EchoResponse> responses_{kInFlight};
  Mutex mutex_;
  CondVar changed_;
  std::vector<echo::EchoResponse*> idle_ ABSL_GUARDED_BY(mutex_);
};

class Allocations : public ::testing::TestWithParam<ServiceTable::Run> {
 protected:
  static constexpr int kCalls = 20'000;

  Allocations() {
    services_.Add(&echo_, GetParam());
    auto server = Server::Listen(transport_, Address::Tcp("127.0.0.1", 0), services_,
                                 {.pool = &pool_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = Connect(transport_, server_->address());
  }

  // Of the second of two rounds: the first fills tables and buffers.
  template <typename Round>
  uint64_t MadeBy(Round round) {
    round();
    const uint64_t before = allocations.load();
    round();
    return allocations.load() - before;
  }

  EchoServer echo_;
  ServiceTable services_;
  ThreadPool pool_{"handlers", 2};
  TcpTransport transport_{2};
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
};

// A response grows its own string once; a timer is armed now and then.
TEST_P(Allocations, ASteadyStreamOfCallsMakesNone) {
  for (const size_t payload : {16, 4096}) {
    const uint64_t made = MadeBy([&] {
      Caller caller(*channel_, payload, kCalls);
      transport_.executor().Post([&caller] { caller.Start(); });
      caller.Await();
    });
    EXPECT_LT(made, kCalls / 100u) << "in " << kCalls << " calls of " << payload;
  }
}

TEST_P(Allocations, NorDoCallsFromAnotherThread) {
  for (const size_t payload : {16, 4096}) {
    const uint64_t made =
        MadeBy([&] { CallingThread(*channel_, payload, kCalls).Run(); });
    EXPECT_LT(made, kCalls / 100u) << "in " << kCalls << " calls of " << payload;
  }
}

INSTANTIATE_TEST_SUITE_P(Handlers, Allocations,
                         ::testing::Values(ServiceTable::Run::kInline,
                                           ServiceTable::Run::kPool),
                         [](const auto& where) {
                           return where.param == ServiceTable::Run::kPool ? "OnAPool"
                                                                          : "Inline";
                         });

}  // namespace
}  // namespace skep
