// The balanced channel and the balancer over real sockets and three echo servers.

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/balance/balanced_channel.h"
#include "rpc/balance/balancer.h"
#include "rpc/channel.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"
#include "rpc/server.h"
#include "rpc/services/echo.pb.h"
#include "rpc/tcp_transport.h"

namespace skep {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

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

TEST_F(Balance, ChannelGivesTheSlowOneTheFewestCalls) {
  const auto channel = BalancedChannel::Create(transport_, backends_);
  EXPECT_EQ(Load(*channel, 3000, 12), 0);
  EXPECT_LT(slow_.calls, quick_.calls);
  EXPECT_LT(slow_.calls, fast_.calls);
  EXPECT_GT(slow_.calls, 0);
  EXPECT_EQ(channel->pending(), 0);
}

TEST_F(Balance, ChannelLeavesOutADeadBackendUntilItIsBack) {
  const auto channel = BalancedChannel::Create(transport_, backends_);
  ASSERT_TRUE(Eventually([&] {
    int connected = 0;
    for (const auto& backend : channel->backends()) connected += backend.connected;
    return connected == 3;
  }));
  quick_.Kill();
  ASSERT_TRUE(Eventually([&] { return !channel->backends()[1].connected; }));
  EXPECT_EQ(Load(*channel, 300, 4), 0);
  const int before = quick_.calls;
  quick_.Restart();
  ASSERT_TRUE(Eventually([&] { return channel->backends()[1].connected; }));
  EXPECT_EQ(Load(*channel, 300, 8), 0);
  EXPECT_GT(quick_.calls, before);
}

TEST_F(Balance, ChannelWaitsForAFirstBackendAndObeysDeadlines) {
  fast_.Kill();
  quick_.Kill();
  slow_.Kill();
  const auto channel = BalancedChannel::Create(transport_, backends_);
  EXPECT_EQ(Echo(*channel, absl::Milliseconds(100)).code(),
            absl::StatusCode::kDeadlineExceeded);
  std::thread later([&] {
    absl::SleepFor(absl::Milliseconds(100));
    fast_.Restart();
  });
  EXPECT_TRUE(Echo(*channel).ok());
  later.join();
}

TEST_F(Balance, ChannelDrains) {
  const auto channel = BalancedChannel::Create(transport_, backends_);
  ASSERT_TRUE(channel->SetDraining(fast_.address(), true).ok());
  EXPECT_EQ(Load(*channel, 100, 4), 0);
  EXPECT_EQ(fast_.calls, 0);
  EXPECT_FALSE(channel->SetDraining(Address::Tcp("127.0.0.1", 1), true).ok());
}

TEST_F(Balance, ChannelGoesOnWhenADrainedBackendIsTakenBack) {
  const auto channel = BalancedChannel::Create(transport_, {fast_.address()});
  ASSERT_TRUE(channel->SetDraining(fast_.address(), true).ok());
  std::thread caller([&] { EXPECT_TRUE(Echo(*channel).ok()); });
  EXPECT_TRUE(Eventually(
      [&] { return channel->pending() == 1 && channel->backends()[0].connected; }));
  ASSERT_TRUE(channel->SetDraining(fast_.address(), false).ok());
  caller.join();
}

// Cancels, deadlines and dispatches of the same waiting calls meet on several threads;
// each call ends once, and nobody writes into a response that is gone.
TEST_F(Balance, WaitingCallsEndOnceWhateverTheThreadsDo) {
  const auto channel = BalancedChannel::Create(transport_, {fast_.address()});
  echo::EchoRequest request;
  request.set_payload(std::string(1000, 'p'));
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(channel->SetDraining(fast_.address(), true).ok());
    constexpr int kCalls = 100;
    std::atomic<int> ended = 0;
    std::vector<CallId> ids;
    for (int i = 0; i < kCalls; ++i) {
      ids.push_back(Call<echo::EchoResponse>(
          *channel, Method<echo::EchoService>("Echo"), request,
          {.timeout = i % 2 == 0 ? kLong : absl::Milliseconds(1 + i % 7)},
          [&](auto) { ++ended; }));
    }
    std::thread canceller([&] {
      for (int i = 0; i < kCalls; i += 3) channel->Cancel(ids[i]);
    });
    ASSERT_TRUE(channel->SetDraining(fast_.address(), false).ok());
    canceller.join();
    ASSERT_TRUE(Eventually([&] { return ended == kCalls; }));
    EXPECT_EQ(channel->pending(), 0);
  }
}

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

