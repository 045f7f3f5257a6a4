// Large replies that are passed on while they come.

#include <memory>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "rpc/balance/balancer_testing.h"
#include "rpc/balance/reply_cut.h"

namespace skep {
namespace {

class CutThroughTest : public BalancerTest {
 protected:
  static BalancerOptions Options() {
    return {.high_water_bytes = 1 << 20,
            .cut_through = 64,
            .min_backoff = absl::Milliseconds(1),
            .max_backoff = absl::Milliseconds(1)};
  }
  // The id of the next call that a backend got on its newest connection.
  static uint64_t NextCall(ForeignBackend& backend) {
    while (const std::optional<Envelope> request = backend.peers.back()->Next()) {
      if (request->service != "skep.Control") return request->id;
    }
    ADD_FAILURE() << "no call came";
    return 0;
  }
  // A client of the balancer's that has called, and the backend's reply to that.
  struct Asked {
    std::unique_ptr<RawPeer> client;
    std::string reply;
  };
  Asked Ask(ForeignBackend& backend, size_t bytes, char fill = 'r') {
    Asked asked{.client = DialRaw()};
    asked.client->Write(EchoRequestFrame(kId, "?"));
    Run();
    asked.reply = EchoReplyFrame(NextCall(backend), std::string(bytes, fill));
    return asked;
  }
  // Whether the client has the reply, whole and right, and nothing else.
  static testing::AssertionResult Got(RawPeer& client, size_t bytes, char fill = 'r') {
    const std::string wanted = EchoReplyFrame(kId, std::string(bytes, fill));
    if (client.received == wanted) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << client.received.size() << " bytes instead of " << wanted.size();
  }
  // At most an error, and no part of a reply as a whole one.
  static void ExpectNoReply(RawPeer& client, const std::string& what) {
    const std::optional<Envelope> reply = client.Next();
    EXPECT_TRUE(!reply.has_value() || reply->error != WireError::kNone) << what;
  }

  static constexpr uint64_t kId = 77;
};

TEST_F(CutThroughTest, FlowsWhileItComes) {
  ForeignBackend& backend = AddForeign();
  Listen({});
  constexpr size_t kBytes = 8 << 20;
  const Asked asked = Ask(backend, kBytes);
  backend.peers[0]->Write(asked.reply.substr(0, kBytes / 2));
  Run(absl::Seconds(1));
  EXPECT_EQ(asked.client->received.size(), kBytes / 2);
  EXPECT_EQ(balancer_->held_bytes(), 0);
  EXPECT_EQ(Pending(), 1);
  backend.peers[0]->Write(asked.reply.substr(kBytes / 2));
  Run(absl::Seconds(1));
  EXPECT_TRUE(Got(*asked.client, kBytes));
  EXPECT_EQ(Pending(), 0);
}

TEST_F(CutThroughTest, NeverMeansTakenInWhole) {
  ForeignBackend& backend = AddForeign();
  Listen({.cut_through = BalancerOptions::kNeverCutThrough});
  const Asked asked = Ask(backend, 1 << 20);
  backend.peers[0]->Write(asked.reply.substr(0, 1 << 20));
  Run(absl::Seconds(1));
  EXPECT_EQ(asked.client->received.size(), 0u);
  EXPECT_GE(balancer_->held_bytes(), 1 << 20);
  backend.peers[0]->Write(asked.reply.substr(1 << 20));
  Run(absl::Seconds(1));
  EXPECT_TRUE(Got(*asked.client, 1 << 20));
}

TEST_F(CutThroughTest, ABackendThatDiesInTheMiddleBreaksItsClient) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  constexpr size_t kBytes = 300;
  int broken = 0;
  const size_t size = EchoReplyFrame(1, std::string(kBytes, 'r')).size();
  for (size_t sent = 0; sent < size; ++sent) {
    const Asked asked = Ask(backend, kBytes);
    backend.peers.back()->Write(asked.reply.substr(0, sent));
    Run();
    network_.Reset("b", backend.address.host());
    Run(absl::Milliseconds(50));
    ExpectNoReply(*asked.client, StrCat("died after ", sent, " bytes"));
    if (asked.client->closed.has_value()) {
      ++broken;
      EXPECT_FALSE(asked.client->closed->ok()) << "a reset, no orderly end: " << sent;
    }
    EXPECT_EQ(Pending(), 0);
  }
  // All but those of which too little had come to be passed on.
  EXPECT_GT(broken, 270);
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(CutThroughTest, DamageStaysVisible) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  constexpr size_t kBytes = 150;
  const size_t size = EchoReplyFrame(1, std::string(kBytes, 'r')).size();
  for (size_t at = 0; at < size; ++at) {
    for (const char mask : {1, 0x10, -128}) {
      Asked asked = Ask(backend, kBytes);
      asked.reply[at] = static_cast<char>(asked.reply[at] ^ mask);
      // In two parts: what has come in whole is not cut through.
      backend.peers.back()->Write(asked.reply.substr(0, 120));
      Run(absl::Milliseconds(5));
      if (!backend.peers.back()->closed) {
        backend.peers.back()->Write(asked.reply.substr(120));
      }
      Run(absl::Milliseconds(5));
      ExpectNoReply(*asked.client, StrCat("byte ", at, " of ", size));
      network_.Reset("b", backend.address.host());
      Run(absl::Milliseconds(50));
    }
  }
}

TEST_F(CutThroughTest, ASlowClientHoldsTheBackendBack) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  constexpr size_t kBytes = 16 << 20;
  const Asked asked = Ask(backend, kBytes);
  asked.client->stream().SetReading(false);
  backend.peers[0]->Write(asked.reply);
  Run(absl::Seconds(5));
  EXPECT_LE(balancer_->held_bytes(), 3 << 20);
  EXPECT_GT(backend.peers[0]->stream().unsent(), 10u << 20);
  asked.client->stream().SetReading(true);
  Run(absl::Seconds(5));
  EXPECT_TRUE(Got(*asked.client, kBytes));
  EXPECT_EQ(balancer_->held_bytes(), 0);
  EXPECT_FALSE(balancer_->backends()[0].ejected) << "it was we who did not listen";
}

