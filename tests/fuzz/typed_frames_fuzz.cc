#include <string>

#include "glog/logging.h"
#include "rpc/frame.h"
#include "rpc/pb_codec.h"
#include "rpc/protobuf_codec.h"
#include "rpc/services/echo.pb.h"
#include "tests/fuzz/targets.h"

namespace skep {

void FuzzTypedFrames(std::string_view bytes) {
  PbMessage pb;
  if (IsPbBody(bytes) && ParsePb(bytes, &pb)) {
    CHECK(pb.has_type() && pb.has_id());
  }
  const std::string tagged = std::string(kPbTag) + std::string(bytes);
  if (ParsePb(tagged, &pb)) CHECK(pb.IsInitialized());

  TypedMessage typed;
  if (ParseTyped(bytes, &typed)) {
    // The parts are the whole: a length, a name and its NUL, the message.
    CHECK_EQ(4 + typed.type_name.size() + 1 + typed.bytes.size(), bytes.size());
    CHECK(bytes.substr(4).starts_with(typed.type_name));
  }
  const Frame frame = ParseFrame(bytes, kMinTypedFrameSize);
  if (frame.state == Frame::State::kReady) CHECK_LE(frame.length, bytes.size());

  echo::EchoRequest message;
  message.set_payload(std::string(bytes));
  const std::string whole = EncodeTyped(message);
  const Frame ours = ParseFrame(whole, kMinTypedFrameSize);
  CHECK(ours.state == Frame::State::kReady);
  CHECK(ParseTyped(ours.body, &typed));
  CHECK(typed.type_name == "echo.EchoRequest");
}

}  // namespace skep
