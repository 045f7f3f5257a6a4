// Both typed frames, and dispatch by type name.

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "rpc/channel_testing.h"
#include "rpc/frame.h"
#include "rpc/pb_codec.h"
#include "rpc/protobuf_codec.h"
#include "rpc/services/echo.pb.h"
#include "rpc/sim_transport.h"
#include "rpc/testdata/muduo_empty.pb.h"

namespace skep {
namespace {

std::string Hex(std::string_view hex) { return absl::HexStringToBytes(ToAbsl(hex)); }
std::string ToHex(std::string_view bytes) {
  return absl::BytesToHexString(ToAbsl(bytes));
}

echo::EchoRequest Hello() {
  echo::EchoRequest request;
  request.set_payload("hello");
  return request;
}

// --- ProtobufCodec -----------------------------------------------------------------

const char kMuduoEmpty[] = "000000160000000c6d7564756f2e456d70747900082b287e04a7";

TEST(ProtobufCodec, WritesAndReadsTheKnownFrame) {
  muduo::Empty empty;
  empty.set_id(43);
  EXPECT_EQ(ToHex(EncodeTyped(empty)), kMuduoEmpty);

  const std::string bytes = Hex(kMuduoEmpty);
  const Frame frame = ParseFrame(bytes, kMinTypedFrameSize);
  ASSERT_EQ(frame.state, Frame::State::kReady);
  TypedMessage message;
  ASSERT_TRUE(ParseTyped(frame.body, &message));
  EXPECT_EQ(message.type_name, "muduo.Empty");
  EXPECT_EQ(message.bytes, "\x08\x2b");
}

TEST(ProtobufCodec, BoundsTheNameLength) {
  const auto body = [](uint32_t length, std::string rest) {
    std::string out(4, '\0');
    for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(length >> (24 - 8 * i));
    return out + rest;
  };
  TypedMessage message;
  const std::string shortest = body(2, std::string("a\0", 2));
  EXPECT_TRUE(ParseTyped(shortest, &message));
  EXPECT_EQ(message.type_name, "a");
  EXPECT_FALSE(ParseTyped(body(1, std::string("\0", 1)), &message));
  EXPECT_FALSE(ParseTyped(body(0, "a"), &message));
  EXPECT_FALSE(ParseTyped(body(3, std::string("a\0", 2)), &message));
  EXPECT_FALSE(ParseTyped(body(2, "ab"), &message));
  EXPECT_FALSE(ParseTyped(body(0xffffffff, "ab"), &message));
  EXPECT_FALSE(ParseTyped("\0\0", &message));
}

TEST(ProtobufCodec, JudgesSizeFromTen) {
  EXPECT_EQ(ParseFrame(Hex("0000000a000000000000000000"), kMinTypedFrameSize).state,
            Frame::State::kNeedMore);
  EXPECT_EQ(ParseFrame(Hex("000000090000000000000000aaaa"), kMinTypedFrameSize).state,
            Frame::State::kBad);
}

// --- PB ------------------------------------------------------------------------------

// Our own golden bytes: no other peer speaks this frame.
const char kPbRequest[] =
    "0000002c5042"
    "0801"
    "110100000000000000"
    "1a106563686f2e4563686f52657175657374"
    "22070a0568656c6c6f"
    "917d0959";

TEST(PbCodec, GoldenRequest) {
  EXPECT_EQ(ToHex(EncodePbRequest(1, Hello())), kPbRequest);
  const std::string bytes = Hex(kPbRequest);
  const Frame frame = ParseFrame(bytes);
  ASSERT_EQ(frame.state, Frame::State::kReady) << frame.fault;
  ASSERT_TRUE(IsPbBody(frame.body));
  PbMessage message;
  ASSERT_TRUE(ParsePb(frame.body, &message));
  EXPECT_EQ(message.type(), muduo::net::REQUEST);
  EXPECT_EQ(message.id(), 1u);
  EXPECT_EQ(message.typename_(), "echo.EchoRequest");
  EXPECT_EQ(message.request(), "\x0a\x05hello");
}

TEST(PbCodec, GoldenReplyAndError) {
  echo::EchoResponse response;
  response.set_payload("hello");
  EXPECT_EQ(ToHex(EncodePbReply(1, response)),
            "0000002d50420802110100000000000000"
            "1a116563686f2e4563686f526573706f6e73652a07120568656c6c6f"
            "9d5009d1");
  EXPECT_EQ(ToHex(EncodePbError(2, WireError::kNoMethod)),
            "000000135042080211020000000000000030030a0d00e3");
}

TEST(PbCodec, RefusesOtherTagsAndUnreadablePayloads) {
  PbMessage message;
  EXPECT_FALSE(ParsePb("MP\x08\x01", &message));
  EXPECT_FALSE(ParsePb("PB\x08\x01", &message));  // no id
}

// --- Dispatcher ----------------------------------------------------------------------

TEST(Dispatcher, CallsTheHandlerOfTheType) {
  Dispatcher<std::string&> handlers;
  handlers.On<echo::EchoRequest>([](const echo::EchoRequest& request,
                                    std::string& log) { log += request.payload(); });
  handlers.On<muduo::Empty>([](const muduo::Empty& empty, std::string& log) {
    log += std::to_string(empty.id());
  });
  std::string log;
  EXPECT_TRUE(handlers.Handles("muduo.Empty"));
  EXPECT_TRUE(handlers.Dispatch("muduo.Empty", "\x08\x2b", log).ok());
  EXPECT_TRUE(
      handlers.Dispatch("echo.EchoRequest", Hello().SerializeAsString(), log).ok());
  EXPECT_EQ(log, "43hello");
  EXPECT_EQ(handlers.Dispatch("echo.Nope", "", log).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(handlers.Dispatch("echo.EchoRequest", "", log).code(),
            absl::StatusCode::kInvalidArgument);
}

// --- TypedConnection
// -------------------------------------------------------------------

class TypedConnectionTest : public ::testing::Test {
 protected:
  TypedConnectionTest() : network_(executor_, /*seed=*/3) {
    handlers_.On<muduo::Empty>([](const muduo::Empty& empty, TypedConnection& peer) {
      muduo::Empty answer;
      answer.set_id(empty.id() + 1);
      peer.Send(answer);
    });
    listener_ = *network_.host("s").Listen(at_, [this](std::unique_ptr<Stream> stream) {
      stream_ = std::move(stream);
      connection_ = std::make_unique<TypedConnection>(*stream_, handlers_);
    });
    network_.host("c").Connect(at_, absl::Seconds(1),
                               [this](absl::StatusOr<std::unique_ptr<Stream>> stream) {
                                 ASSERT_TRUE(stream.ok());
                                 peer_ = std::make_unique<RawPeer>(*std::move(stream));
                               });
    executor_.RunFor(absl::Seconds(1));
  }

  SimulatedClock clock_;
  ManualExecutor executor_{clock_};
  SimNetwork network_;
  const Address at_ = Address::Tcp("s", 1);
  TypedConnection::Handlers handlers_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<TypedConnection> connection_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<RawPeer> peer_;
};

TEST_F(TypedConnectionTest, AnswersByType) {
  for (const char byte : Hex(kMuduoEmpty)) peer_->Write(std::string_view(&byte, 1));
  peer_->Write(Hex(kMuduoEmpty));
  executor_.RunFor(absl::Seconds(1));
  muduo::Empty answer;
  answer.set_id(44);
  EXPECT_EQ(ToHex(peer_->received), ToHex(EncodeTyped(answer) + EncodeTyped(answer)));
  EXPECT_FALSE(peer_->eof);
}

TEST_F(TypedConnectionTest, HalfClosesAtATypeWithoutHandler) {
  peer_->Write(Hex(kMuduoEmpty) + EncodeTyped(Hello()) + Hex(kMuduoEmpty));
  executor_.RunFor(absl::Seconds(1));
  muduo::Empty answer;
  answer.set_id(44);
  EXPECT_EQ(ToHex(peer_->received), ToHex(EncodeTyped(answer)));
  EXPECT_TRUE(peer_->eof);
}

TEST_F(TypedConnectionTest, HalfClosesAtABadFrame) {
  std::string frame = Hex(kMuduoEmpty);
  frame.back() ^= 1;
  peer_->Write(frame);
  executor_.RunFor(absl::Seconds(1));
  EXPECT_EQ(peer_->received, "");
  EXPECT_TRUE(peer_->eof);
}

}  // namespace
}  // namespace skep
