// The server against clients of other makes, and such as misbehave.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/interop_test_bed.h"
#include "rpc/pb_codec.h"

namespace skep {
namespace {

using InteropServerTest = InteropTestBed;

// --- Our server, their client ------------------------------------------------------

TEST_F(InteropServerTest, ALegacyClientGetsNoExtensionFields) {
  Listen();
  const auto client = RawClient();
  client->Write(EchoRequestFrame(5, "fail"));
  Run();
  EXPECT_EQ(client->received, ErrorFrame(5, WireError::kInvalidResponse));
  client->received.clear();
  client->Write(EchoRequestFrame(6, "fine"));
  Run();
  EXPECT_EQ(client->received, EchoReplyFrame(6, "fine"));
}

// On the wire: what came before is answered, the failed call by the end alone.
TEST_F(InteropServerTest, ALegacyClientsFailureMayCloseItsConnection) {
  Listen({.legacy_failure = LegacyFailure::kClose});
  const auto client = RawClient();
  client->Write(EchoRequestFrame(5, "fine") + EchoRequestFrame(6, "fail") +
                EchoRequestFrame(7, "not looked at"));
  Run();
  EXPECT_EQ(client->received, EchoReplyFrame(5, "fine"));
  EXPECT_TRUE(client->eof);
  EXPECT_EQ(echo_.calls, 2);

  // An unknown method is a failure too.
  const auto other = RawClient();
  Envelope unknown;
  unknown.type = MessageType::kRequest;
  unknown.id = 1;
  unknown.service = "no.Such";
  unknown.Set(Envelope::kService);
  unknown.method = "Thing";
  unknown.Set(Envelope::kMethod);
  other->Write(EncodeWhole(unknown));
  Run();
  EXPECT_EQ(other->received, "");
  EXPECT_TRUE(other->eof);

  // Who uses one of our fields reads the others.
  const auto ours = RawClient();
  unknown.trace = 7;
  unknown.Set(Envelope::kTrace);
  ours->Write(EncodeWhole(unknown));
  Run();
  EXPECT_NE(ours->received, "");
  EXPECT_FALSE(ours->eof);
}

TEST_F(InteropServerTest, OurOwnClientGetsItsErrorsInAnyCase) {
  Listen({.legacy_failure = LegacyFailure::kClose});
  const auto channel = Connect(network_.host("c"), address_);
  Run();
  std::optional<Outcome> failed, fine;
  Echo(*channel, "fail", &failed);
  Run();
  Echo(*channel, "fine", &fine);
  Run();
  ASSERT_TRUE(failed.has_value() && fine.has_value());
  EXPECT_EQ(failed->status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(fine->ok());
}

// A server that wants TLS answers with an alert.
TEST_F(InteropServerTest, AServerThatWantsTlsIsNamed) {
  const auto channel = DialRawServer();
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  Run();
  raw_->Write(std::string_view("\x15\x03\x03\0\x02\x02\x46", 7));
  Run();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(outcome->status().ToString().find("--tls"), std::string::npos)
      << outcome->status();
}

TEST_F(InteropServerTest, AReplyNeverLacksBothResponseAndError) {
  Listen();
  const auto client = RawClient();
  client->Write(EchoRequestFrame(5, ""));
  Run();
  const std::optional<Envelope> reply = client->Next();
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->Has(Envelope::kResponse));
}

TEST_F(InteropServerTest, OneByteAtATimeIsServed) {
  Listen();
  const auto client = RawClient();
  for (const char byte : EchoRequestFrame(5, "slow")) {
    client->Write(std::string_view(&byte, 1));
    Run(absl::Milliseconds(5));
  }
  EXPECT_EQ(client->received, EchoReplyFrame(5, "slow"));
}

TEST_F(InteropServerTest, HeldCallsAreBoundedByNotReading) {
  Listen({.max_calls_per_connection = 3});
  const auto client = RawClient();
  for (int i = 0; i < 50; ++i) client->Write(EchoRequestFrame(i, "hold"));
  Run(absl::Seconds(1));
  EXPECT_EQ(echo_.calls, 3);
  for (int i = 0; i < 50; ++i) {
    ASSERT_FALSE(echo_.held.empty()) << i;
    EXPECT_LE(echo_.held.size(), 3u);
    echo_.Release();
    Run();
  }
  EXPECT_EQ(echo_.calls, 50);
  int replies = 0;
  while (client->Next().has_value()) ++replies;
  EXPECT_EQ(replies, 50);
}

TEST_F(InteropServerTest, AClientThatDoesNotReadIsNotRead) {
  Listen({.high_water_bytes = 2 << 20});
  const auto client = RawClient();
  client->stream().SetReading(false);
  const std::string request = EchoRequestFrame(1, std::string(100'000, 'x'));
  for (int i = 0; i < 200; ++i) client->Write(request);  // 20 MB
  Run(absl::Seconds(5));
  // What was read: the mark, the network's window, and not much more.
  EXPECT_LT(echo_.calls, 60);
  EXPECT_GT(echo_.calls, 10);
  client->stream().SetReading(true);
  Run(absl::Seconds(5));
  EXPECT_EQ(echo_.calls, 200);
}

TEST_F(InteropServerTest, ConnectionsAreBounded) {
  Listen({.max_connections = 2});
  const auto a = RawClient(), b = RawClient(), c = RawClient();
  EXPECT_EQ(server_->connections(), 2);
  EXPECT_TRUE(c->eof || c->closed.has_value());
  a->Write(EchoRequestFrame(1, "x"));
  Run();
  EXPECT_TRUE(a->Next().has_value());
}

TEST_F(InteropServerTest, IdleConnectionsAreClosed) {
  Listen({.idle_timeout = absl::Seconds(10)});
  const auto idle = RawClient(), busy = RawClient(), drip = RawClient();
  busy->Write(EchoRequestFrame(1, "hold"));
  for (int i = 0; i < 15; ++i) {
    // Bytes that make no frame are no activity.
    if (!drip->eof && !drip->closed.has_value()) drip->Write(std::string_view("\0", 1));
    Run(absl::Seconds(1));
  }
  EXPECT_TRUE(idle->eof);
  EXPECT_TRUE(drip->eof || drip->closed.has_value());
  EXPECT_FALSE(busy->eof);
  echo_.ReleaseAll();
  Run();
  EXPECT_EQ(busy->received, EchoReplyFrame(1, "hold"));
}

TEST_F(InteropServerTest, AnotherProtocolSharesThePort) {
  // Answers each line with "ok".
  class Lines final : public StreamHandler {
   public:
    explicit Lines(Stream& stream) : stream_(stream) {}
    size_t OnData(std::string_view bytes) override {
      const size_t end = bytes.rfind('\n');
      if (end == std::string_view::npos) return 0;
      stream_.Write("ok\r\n");
      return end + 1;
    }
    void OnPeerClosed() override { stream_.CloseWhenDrained(); }
    void OnClosed(const absl::Status&) override {}

   private:
    Stream& stream_;
  };
  Listen({.other_protocol = [](Stream& stream) {
    return std::make_unique<Lines>(stream);
  }});
  const auto text = RawClient(), rpc = RawClient();
  text->Write("a:0000");
  rpc->Write(EchoRequestFrame(1, "x"));
  Run();
  EXPECT_EQ(text->received, "");
  text->Write("\r\n");
  Run();
  EXPECT_EQ(text->received, "ok\r\n");
  EXPECT_EQ(rpc->received, EchoReplyFrame(1, "x"));
  text->stream().CloseWhenDrained();
  Run();
  EXPECT_TRUE(text->eof);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(InteropServerTest, TypedRequestsReachTheMethodThatTakesThem) {
  Listen();
  const auto client = RawClient();
  EchoRequest request;
  request.set_payload("typed");
  EchoResponse response;
  response.set_payload("typed");
  client->Write(EncodePbRequest(9, request));
  Run();
  EXPECT_EQ(client->received, EncodePbReply(9, response));
  client->received.clear();
  client->Write(EncodePbRequest(10, response));  // no method takes it
  Run();
  EXPECT_EQ(client->received, EncodePbError(10, WireError::kNoMethod));
  client->received.clear();
  request.set_payload("fail");
  client->Write(EncodePbRequest(11, request));
  // Both frames on one connection.
  client->Write(EchoRequestFrame(12, "mixed"));
  Run();
  EXPECT_EQ(client->received, EncodePbError(11, WireError::kInvalidResponse) +
                                  EchoReplyFrame(12, "mixed"));
}

// Random, damaged and cut input harms nobody but its sender.
TEST_F(InteropServerTest, SurvivesRandomInput) {
  Listen();
  const auto witness = RawClient();
  Random random(11);
  const std::string good = EchoRequestFrame(1, "x");
  for (int round = 0; round < 300; ++round) {
    const auto client = RawClient();
    std::string bytes;
    if (random.Chance(0.5)) {
      for (uint64_t n = random.Below(200); n > 0; --n) {
        bytes.push_back(static_cast<char>(random()));
      }
    } else {
      bytes = good + good;
      bytes[random.Below(bytes.size())] ^= static_cast<char>(1 + random.Below(255));
      bytes.resize(1 + random.Below(bytes.size()));
    }
    client->Write(bytes);
    Run(absl::Milliseconds(5));
    if (random.Chance(0.5) && !client->closed.has_value()) {
      client->stream().Abort(absl::UnavailableError("bye"));
    }
  }
  Run(absl::Seconds(30));
  witness->Write(EchoRequestFrame(2, "still here"));
  Run();
  EXPECT_EQ(witness->received, EchoReplyFrame(2, "still here"));
}

}  // namespace
}  // namespace skep