TEST_F(CutThroughTest, OthersDoNotWaitLongForASlowClient) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  constexpr size_t kBytes = 16 << 20;
  const Asked slow = Ask(backend, kBytes);
  slow.client->stream().SetReading(false);
  backend.peers[0]->Write(slow.reply);
  Run(absl::Seconds(3));
  const Asked other = Ask(backend, 10);
  backend.peers[0]->Write(other.reply);
  Run(absl::Milliseconds(400));  // 100 ms, and what 16 MiB take on this network
  EXPECT_TRUE(Got(*other.client, 10));
  EXPECT_GE(balancer_->held_bytes(), 14 << 20);
  slow.client->stream().SetReading(true);
  Run(absl::Seconds(5));
  EXPECT_TRUE(Got(*slow.client, kBytes)) << "its reply was kept for it";
}

// With a window of one nobody is behind the reply, and others wait for its end all the
// same.
TEST_F(CutThroughTest, ASlowClientKeepsNoPlaceInAWindow) {
  ForeignBackend& backend = AddForeign();
  BalancerOptions options = Options();
  options.mode = BindMode::kLate;
  options.window = 1;
  Listen(options);
  constexpr size_t kBytes = 16 << 20;
  const Asked slow = Ask(backend, kBytes);
  slow.client->stream().SetReading(false);
  backend.peers[0]->Write(slow.reply);
  Run(absl::Seconds(3));
  const auto other = DialRaw();
  other->Write(EchoRequestFrame(kId, "?", absl::Seconds(2)));
  Run(absl::Milliseconds(400));
  backend.peers[0]->Write(EchoReplyFrame(NextCall(backend), std::string(10, 'r')));
  Run(absl::Milliseconds(400));
  EXPECT_TRUE(Got(*other, 10));
  slow.client->stream().SetReading(true);
  Run(absl::Seconds(5));
  EXPECT_TRUE(Got(*slow.client, kBytes)) << "its reply was kept for it";
}

TEST_F(CutThroughTest, ASlowClientWithoutRoomIsBroken) {
  ForeignBackend& backend = AddForeign();
  BalancerOptions options = Options();
  options.max_client_bytes = 4 << 20;
  Listen(options);
  const Asked slow = Ask(backend, 16 << 20);
  slow.client->stream().SetReading(false);
  backend.peers[0]->Write(slow.reply);
  Run(absl::Seconds(3));
  const Asked other = Ask(backend, 10);
  backend.peers[0]->Write(other.reply);
  Run(absl::Seconds(1));
  EXPECT_TRUE(Got(*other.client, 10));
  EXPECT_TRUE(slow.client->closed.has_value());
  EXPECT_EQ(Pending(), 0);
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(CutThroughTest, AClientThatTakesNothingIsGivenUp) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  const Asked slow = Ask(backend, 16 << 20);
  slow.client->stream().SetReading(false);
  backend.peers[0]->Write(slow.reply);
  Run(absl::Seconds(20));
  EXPECT_EQ(balancer_->connections(), 1);
  Run(absl::Seconds(20));
  EXPECT_EQ(balancer_->connections(), 0);
  EXPECT_EQ(balancer_->held_bytes(), 0);
  EXPECT_EQ(backend.peers[0]->stream().unsent(), 0u) << "the rest is passed over";
}

