// The channel against servers of other makes, which know none of skep's extensions, or
// misbehave.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rpc/control.pb.h"
#include "rpc/interop_test_bed.h"

namespace skep {
namespace {

using InteropTest = InteropTestBed;

TEST_F(InteropTest, CallsAServerThatKnowsNoHello) {
  const auto channel = DialRawServer();
  std::optional<Outcome> outcome;
  Echo(*channel, "hello", &outcome);
  Run();
  raw_->Write(ErrorFrame(TakeHello(), WireError::kNoService));
  const std::optional<Envelope> request = raw_->Next();
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->service, "echo.EchoService");
  EXPECT_EQ(request->method, "Echo");
  EXPECT_EQ(request->request, "\x0a\x05hello");
  raw_->Write(EchoReplyFrame(request->id, "hello"));
  Run();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->ok()) << outcome->status();

  // No control message to such a peer.
  std::optional<Outcome> cancelled;
  const CallId call = Echo(*channel, "x", &cancelled);
  Run();
  ASSERT_TRUE(raw_->Next().has_value());
  channel->Cancel(call);
  Run();
  EXPECT_TRUE(cancelled.has_value());
  EXPECT_FALSE(raw_->Next().has_value());
}

TEST_F(InteropTest, ASilentPeerDelaysNoCall) {
  const auto channel = DialRawServer();
  std::optional<Outcome> outcome;
  Echo(*channel, "hello", &outcome);
  Run();
  TakeHello();
  const std::optional<Envelope> request = raw_->Next();
  ASSERT_TRUE(request.has_value());
  raw_->Write(EchoReplyFrame(request->id, "hello"));
  Run();
  EXPECT_TRUE(outcome.has_value() && outcome->ok());
  EXPECT_EQ(channel->pending(), 0);
  Run(absl::Seconds(5));  // the hello's own deadline
  EXPECT_TRUE(channel->connected());
}

TEST_F(InteropTest, LegacyErrorsBecomeStatuses) {
  const auto channel = DialRawServer({.hello = false});
  const std::vector<std::pair<WireError, absl::StatusCode>> cases = {
      {WireError::kWrongProto, absl::StatusCode::kInternal},
      {WireError::kNoService, absl::StatusCode::kUnimplemented},
      {WireError::kNoMethod, absl::StatusCode::kUnimplemented},
      {WireError::kInvalidRequest, absl::StatusCode::kInvalidArgument},
      {WireError::kInvalidResponse, absl::StatusCode::kInternal},
      {WireError::kTimeout, absl::StatusCode::kDeadlineExceeded}};
  for (const auto& [error, code] : cases) {
    std::optional<Outcome> outcome;
    Echo(*channel, "x", &outcome);
    Run();
    const std::optional<Envelope> request = raw_->Next();
    ASSERT_TRUE(request.has_value());
    raw_->Write(ErrorFrame(request->id, error));
    Run();
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->status().code(), code) << static_cast<int>(error);
  }
}

TEST_F(InteropTest, StrayRepliesAreCountedAndDropped) {
  const auto channel = DialRawServer({.hello = false});
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  Run();
  const std::optional<Envelope> request = raw_->Next();
  ASSERT_TRUE(request.has_value());
  const uint64_t id = request->id;
  raw_->Write(EchoReplyFrame(id + (uint64_t{1} << 32), "never asked"));
  raw_->Write(EchoReplyFrame(99, "no such slot"));
  raw_->Write(EchoReplyFrame(0, "zero"));
  raw_->Write(EchoReplyFrame(id, "x"));
  raw_->Write(EchoReplyFrame(id, "once more"));
  Envelope error;
  error.type = MessageType::kError;
  error.id = id;
  raw_->Write(EncodeWhole(error));
  Run();
  ASSERT_TRUE(outcome.has_value() && outcome->ok());
  EXPECT_EQ((*outcome)->message.payload(), "x");
  const ChannelCounters counters = channel->counters();
  EXPECT_EQ(counters.foreign_replies, 3u);
  EXPECT_EQ(counters.duplicate_replies, 1u);
  EXPECT_EQ(counters.error_frames, 1u);
  EXPECT_TRUE(channel->connected());
}

