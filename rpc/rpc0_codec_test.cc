#include "rpc/rpc0_codec.h"

#include <string>

#include "absl/strings/escaping.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"
#include "rpc/frame.h"
#include "rpc/rpc_message.pb.h"
#include "rpc/services/echo.pb.h"

namespace skep {
namespace {

using muduo::net::RpcMessage;

std::string Hex(std::string_view hex) { return absl::HexStringToBytes(ToAbsl(hex)); }

const char kEchoRequest[] =
    "0000003452504330"
    "0801"
    "110100000000000000"
    "1a106563686f2e4563686f53657276696365"
    "22044563686f"
    "2a070a0568656c6c6f"
    "e6530b71";
const char kEchoReply[] =
    "0000001c52504330"
    "0802"
    "110100000000000000"
    "3207120568656c6c6f"
    "23700396";
const char kNoService[] =
    "0000001552504330"
    "0802"
    "110200000000000000"
    "3802"
    "12d1016d";

Envelope EchoEnvelope() {
  Envelope e;
  e.type = MessageType::kRequest;
  e.id = 1;
  e.service = "echo.EchoService";
  e.Set(Envelope::kService);
  e.method = "Echo";
  e.Set(Envelope::kMethod);
  return e;
}

TEST(Rpc0Codec, WritesTheCapturedFrames) {
  echo::EchoRequest request;
  request.set_payload("hello");
  OutFrame frame;
  ASSERT_TRUE(EncodeFrame(EchoEnvelope(), &request, "", &frame).ok());
  EXPECT_EQ(frame.ToString(), Hex(kEchoRequest));

  echo::EchoResponse response;
  response.set_payload("hello");
  Envelope reply;
  reply.type = MessageType::kResponse;
  reply.id = 1;
  ASSERT_TRUE(EncodeFrame(reply, &response, "", &frame).ok());
  EXPECT_EQ(frame.ToString(), Hex(kEchoReply));

  reply.id = 2;
  reply.error = WireError::kNoService;
  reply.Set(Envelope::kError);
  ASSERT_TRUE(EncodeFrame(reply, nullptr, "", &frame).ok());
  EXPECT_EQ(frame.ToString(), Hex(kNoService));
}

TEST(Rpc0Codec, ReadsTheCapturedFrames) {
  const std::string bytes = Hex(kEchoRequest);
  const Frame frame = ParseFrame(bytes);
  ASSERT_EQ(frame.state, Frame::State::kReady);
  EXPECT_EQ(frame.length, bytes.size());
  Envelope e;
  ASSERT_TRUE(ParseEnvelope(frame.body.substr(4), &e));
  EXPECT_EQ(e.type, MessageType::kRequest);
  EXPECT_EQ(e.id, 1u);
  EXPECT_EQ(e.service, "echo.EchoService");
  EXPECT_EQ(e.method, "Echo");
  EXPECT_EQ(e.request, "\x0a\x05hello");
  EXPECT_FALSE(e.HasExtension());
  EXPECT_TRUE(HasFixedLayout(bytes));
  EXPECT_FALSE(HasFixedBudget(bytes));
}

// The second byte of the type looks like the id's tag, and the id stands elsewhere.
TEST(Rpc0Codec, ATypeOfTwoBytesIsNotOurLayout) {
  std::string bytes = std::string(4, '\0') + std::string(kRpc0Tag);
  bytes += "\x08\x90\x11";                  // a type that nobody knows, in two bytes
  bytes += std::string("\x08\x02\x11", 3);  // one that is known, and the id
  bytes += std::string(8, '\x07');
  SealFrame(&bytes);
  Envelope e;
  ASSERT_TRUE(ParseEnvelope(ParseFrame(bytes).body.substr(4), &e));
  EXPECT_EQ(e.id, 0x0707070707070707u);
  EXPECT_FALSE(HasFixedLayout(bytes));
}

TEST(Rpc0Codec, EveryPrefixOfAFrameNeedsMore) {
  const std::string bytes = Hex(kEchoRequest);
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_EQ(ParseFrame(std::string_view(bytes).substr(0, n)).state,
              Frame::State::kNeedMore);
  }
}

TEST(Rpc0Codec, JudgesSizeOnceTwelveBytesAreThere) {
  EXPECT_EQ(ParseFrame(Hex("0000000752504330616263")).state, Frame::State::kNeedMore);
  EXPECT_EQ(ParseFrame(Hex("000000075250433061626364")).state, Frame::State::kBad);
  EXPECT_EQ(ParseFrame(Hex("040000005250433000000000")).state, Frame::State::kNeedMore);
  EXPECT_EQ(ParseFrame(Hex("040000015250433000000000")).state, Frame::State::kBad);
  EXPECT_EQ(ParseFrame(Hex("ffffffff5250433000000000")).state, Frame::State::kBad);
}

TEST(Rpc0Codec, RefusesAMessageThatFitsNoFrame) {
  OutFrame frame;
  EXPECT_TRUE(EncodeFrame(EchoEnvelope(), nullptr,
                          std::string(kMaxFrameSize - 1000, 'x'), &frame)
                  .ok());
  EXPECT_EQ(ParseFrame(frame.ToString()).state, Frame::State::kReady);
  EXPECT_EQ(
      EncodeFrame(EchoEnvelope(), nullptr, std::string(kMaxFrameSize, 'x'), &frame)
          .code(),
      absl::StatusCode::kInvalidArgument);
}

// --- Against protobuf's own parser ---------------------------------------------

// Ours and protobuf's view of the same bytes, as text.
std::string Ours(std::string_view payload) {
  Envelope e;
  if (!ParseEnvelope(payload, &e)) return "refused";
  RpcMessage m;
  m.set_type(static_cast<muduo::net::MessageType>(e.type));
  m.set_id(e.id);
  if (e.Has(Envelope::kService)) m.set_service(std::string(e.service));
  if (e.Has(Envelope::kMethod)) m.set_method(std::string(e.method));
  if (e.Has(Envelope::kRequest)) m.set_request(std::string(e.request));
  if (e.Has(Envelope::kResponse)) m.set_response(std::string(e.response));
  if (e.Has(Envelope::kError)) m.set_error(static_cast<muduo::net::ErrorCode>(e.error));
  if (e.Has(Envelope::kBudget)) m.set_budget_us(e.budget_us);
  if (e.Has(Envelope::kFlags)) m.set_flags(e.flags);
  if (e.Has(Envelope::kStatus)) m.set_status(e.status);
  if (e.Has(Envelope::kMessage)) m.set_message(std::string(e.message));
  if (e.Has(Envelope::kRetryAfter)) m.set_retry_after_us(e.retry_after_us);
  if (e.Has(Envelope::kLoad)) m.set_load(e.load);
  if (e.Has(Envelope::kTrace)) m.set_trace(e.trace);
  if (e.Has(Envelope::kAttachment)) m.set_attachment(std::string(e.attachment));
  return m.SerializeAsString();
}

std::string Protobufs(std::string_view payload) {
  RpcMessage m;
  if (!m.ParsePartialFromArray(payload.data(), static_cast<int>(payload.size())) ||
      !m.IsInitialized()) {
    return "refused";
  }
  m.DiscardUnknownFields();
  return m.SerializeAsString();
}

std::string RandomBytes(Random& random, size_t max) {
  std::string bytes(random.Below(max + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string RandomField(Random& random, int depth) {
  // Mostly known numbers, with right and wrong wire types.
  const uint64_t number =
      random.Chance(0.8) ? 1 + random.Below(15) : random.Below(1 << 20);
  const uint32_t wire = static_cast<uint32_t>(random.Below(8));
  std::string out;
  PutVarint(&out, number << 3 | wire);
  switch (wire) {
    case 0:
      PutVarint(&out, random.Chance(0.7) ? random.Below(9) : random());
      break;
    case 1:
      out += std::string(8, static_cast<char>(random()));
      break;
    case 2:
      PutBytes(&out, RandomBytes(random, 20));
      break;
    case 3:
      while (depth < 3 && random.Chance(0.4)) out += RandomField(random, depth + 1);
      if (random.Chance(0.9)) PutVarint(&out, number << 3 | 4);
      break;
    case 5:
      out += std::string(4, static_cast<char>(random()));
      break;
  }
  return out;
}

TEST(Rpc0Codec, ReadsAsProtobufDoesOnRandomFields) {
  Random random(1);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string payload;
    if (random.Chance(0.9)) payload += Hex("0801110100000000000000");
    const int fields = static_cast<int>(random.Below(6));
    for (int f = 0; f < fields; ++f) payload += RandomField(random, 0);
    const std::string expected = Protobufs(payload);
    accepted += expected != "refused";
    ASSERT_EQ(absl::BytesToHexString(Ours(payload)), absl::BytesToHexString(expected))
        << absl::BytesToHexString(payload);
  }
  EXPECT_GT(accepted, 20'000);
}

TEST(Rpc0Codec, ReadsAsProtobufDoesOnMutatedFrames) {
  Random random(2);
  RpcMessage m;
  m.set_type(muduo::net::RESPONSE);
  m.set_id(77);
  m.set_service("echo.EchoService");
  m.set_method("Echo");
  m.set_request("abc");
  m.set_response("def");
  m.set_error(muduo::net::TIMEOUT);
  m.set_budget_us(1000);
  m.set_flags(300);
  m.set_status(14);
  m.set_message("down");
  m.set_retry_after_us(70000);
  m.set_load(3);
  m.set_trace(99);
  m.set_attachment(std::string(200, 'a'));
  const std::string good = m.SerializeAsString();
  for (int i = 0; i < 200'000; ++i) {
    std::string payload = good;
    for (uint64_t n = 1 + random.Below(3); n > 0; --n) {
      payload[random.Below(payload.size())] = static_cast<char>(random());
    }
    if (random.Chance(0.3)) payload.resize(random.Below(payload.size()));
    ASSERT_EQ(Ours(payload), Protobufs(payload)) << absl::BytesToHexString(payload);
  }
}

TEST(Rpc0Codec, DeepGroupsEndAtProtobufsLimit) {
  for (int depth : {1, 99, 100, 101, 5000}) {
    std::string payload = Hex("0801110100000000000000");
    for (int i = 0; i < depth; ++i) payload += Hex("8301");
    for (int i = 0; i < depth; ++i) payload += Hex("8401");
    EXPECT_EQ(Ours(payload), Protobufs(payload)) << depth;
  }
}

TEST(Rpc0Codec, PaddedVarintsAreReadAsProtobufDoes) {
  for (const char* padded :
       {"0881001101000000000000 00", "888000011101000000000000 00",
        "08818080808080808080 001101000000000000 00",
        "088180808080808080807f 110100000000000000",
        "8880808080800001110100000000000000", "0801110100000000000000aa8080808000",
        "08011101000000000000002a8080808080 00",
        "08011101000000000000002a8180808000 61"}) {
    std::string hex;
    for (const char* c = padded; *c != '\0'; ++c) {
      if (*c != ' ') hex += *c;
    }
    const std::string payload = Hex(hex);
    EXPECT_EQ(Ours(payload), Protobufs(payload)) << hex;
  }
}

// --- Rewriting in place ----------------------------------------------------------

TEST(Rpc0Codec, RewritesIdAndBudgetInPlace) {
  Random random(3);
  for (size_t attachment : {0, 10, 100'000}) {
    Envelope e = EchoEnvelope();
    e.budget_us = 5'000'000;
    e.Set(Envelope::kBudget);
    OutFrame frame;
    ASSERT_TRUE(EncodeFrame(e, nullptr, RandomBytes(random, attachment), &frame).ok());
    std::string whole = frame.ToString();
    ASSERT_TRUE(HasFixedBudget(whole));
    RewriteBudget(&frame, 123);
    RewriteBudget(whole.data(), whole.size(), 123);
    EXPECT_EQ(frame.ToString(), whole);
    RewriteId(whole.data(), whole.size(), ~uint64_t{0} - 5);
    const Frame parsed = ParseFrame(whole);
    ASSERT_EQ(parsed.state, Frame::State::kReady) << parsed.fault;
    ASSERT_TRUE(ParseEnvelope(parsed.body.substr(4), &e));
    EXPECT_EQ(e.id, ~uint64_t{0} - 5);
    EXPECT_EQ(e.budget_us, 123u);
    EXPECT_EQ(e.service, "echo.EchoService");
  }
}

TEST(Rpc0Codec, RewritingKeepsDamageVisible) {
  std::string bytes = Hex(kEchoRequest);
  bytes[30] ^= 1;
  RewriteId(bytes.data(), bytes.size(), 42);
  EXPECT_EQ(ParseFrame(bytes).state, Frame::State::kBad);
}

// --- Statuses ----------------------------------------------------------------------

TEST(Rpc0Codec, EveryErrorHasALegacyCode) {
  for (int code = 1; code <= 16; ++code) {
    const WireError error =
        WireErrorOf(absl::Status(static_cast<absl::StatusCode>(code), "x"));
    EXPECT_NE(error, WireError::kNone) << code;
  }
}

TEST(Rpc0Codec, StatusOfReplyReadsStatusThenLegacyError) {
  Envelope e;
  e.type = MessageType::kResponse;
  EXPECT_EQ(StatusOfReply(e, "p").code(), absl::StatusCode::kInternal);
  e.Set(Envelope::kResponse);
  EXPECT_TRUE(StatusOfReply(e, "p").ok());
  e.error = WireError::kNoService;
  EXPECT_EQ(StatusOfReply(e, "p").code(), absl::StatusCode::kUnimplemented);
  e.status = static_cast<uint32_t>(absl::StatusCode::kDataLoss);
  e.message = "gone";
  e.Set(Envelope::kStatus);
  EXPECT_EQ(StatusOfReply(e, "p"), absl::DataLossError("gone"));
  e.status = 1'000'000;
  EXPECT_EQ(StatusOfReply(e, "p").code(), absl::StatusCode::kUnknown);
}

}  // namespace
}  // namespace skep