TEST_F(Proxy, GivesTheSlowOneTheFewestCalls) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  const auto client = Client();
  EXPECT_EQ(Load(*client, 3000, 12), 0);
  EXPECT_LT(slow_.calls, quick_.calls);
  EXPECT_LT(slow_.calls, fast_.calls);
  EXPECT_GT(slow_.calls, 0);
  uint64_t forwarded = 0;
  for (const auto& backend : balancer_->backends()) {
    EXPECT_EQ(backend.pending, 0);
    forwarded += backend.forwarded;
  }
  // The client's hello travels too.
  EXPECT_GE(forwarded, 3000u);
}

// Far more than sockets hold, so that each side is held up by the next one.
TEST_F(Proxy, PassesLargeRepliesThrough) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  const auto client = Client();
  echo::EchoRequest request;
  request.set_payload(std::string(16 << 20, 'l'));
  for (int i = 0; i < 4; ++i) {
    const auto reply = BlockingCall<echo::EchoResponse>(
        *client, Method<echo::EchoService>("Echo"), request, {.timeout = kLong});
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_TRUE(reply->message.payload() == request.payload());
  }
}

TEST_F(Proxy, ServesManyClientsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { failed += Load(*Client(), 200, 2); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(Eventually([&] { return balancer_->connections() == 0; }));
}

TEST_F(Proxy, AnswersAtOnceWhatADeadBackendHeld) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  const auto client = Client();
  std::atomic<bool> stop = false;
  std::atomic<int> ok = 0, unavailable = 0, other = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const absl::Status status = Echo(*client);
        if (status.ok()) {
          ++ok;
        } else if (status.code() == absl::StatusCode::kUnavailable) {
          ++unavailable;
        } else {
          ++other;
          ADD_FAILURE() << status;
        }
      }
    });
  }
  absl::SleepFor(absl::Milliseconds(200));
  slow_.Kill();
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 2; }));
  const int ok_before = ok;
  ASSERT_TRUE(Eventually([&] { return ok > ok_before + 500; }))
      << "the others carry on";
  slow_.Restart();
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; })) << "it rejoins";
  const int calls_before = slow_.calls;
  EXPECT_TRUE(Eventually([&] { return slow_.calls > calls_before + 3; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // At most what it held when it died: one of each caller.
  EXPECT_LE(unavailable, 12);
  EXPECT_EQ(other, 0);
}

TEST_F(Proxy, SaysSoWhenThereIsNoBackend) {
  fast_.Kill();
  quick_.Kill();
  slow_.Kill();
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 0; }));
  const absl::Status status = Echo(*Client());
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST_F(Proxy, DrainsABackend) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  ASSERT_TRUE(balancer_->SetDraining(fast_.address(), true).ok());
  const auto client = Client();
  EXPECT_EQ(Load(*client, 100, 4), 0);
  EXPECT_EQ(fast_.calls, 0);
  ASSERT_TRUE(balancer_->SetDraining(fast_.address(), false).ok());
  EXPECT_EQ(Load(*client, 100, 4), 0);
  EXPECT_GT(fast_.calls, 0);
}

