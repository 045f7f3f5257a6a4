#include "tests/fuzz/hostile_peer.h"

#include "rpc/frame.h"
#include "rpc/pb_codec.h"
#include "rpc/rpc0_codec.h"

namespace skep {
namespace {

constexpr std::string_view kServices[] = {"echo.EchoService", "skep.Control",
                                          "muduo.net.RpcService", "", "x.Y"};
constexpr std::string_view kMethods[] = {"Echo", "Hello",   "Cancel",     "GoAway",
                                         "Ping", "listRpc", "getService", ""};

std::string Sealed(std::string_view tag, std::string_view payload) {
  std::string frame(4, '\0');
  frame += tag;
  frame += payload;
  SealFrame(&frame);
  return frame;
}

// Fields that are there by a bit each.
std::string EnvelopeFrame(FuzzInput& input) {
  Envelope e;
  e.type = static_cast<MessageType>(1 + input.Byte() % 3);
  const uint16_t fields = input.Short();
  // Small ids meet those that a table of calls gives out: generation 1, slot 0.
  e.id = (fields & 1) != 0 ? input.Long() : uint64_t{1} << 32 | input.Byte();
  const auto has = [&](Envelope::Field field, int bit) {
    if ((fields >> bit & 1) != 0) e.Set(field);
    return (fields >> bit & 1) != 0;
  };
  if (has(Envelope::kService, 1)) {
    e.service = kServices[input.Byte() % std::size(kServices)];
  }
  if (has(Envelope::kMethod, 2)) {
    e.method = kMethods[input.Byte() % std::size(kMethods)];
  }
  if (has(Envelope::kRequest, 3)) e.request = input.Block();
  if (has(Envelope::kResponse, 4)) e.response = input.Block();
  if (has(Envelope::kError, 5)) e.error = static_cast<WireError>(input.Byte() % 7);
  if (has(Envelope::kBudget, 6)) e.budget_us = static_cast<uint32_t>(input.Long());
  if (has(Envelope::kFlags, 7)) e.flags = input.Byte();
  if (has(Envelope::kStatus, 8)) e.status = input.Byte();
  if (has(Envelope::kMessage, 9)) e.message = input.Block();
  if (has(Envelope::kTrace, 10)) e.trace = input.Long();
  std::string attachment;
  if ((fields >> 11 & 1) != 0) attachment = input.Block();
  OutFrame out;
  if (!EncodeFrame(e, nullptr, std::move(attachment), &out).ok()) return "";
  return out.ToString();
}

}  // namespace

std::string HostileFrame(FuzzInput& input) {
  switch (input.Byte() % 4) {
    case 0:
      return Sealed(kRpc0Tag, input.Block());
    case 1:
      return Sealed(kPbTag, input.Block());
    case 2:
      return Sealed("", input.Block());
    default:
      return EnvelopeFrame(input);
  }
}

void HostilePeer::Take(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  stream_->Start(this);
}

void HostilePeer::Act(FuzzInput& input) {
  const uint8_t what = input.Byte();
  if (stream_ == nullptr) return;
  switch (what % 8) {
    case 0:
      stream_->Write(input.Block());
      break;
    case 1:
      executor_.RunFor(absl::Microseconds(input.Short()));
      break;
    case 2:
      executor_.RunFor(absl::Milliseconds(input.Byte() * 10));
      break;
    case 3:
      if (what >= 128) stream_->CloseWhenDrained();
      break;
    case 4:
      if (what >= 200) stream_->Abort(absl::UnavailableError("as the fuzzer wants"));
      break;
    default:
      stream_->Write(HostileFrame(input));
  }
}

}  // namespace skep
