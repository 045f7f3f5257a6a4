#include "rpc/protobuf_codec.h"

#include "base/coding.h"
#include "glog/logging.h"

namespace skep {
namespace {

constexpr size_t kNameLengthBytes = 4;

}  // namespace

std::string EncodeTyped(const google::protobuf::Message& message) {
  const std::string name = message.GetTypeName();
  std::string frame(kFrameSizeBytes + kNameLengthBytes, '\0');
  StoreBig32(static_cast<uint32_t>(name.size() + 1), &frame[kFrameSizeBytes]);
  frame.append(name).push_back('\0');
  message.AppendToString(&frame);
  SealFrame(&frame);
  return frame;
}

bool ParseTyped(std::string_view body, TypedMessage* out) {
  if (body.size() < kNameLengthBytes) return false;
  const uint32_t length = LoadBig32(body.data());
  body.remove_prefix(kNameLengthBytes);
  // At least one character and its NUL.
  if (length < 2 || length > body.size() || body[length - 1] != '\0') return false;
  out->type_name = body.substr(0, length - 1);
  out->bytes = body.substr(length);
  return true;
}

TypedConnection::TypedConnection(Stream& stream, const Handlers& handlers)
    : stream_(stream), handlers_(handlers) {
  stream_.Start(this);
}

void TypedConnection::Send(const google::protobuf::Message& message) {
  if (!closed_) stream_.Write(EncodeTyped(message));
}

size_t TypedConnection::OnData(std::string_view bytes) {
  size_t used = 0;
  while (!discarding_) {
    const Frame frame = ParseFrame(bytes.substr(used), kMinTypedFrameSize);
    if (frame.state == Frame::State::kNeedMore) return used;
    absl::Status status;
    TypedMessage message;
    if (frame.state == Frame::State::kBad) {
      status = InvalidArgument(frame.fault);
    } else if (!ParseTyped(frame.body, &message)) {
      status = InvalidArgument("the length of the type's name is out of range");
    } else {
      status = handlers_.Dispatch(message.type_name, message.bytes, *this);
    }
    if (!status.ok()) {
      LOG(WARNING) << "bad_frame peer=" << stream_.peer() << " fault=" << status;
      discarding_ = true;
      stream_.CloseWhenDrained();
      break;
    }
    used += frame.length;
  }
  return bytes.size();
}

void TypedConnection::OnClosed(const absl::Status& /*reason*/) { closed_ = true; }

}  // namespace skep