// A raw connection: sends bytes, collects what comes back.
class RawClient : public StreamHandler {
 public:
  RawClient(Transport& transport, const Address& to, std::string bytes) {
    transport.Connect(to, kLong,
                      [this, bytes](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                        ASSERT_TRUE(stream.ok()) << stream.status();
                        stream_ = *std::move(stream);
                        stream_->Start(this);
                        stream_->Write(bytes);
                      });
  }
  ~RawClient() override {
    if (stream_ == nullptr) return;
    std::latch gone(1);
    stream_->executor().Post([&] {
      stream_.reset();
      gone.count_down();
    });
    gone.wait();
  }

  size_t OnData(std::string_view bytes) override {
    MutexLock lock(mutex_);
    received_ += bytes;
    return bytes.size();
  }
  void OnPeerClosed() override {
    MutexLock lock(mutex_);
    ended_ = true;
  }
  void OnClosed(const absl::Status&) override {
    MutexLock lock(mutex_);
    ended_ = true;
  }
  std::string received() const {
    MutexLock lock(mutex_);
    return received_;
  }
  bool ended() const {
    MutexLock lock(mutex_);
    return ended_;
  }

 private:
  std::unique_ptr<Stream> stream_;
  mutable Mutex mutex_;
  std::string received_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

std::string EchoFrame(uint64_t id, std::string_view payload, uint32_t flags = 0,
                      std::string_view method = "Echo") {
  echo::EchoRequest request;
  request.set_payload(std::string(payload));
  Envelope envelope;
  envelope.type = MessageType::kRequest;
  envelope.id = id;
  envelope.service = "echo.EchoService";
  envelope.Set(Envelope::kService);
  envelope.method = method;
  envelope.Set(Envelope::kMethod);
  if (flags != 0) {
    envelope.flags = flags;
    envelope.Set(Envelope::kFlags);
  }
  OutFrame frame;
  EXPECT_TRUE(EncodeFrame(envelope, &request, "", &frame).ok());
  return frame.ToString();
}

TEST_F(Proxy, KeepsTheIdsOfLegacyClients) {
  const uint64_t id = ~uint64_t{0};
  RawClient client(transport_, balancer_->address(), EchoFrame(id, "x"));
  ASSERT_TRUE(Eventually(
      [&] { return ParseFrame(client.received()).state == Frame::State::kReady; }));
  const std::string received = client.received();
  const Frame frame = ParseFrame(received);
  Envelope envelope;
  ASSERT_TRUE(ParseEnvelope(frame.body.substr(4), &envelope));
  EXPECT_EQ(envelope.id, id);
  EXPECT_EQ(envelope.type, MessageType::kResponse);
  echo::EchoResponse response;
  ASSERT_TRUE(response.ParseFromString(std::string(envelope.response)));
  EXPECT_EQ(response.payload(), "x");
}

// One that knows neither hello nor our fields sees its connection end, after the reply
// that came before; one that uses a field of ours gets the error.
TEST_F(Proxy, ALegacyClientsFailureMayCloseItsConnection) {
  BalancerOptions options;
  options.close_on_legacy_failure = true;
  auto balancer = Balancer::Listen(transport_, Address::Tcp("127.0.0.1", 0),
                                   {fast_.address()}, options);
  ASSERT_TRUE(balancer.ok()) << balancer.status();
  const Address at = (*balancer)->address();
  RawClient legacy(transport_, at,
                   EchoFrame(1, "x") + EchoFrame(2, "x", 0, "NoSuchMethod"));
  ASSERT_TRUE(Eventually([&] { return legacy.ended(); }));
  const std::string received = legacy.received();
  EXPECT_EQ(ParseFrame(received).length, received.size());
  RawClient ours(transport_, at, EchoFrame(1, "x", kFlagIdempotent, "NoSuchMethod"));
  ASSERT_TRUE(Eventually(
      [&] { return ParseFrame(ours.received()).state == Frame::State::kReady; }));
  EXPECT_FALSE(ours.ended());
}

TEST_F(Proxy, ABadFrameEndsItsClientOnly) {
  const auto good = Client();
  ASSERT_TRUE(Echo(*good).ok());
  std::string damaged = EchoFrame(1, "hello");
  damaged[30] ^= 1;
  RawClient bad(transport_, balancer_->address(), damaged);
  EXPECT_TRUE(Eventually([&] { return bad.ended(); }));
  EXPECT_EQ(bad.received(), "");
  EXPECT_TRUE(Echo(*good).ok());
  EXPECT_EQ(ConnectedBackends(), 3);
}

TEST_F(Proxy, CallsThatWantNoReplyHoldNothing) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  std::string frames;
  for (int i = 1; i <= 30; ++i) frames += EchoFrame(i, "silent", kFlagNoReply);
  RawClient client(transport_, balancer_->address(), frames + EchoFrame(99, "x"));
  ASSERT_TRUE(Eventually(
      [&] { return ParseFrame(client.received()).state == Frame::State::kReady; }));
  EXPECT_TRUE(Eventually(
      [&] { return fast_.answered + quick_.answered + slow_.answered == 31; }));
  for (const auto& backend : balancer_->backends()) EXPECT_EQ(backend.pending, 0);
}

