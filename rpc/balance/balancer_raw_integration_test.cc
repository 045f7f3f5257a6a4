// The balancer over real sockets, before clients of other makes and such as misbehave.

#include <latch>

#include "base/mutex.h"
#include "rpc/balance/balance_integration_testing.h"
#include "rpc/channel_testing.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"

namespace skep {
namespace {

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

std::string EchoFrame(uint64_t id, std::string payload, uint32_t flags = 0,
                      std::string_view method = "Echo") {
  echo::EchoRequest request;
  request.set_payload(std::move(payload));
  Envelope envelope = EchoRequestEnvelope(id);
  envelope.method = method;
  if (flags != 0) {
    envelope.flags = flags;
    envelope.Set(Envelope::kFlags);
  }
  return EncodeWhole(envelope, &request);
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

}  // namespace
}  // namespace skep
