// Integration: channel and server over loopback sockets, with real loops and threads.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"

namespace skep {
namespace {

using echo::EchoRequest;
using echo::EchoResponse;
using echo::EchoService;

// Echoes payload and attachment; "fail" fails, "hang" waits for its stop token.
class EchoImpl final : public EchoService {
 public:
  void Echo(google::protobuf::RpcController* c, const EchoRequest* request,
            EchoResponse* response, google::protobuf::Closure* done) override {
    Controller& controller = Controller::Of(c);
    if (request->payload() == "fail") {
      controller.SetStatus(NotFound("no such thing"));
    } else if (request->payload() == "hang") {
      const std::stop_token token = controller.stop_token();
      for (int i = 0; i < 2000 && !token.stop_requested(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      (token.stop_requested() ? stopped_ : finished_).fetch_add(1);
    }
    response->set_payload(request->payload());
    controller.mutable_response_attachment() = controller.request_attachment();
    done->Run();
  }
  int stopped() const { return stopped_.load(); }

 private:
  std::atomic<int> stopped_{0};
  std::atomic<int> finished_{0};
};

class ServerTcpTest : public ::testing::Test {
 protected:
  void Serve(ServiceTable::Run run) {
    services_.Add(&echo_, run);
    services_.AddReflection();
    Listen(Address::Tcp("127.0.0.1", 0));
  }
  void Listen(const Address& at) {
    auto server =
        Server::Listen(server_transport_, at, services_, ServerOptions{.pool = &pool_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  absl::StatusOr<Reply<EchoResponse>> Echo(Channel& channel, std::string payload,
                                           CallOptions options = {}) {
    EchoRequest request;
    request.set_payload(std::move(payload));
    return BlockingCall<EchoResponse>(channel, Method<EchoService>("Echo"), request,
                                      std::move(options));
  }

  EchoImpl echo_;
  ServiceTable services_;
  ThreadPool pool_{"handlers", 2};
  TcpTransport server_transport_{2};
  TcpTransport transport_{2};
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTcpTest, EchoesFromManyThreads) {
  for (ServiceTable::Run run : {ServiceTable::Run::kInline, ServiceTable::Run::kPool}) {
    if (server_ == nullptr) {
      Serve(run);
    } else {
      server_ = nullptr;
      services_.SetRun("echo.EchoService", "Echo", run);
      Listen(Address::Tcp("127.0.0.1", 0));
    }
    const std::shared_ptr<Channel> channel = Connect(transport_, server_->address());
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          const std::string payload = std::to_string(t) + "/" + std::to_string(i);
          const auto reply =
              Echo(*channel, payload, {.attachment = std::string(i * 37, 'a')});
          if (reply.ok() && reply->message.payload() == payload &&
              reply->attachment.size() == static_cast<size_t>(i * 37)) {
            ++good;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(good.load(), 800);
    EXPECT_EQ(channel->pending(), 0);
    EXPECT_EQ(server_->connections(), 1);
  }
}

TEST_F(ServerTcpTest, ACompletionMayWorkBeforeItCallsAgain) {
  Serve(ServiceTable::Run::kInline);
  const std::shared_ptr<Channel> channel = Connect(transport_, server_->address());
  EchoRequest request;
  request.set_payload("x");
  Mutex mutex;
  CondVar done;
  std::optional<absl::Status> second;
  Call<EchoResponse>(*channel, Method<EchoService>("Echo"), request, {}, [&](auto) {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    Call<EchoResponse>(*channel, Method<EchoService>("Echo"), request,
                       {.timeout = absl::Milliseconds(300)}, [&](const auto& reply) {
                         MutexLock lock(mutex);
                         second = reply.status();
                         done.Signal();
                       });
  });
  MutexLock lock(mutex);
  while (!second.has_value()) done.Wait(mutex);
  EXPECT_TRUE(second->ok()) << *second;
}

TEST_F(ServerTcpTest, CarriesLargeAttachments) {
  Serve(ServiceTable::Run::kInline);
  const std::shared_ptr<Channel> channel = Connect(transport_, server_->address());
  std::string bulk(8 << 20, 'x');
  for (size_t i = 0; i < bulk.size(); i += 4096) bulk[i] = static_cast<char>(i >> 12);
  const auto reply =
      Echo(*channel, "bulk", {.timeout = absl::Seconds(60), .attachment = bulk});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_TRUE(reply->attachment == bulk);
  EXPECT_EQ(
      Echo(*channel, "x", {.attachment = std::string(65 << 20, 'x')}).status().code(),
      absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerTcpTest, PassesTheHandlersStatusOn) {
  Serve(ServiceTable::Run::kInline);
  const std::shared_ptr<Channel> channel = Connect(transport_, server_->address());
  EXPECT_EQ(Echo(*channel, "fail").status(), absl::NotFoundError("no such thing"));
}

TEST_F(ServerTcpTest, DeadlineStopsTheHandler) {
  Serve(ServiceTable::Run::kPool);
  const std::shared_ptr<Channel> channel = Connect(transport_, server_->address());
  const auto reply = Echo(*channel, "hang", {.timeout = absl::Milliseconds(100)});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(NeverSent(reply.status()));
  for (int i = 0; i < 1000 && echo_.stopped() == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(echo_.stopped(), 1);
}

TEST_F(ServerTcpTest, DroppingTheChannelStopsTheHandlerAndCompletesTheCall) {
  Serve(ServiceTable::Run::kPool);
  std::shared_ptr<Channel> channel = Connect(transport_, server_->address());
  EXPECT_TRUE(Echo(*channel, "warm").ok());
  EchoRequest request;
  request.set_payload("hang");
  Mutex mutex;
  CondVar done;
  absl::Status status;
  Call<EchoResponse>(*channel, Method<EchoService>("Echo"), request, {},
                     [&](absl::StatusOr<Reply<EchoResponse>> reply) {
                       MutexLock lock(mutex);
                       status = reply.status();
                       done.Signal();
                     });
  // Until the handler runs: another call gets through behind it.
  EXPECT_TRUE(Echo(*channel, "behind").ok());
  channel = nullptr;
  {
    MutexLock lock(mutex);
    while (status.ok()) done.Wait(mutex);
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  for (int i = 0; i < 1000 && echo_.stopped() == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(echo_.stopped(), 1);
}

TEST_F(ServerTcpTest, ReconnectsAndMeanwhileCallsWait) {
  Serve(ServiceTable::Run::kInline);
  const Address at = server_->address();
  const std::shared_ptr<Channel> channel = Connect(transport_, at);
  EXPECT_TRUE(Echo(*channel, "before").ok());
  server_ = nullptr;
  std::thread caller([&] {
    const auto reply = Echo(*channel, "waits", {.timeout = absl::Seconds(20)});
    EXPECT_TRUE(reply.ok() || absl::IsUnavailable(reply.status())) << reply.status();
  });
  Listen(at);
  caller.join();
  const auto reply = Echo(*channel, "after", {.timeout = absl::Seconds(20)});
  EXPECT_TRUE(reply.ok() || absl::IsUnavailable(reply.status())) << reply.status();
  EXPECT_TRUE(Echo(*channel, "again", {.timeout = absl::Seconds(20)}).ok());
}

// Calls and cancels from several threads while the server comes and goes.
TEST_F(ServerTcpTest, EveryCallCompletesOnceWhateverTheThreadsDo) {
  Serve(ServiceTable::Run::kPool);
  const Address at = server_->address();
  constexpr int kThreads = 3, kCalls = 300;
  std::vector<std::atomic<int>> completed(kThreads * kCalls);
  std::atomic<int> left{kThreads * kCalls};
  std::shared_ptr<Channel> channel = Connect(transport_, at);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      EchoRequest request;
      request.set_payload("x");
      for (int i = 0; i < kCalls; ++i) {
        const CallId id = Call<EchoResponse>(
            *channel, Method<EchoService>("Echo"), request,
            {.timeout = absl::Seconds(20), .attachment = std::string(i * 11, 'a')},
            [&, n = t * kCalls + i](const absl::StatusOr<Reply<EchoResponse>>&) {
              ++completed[n];
              --left;
            });
        if (i % 7 == 0) channel->Cancel(id);
        if (i % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
  }
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    server_ = nullptr;
    Listen(at);
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 6000 && left > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(left.load(), 0);
  // The channel is as good as new; those calls may all have met a server that went.
  EXPECT_TRUE(Echo(*channel, "again", {.timeout = absl::Seconds(20)}).ok());
  channel = nullptr;
  for (const std::atomic<int>& n : completed) EXPECT_EQ(n.load(), 1);
}

TEST_F(ServerTcpTest, SaysWhyThereIsNoConnection) {
  Serve(ServiceTable::Run::kInline);
  const Address at = server_->address();
  server_ = nullptr;
  const std::shared_ptr<Channel> channel = Connect(transport_, at);
  const auto reply = Echo(*channel, "x", {.timeout = absl::Milliseconds(200)});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(NeverSent(reply.status()));
  EXPECT_NE(Message(reply.status()).find("refused"), std::string_view::npos)
      << reply.status();

  const std::shared_ptr<Channel> once = Connect(transport_, at, {.reconnect = false});
  const auto failed = Echo(*once, "x");
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kUnavailable) << failed.status();
}

TEST_F(ServerTcpTest, ShutdownLetsCallsInProgressFinish) {
  Serve(ServiceTable::Run::kPool);
  const std::shared_ptr<Channel> channel =
      Connect(transport_, server_->address(), {.reconnect = false});
  EXPECT_TRUE(Echo(*channel, "warm").ok());
  const absl::Time start = absl::Now();
  server_->Shutdown(absl::Seconds(20));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_EQ(server_->connections(), 0);
}

}  // namespace
}  // namespace skep