// The last id counts to protobuf, the first is at the fixed offset.
TEST_F(Proxy, ASecondIdReachesNoOthersCall) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  std::string frame = EchoFrame(7, "x");
  frame.resize(frame.size() - kFrameChecksumBytes);
  frame.append("\x11\x08\0\0\0\0\0\0\0", 9);
  SealFrame(&frame);
  RawClient client(transport_, balancer_->address(), frame);
  ASSERT_TRUE(Eventually(
      [&] { return ParseFrame(client.received()).state == Frame::State::kReady; }));
  const std::string received = client.received();
  Envelope envelope;
  ASSERT_TRUE(ParseEnvelope(ParseFrame(received).body.substr(4), &envelope));
  EXPECT_EQ(envelope.id, 8u);
  EXPECT_TRUE(envelope.Has(Envelope::kResponse));
  for (const auto& backend : balancer_->backends()) EXPECT_EQ(backend.pending, 0);
}

// The largest frame, with id before type: in our order it goes over the encoder's
// limit.
TEST_F(Proxy, AFrameThatCannotBeEncodedAnewCostsItsCallOnly) {
  ASSERT_TRUE(Eventually([&] { return ConnectedBackends() == 3; }));
  std::string frame("\0\0\0\0RPC0\x11\1\0\0\0\0\0\0\0\x08\1\x1a\x10", 21);
  frame += "echo.EchoService\x22\4Echo\x2a";
  const size_t size = kMaxFrameSize - frame.size() - 4;
  for (int shift = 0; shift < 28; shift += 7) {
    frame += static_cast<char>((size >> shift & 0x7f) | (shift < 21 ? 0x80 : 0));
  }
  frame.append(size, 'x');
  SealFrame(&frame);
  ASSERT_EQ(frame.size(), kMaxFrameSize + 4);
  RawClient client(transport_, balancer_->address(), frame);
  ASSERT_TRUE(Eventually(
      [&] { return ParseFrame(client.received()).state == Frame::State::kReady; }));
  const auto good = Client();
  EXPECT_EQ(Load(*good, 50, 4), 0);
  EXPECT_EQ(ConnectedBackends(), 3);
}

TEST_F(Proxy, AClientThatGoesAwayLeavesNothingBehind) {
  {
    std::string frames;
    for (int i = 1; i <= 50; ++i) frames += EchoFrame(i, "bye");
    RawClient client(transport_, balancer_->address(), frames);
    ASSERT_TRUE(Eventually([&] { return !client.received().empty(); }));
  }
  EXPECT_TRUE(Eventually([&] {
    for (const auto& backend : balancer_->backends()) {
      if (backend.pending != 0) return false;
    }
    return balancer_->connections() == 0;
  }));
}

TEST(BalancerListen, WantsABackend) {
  TcpTransport transport(1);
  EXPECT_FALSE(Balancer::Listen(transport, Address::Tcp("127.0.0.1", 0), {}).ok());
}

}  // namespace
}  // namespace skep