TEST_F(CutThroughTest, AClientThatVanishesCostsTheBackendNothing) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  for (const bool paused : {false, true}) {
    Asked asked = Ask(backend, 8 << 20);
    if (paused) asked.client->stream().SetReading(false);
    const size_t half = paused ? 7 << 20 : 4 << 20;
    backend.peers[0]->Write(asked.reply.substr(0, half));
    Run(absl::Seconds(1));
    asked.client = nullptr;
    Run(absl::Milliseconds(100));
    backend.peers[0]->Write(asked.reply.substr(half));
    Run(absl::Seconds(1));
    EXPECT_EQ(Pending(), 0);
    EXPECT_EQ(balancer_->held_bytes(), 0);
    const Asked next = Ask(backend, 1000);
    backend.peers[0]->Write(next.reply);
    Run();
    EXPECT_TRUE(Got(*next.client, 1000)) << "on the same connection";
  }
  EXPECT_EQ(backend.peers.size(), 1u);
}

TEST_F(CutThroughTest, OtherRepliesWaitForItsEnd) {
  ForeignBackend& large = AddForeign();
  ForeignBackend& small = AddForeign();
  BalancerOptions options = Options();
  options.policy = PickPolicy::kRoundRobin;
  Listen(options);
  const Asked asked = Ask(large, 1000);
  large.peers[0]->Write(asked.reply.substr(0, 500));
  Run();
  EXPECT_EQ(asked.client->received.size(), 500u);
  // One that is answered, large enough to be cut through itself, and one whose time is
  // up: both go to the second backend and meet a client that is busy.
  asked.client->Write(EchoRequestFrame(78, "?"));
  Run();
  const std::string second = EchoReplyFrame(NextCall(small), std::string(900, 's'));
  small.peers[0]->Write(second.substr(0, 300));
  Run();
  small.peers[0]->Write(second.substr(300));
  asked.client->Write(EchoRequestFrame(79, "?", absl::Milliseconds(10)));
  Run(absl::Milliseconds(100));
  EXPECT_EQ(asked.client->received.size(), 500u);
  large.peers[0]->Write(asked.reply.substr(500));
  Run();
  for (const uint64_t id : {kId, uint64_t{78}, uint64_t{79}}) {
    const std::optional<Envelope> reply = asked.client->Next();
    ASSERT_TRUE(reply.has_value()) << id;
    EXPECT_EQ(reply->id, id);
    EXPECT_EQ(reply->error, id == 79 ? WireError::kTimeout : WireError::kNone);
  }
}

TEST_F(CutThroughTest, ADeadlineDoesNotAnswerWhatIsBeingAnswered) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  const auto client = DialRaw();
  client->Write(EchoRequestFrame(kId, "?", absl::Milliseconds(100)));
  Run();
  const std::string reply = EchoReplyFrame(NextCall(backend), std::string(1000, 'r'));
  backend.peers[0]->Write(reply.substr(0, 500));
  Run(absl::Seconds(1));
  backend.peers[0]->Write(reply.substr(500));
  Run();
  EXPECT_TRUE(Got(*client, 1000));
  EXPECT_EQ(Pending(), 0);
}

TEST_F(CutThroughTest, ABackendThatStopsInTheMiddleIsLeft) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  const Asked asked = Ask(backend, 1000);
  backend.peers[0]->Write(asked.reply.substr(0, 500));
  Run(absl::Seconds(9));
  EXPECT_FALSE(asked.client->closed.has_value());
  Run(absl::Seconds(3));
  EXPECT_TRUE(asked.client->closed.has_value());
  EXPECT_TRUE(backend.peers[0]->closed.has_value());
  EXPECT_EQ(backend.peers.size(), 2u) << "and connected to anew";
}