// While its peer goes away a connection is still read, and new calls wait for the next:
// to answer one of those, whose id can be guessed, is to lie.
TEST_F(InteropTest, RepliesToCallsThatWereNotSentAreNobodys) {
  const auto channel = DialRawServer();
  ControlHello answer;
  answer.set_id(TakeHello());
  Envelope hello;
  hello.type = MessageType::kResponse;
  hello.id = answer.id();
  raw_->Write(EncodeWhole(hello, &answer));
  Run();
  std::optional<Outcome> sent, waiting;
  Echo(*channel, "sent", &sent);
  Run();
  const uint64_t sent_id = raw_->Next()->id;
  const ControlGoAway goodbye;
  Envelope go_away;
  go_away.type = MessageType::kRequest;
  go_away.service = "skep.Control";
  go_away.Set(Envelope::kService);
  go_away.method = "GoAway";
  go_away.Set(Envelope::kMethod);
  raw_->Write(EncodeWhole(go_away, &goodbye));
  Run();
  ASSERT_FALSE(channel->connected());

  const CallId waits = Echo(*channel, "waiting", &waiting);
  // One without a reply, whose response went with its completion.
  const CallId told =
      Call<rpc2::Empty>(*channel, Method<Control>("Ping"), ControlPing(), {},
                        [](const absl::StatusOr<Reply<rpc2::Empty>>&) {});
  Run();
  for (const CallId id : {waits, told}) {
    raw_->Write(EchoReplyFrame(id.value(), "a lie"));
  }
  Run();
  EXPECT_FALSE(waiting.has_value());
  EXPECT_EQ(channel->counters().foreign_replies, 2u);
  RawPeer* const first = raw_.get();
  raw_->Write(EchoReplyFrame(sent_id, "sent"));
  Run(absl::Milliseconds(1));
  EXPECT_TRUE(sent.has_value() && sent->ok());
  raw_->stream().CloseWhenDrained();

  Run(absl::Seconds(1));
  ASSERT_NE(raw_.get(), first) << "the next connection";
  TakeHello();
  const std::optional<Envelope> request = raw_->Next();
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->id, waits.value());
  raw_->Write(EchoReplyFrame(waits.value(), "waiting"));
  const std::optional<Envelope> ping = raw_->Next();
  ASSERT_TRUE(ping.has_value());
  EXPECT_EQ(ping->id, told.value());
  Run();
  ASSERT_TRUE(waiting.has_value() && waiting->ok());
  EXPECT_EQ((*waiting)->message.payload(), "waiting");
}

TEST_F(InteropTest, UnreadableResponsesFailTheirCallOnly) {
  const auto channel = DialRawServer({.hello = false});
  std::optional<Outcome> garbage, empty, good;
  Echo(*channel, "1", &garbage);
  Echo(*channel, "2", &empty);
  Echo(*channel, "3", &good);
  Run();
  Envelope reply;
  reply.type = MessageType::kResponse;
  reply.id = raw_->Next()->id;
  reply.response = "\xff\xff\xff";
  reply.Set(Envelope::kResponse);
  raw_->Write(EncodeWhole(reply));
  reply = Envelope();
  reply.type = MessageType::kResponse;
  reply.id = raw_->Next()->id;
  raw_->Write(EncodeWhole(reply));
  raw_->Write(EchoReplyFrame(raw_->Next()->id, "3"));
  Run();
  EXPECT_EQ(garbage->status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(empty->status().code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(good.has_value() && good->ok());
}

TEST_F(InteropTest, ABadFrameFromTheServerEndsCallsAtOnce) {
  const auto channel = DialRawServer({.hello = false});
  std::optional<Outcome> outcome;
  Echo(*channel, "x", &outcome);
  Run();
  std::string frame = EchoReplyFrame(raw_->Next()->id, "x");
  frame.back() ^= 1;
  raw_->Write(frame);
  Run();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(Message(outcome->status()).find("checksum"), std::string_view::npos)
      << outcome->status();
}

TEST_F(InteropTest, AnIdThatChangedOnTheWayTurnsControlOff) {
  const auto channel = DialRawServer();
  const uint64_t hello_id = TakeHello();
  // As our server answers when a balancer of another make gave the hello another id.
  Envelope reply;
  reply.type = MessageType::kResponse;
  reply.id = hello_id;
  reply.response = std::string_view("\x09\x63\0\0\0\0\0\0\0", 9);  // id: 99
  reply.Set(Envelope::kResponse);
  raw_->Write(EncodeWhole(reply));
  Run();
  std::optional<Outcome> outcome;
  const CallId call = Echo(*channel, "x", &outcome);
  Run();
  ASSERT_TRUE(raw_->Next().has_value());
  channel->Cancel(call);
  Run();
  EXPECT_FALSE(raw_->Next().has_value());
}

}  // namespace
}  // namespace skep