// Nor does one hold its connection by a byte now and then, whether its client is still
// there or has left.
TEST_F(CutThroughTest, ABackendThatTricklesIsLeft) {
  ForeignBackend& slow = AddForeign();
  ForeignBackend& quick = AddForeign();
  BalancerOptions options = Options();
  options.policy = PickPolicy::kRoundRobin;
  options.check_interval = absl::ZeroDuration();  // which they would not answer
  for (const bool trickles : {true, false}) {
    for (const bool leaves : {true, false}) {
      balancer_ = nullptr;
      Run();
      Listen(options);
      SCOPED_TRACE(StrCat("trickles: ", trickles, ", leaves: ", leaves));
      Asked asked = Ask(slow, 1 << 20);
      const Asked other = Ask(quick, 1000);
      const Asked behind = Ask(slow, 10);
      asked.client->Write(EchoRequestFrame(78, "the same client's"));
      Run();
      const uint64_t same = NextCall(quick);
      const size_t connections = slow.peers.size();
      RawPeer& passing = *slow.peers.back();
      passing.Write(asked.reply.substr(0, 500));
      Run();
      if (leaves) asked.client = nullptr;
      for (int second = 1; second <= 12 && !passing.closed; ++second) {
        if (trickles) passing.Write(asked.reply.substr(500 + second, 1));
        Run(absl::Seconds(1));
        EXPECT_FALSE(second <= 9 && passing.closed.has_value()) << second;
        if (second != 5) continue;
        quick.peers.back()->Write(other.reply);
        Run();
        EXPECT_TRUE(Got(*other.client, 1000)) << "others go on";
      }
      EXPECT_TRUE(passing.closed.has_value());
      EXPECT_EQ(slow.peers.size(), connections + 1) << "connected to anew";
      const std::optional<Envelope> refused = behind.client->Next();
      ASSERT_TRUE(refused.has_value());
      EXPECT_NE(refused->error, WireError::kNone);
      if (!leaves) {
        // It has a part of a reply: nothing can come behind that.
        EXPECT_TRUE(asked.client->closed.has_value());
        ExpectNoReply(*asked.client, "a part of it");
      }
      quick.peers.back()->Write(EchoReplyFrame(same, "nobody's"));
      Run();
      EXPECT_EQ(Pending(), 0);
      EXPECT_EQ(balancer_->held_bytes(), 0);
    }
  }
}

TEST_F(CutThroughTest, ABackendThatIsSlowIsNotLeft) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  constexpr size_t kBytes = 600'000, kPart = 70'000;
  const Asked asked = Ask(backend, kBytes);
  for (size_t at = 0; at < asked.reply.size(); at += kPart) {
    backend.peers[0]->Write(asked.reply.substr(at, kPart));
    Run(absl::Seconds(8));
  }
  EXPECT_TRUE(Got(*asked.client, kBytes));
}

// What replies that are not held back any more will still bring is counted before it
// comes, and never by two: else all of them together are more than there is room for.
TEST_F(CutThroughTest, RoomIsPromisedOnce) {
  ForeignBackend& first = AddForeign();
  ForeignBackend& second = AddForeign();
  BalancerOptions options = Options();
  options.policy = PickPolicy::kRoundRobin;
  options.check_interval = absl::ZeroDuration();  // which they would not answer
  options.max_bytes = 24 << 20;
  Listen(options);
  constexpr size_t kBytes = 16 << 20, kFront = 4 << 20;
  // One that does not read, and behind it another's call.
  const auto begin = [&](ForeignBackend& backend) {
    Asked slow = Ask(backend, kBytes);
    slow.client->stream().SetReading(false);
    backend.peers.back()->Write(slow.reply.substr(0, kFront));
    Run(absl::Seconds(1));
    return slow;
  };
  const Asked kept = begin(first);
  const Asked other = begin(second);
  EXPECT_LE(balancer_->held_bytes(), 6 << 20);
  const Asked behind = Ask(first, 10);
  Run(absl::Milliseconds(200));
  EXPECT_NEAR(static_cast<double>(balancer_->held_bytes()), 18 << 20, 2 << 20);
  const Asked behind_other = Ask(second, 10);
  Run(absl::Milliseconds(200));
  EXPECT_TRUE(other.client->closed.has_value()) << "there was room for one";
  EXPECT_FALSE(kept.client->closed.has_value());
  EXPECT_NEAR(static_cast<double>(balancer_->held_bytes()), 16 << 20, 2 << 20);

  first.peers[0]->Write(kept.reply.substr(kFront, kFront));
  second.peers[0]->Write(other.reply.substr(kFront));
  Run(absl::Seconds(1));
  EXPECT_NEAR(static_cast<double>(balancer_->held_bytes()), 16 << 20, 2 << 20);
  first.peers[0]->Write(kept.reply.substr(2 * kFront) + behind.reply);
  second.peers[0]->Write(behind_other.reply);
  kept.client->stream().SetReading(true);
  Run(absl::Seconds(5));
  EXPECT_TRUE(Got(*kept.client, kBytes));
  EXPECT_TRUE(Got(*behind.client, 10));
  EXPECT_TRUE(Got(*behind_other.client, 10));
  EXPECT_EQ(balancer_->held_bytes(), 0);
}

TEST_F(CutThroughTest, APromiseEndsWithEitherSide) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  constexpr size_t kBytes = 16 << 20;
  for (const bool by_client : {true, false}) {
    Asked slow = Ask(backend, kBytes);
    slow.client->stream().SetReading(false);
    backend.peers.back()->Write(slow.reply.substr(0, 4 << 20));
    Run(absl::Seconds(1));
    const Asked behind = Ask(backend, 10);
    Run(absl::Milliseconds(200));
    ASSERT_GE(balancer_->held_bytes(), 14 << 20);
    if (by_client) {
      slow.client = nullptr;
    } else {
      network_.Reset("b", backend.address.host());
    }
    Run(absl::Milliseconds(100));
    EXPECT_EQ(balancer_->held_bytes(), 0) << by_client;
    if (by_client) backend.peers.back()->Write(slow.reply.substr(4 << 20));
    Run(absl::Seconds(1));
    if (by_client) backend.peers.back()->Write(behind.reply);
    Run();
    EXPECT_EQ(Got(*behind.client, 10), by_client);
    EXPECT_EQ(Pending(), 0);
  }
}

TEST_F(CutThroughTest, TheBalancersEndBreaksWhatIsPassing) {
  ForeignBackend& backend = AddForeign();
  Listen(Options());
  const Asked asked = Ask(backend, 1000);
  backend.peers[0]->Write(asked.reply.substr(0, 500));
  Run();
  balancer_ = nullptr;
  Run(absl::Seconds(1));
  EXPECT_TRUE(asked.client->closed.has_value());
  ExpectNoReply(*asked.client, "half of it");
}

// What may be cut through, from a frame's front.
TEST(ReplyCut, JudgesByTheHead) {
  Envelope head;
  const std::string reply = EchoReplyFrame(5, std::string(5000, 'r'));
  EXPECT_EQ(ReplyCut::Judge(reply.substr(0, 18), &head), ReplyCut::Verdict::kTooEarly);
  EXPECT_EQ(ReplyCut::Judge(reply.substr(0, 19), &head), ReplyCut::Verdict::kTooEarly);
  ASSERT_EQ(ReplyCut::Judge(reply.substr(0, 40), &head), ReplyCut::Verdict::kYes);
  EXPECT_EQ(head.id, 5u);

  Envelope e;
  e.type = MessageType::kResponse;
  e.id = 6;
  e.load = 9;
  e.Set(Envelope::kLoad);
  echo::EchoResponse response;
  response.set_payload("small");
  EXPECT_EQ(
      ReplyCut::Judge(EncodeWhole(e, &response, std::string(9000, 'a')).substr(0, 1200),
                      &head),
      ReplyCut::Verdict::kYes);
  e.error = WireError::kTimeout;
  e.Set(Envelope::kError);
  EXPECT_EQ(
      ReplyCut::Judge(EncodeWhole(e, &response, std::string(9000, 'a')).substr(0, 1200),
                      &head),
      ReplyCut::Verdict::kNo);
  EXPECT_EQ(ReplyCut::Judge(EchoRequestFrame(7, std::string(5000, 'q')).substr(0, 1200),
                            &head),
            ReplyCut::Verdict::kNo);

  // With something behind the response, a second id for one.
  std::string twice = reply.substr(0, reply.size() - kFrameChecksumBytes);
  twice += '\x11' + std::string(8, '\x07');
  SealFrame(&twice);
  EXPECT_EQ(ReplyCut::Judge(twice.substr(0, 1200), &head), ReplyCut::Verdict::kNo);
}

}  // namespace
}  // namespace skep
