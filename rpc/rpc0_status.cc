// How failures travel: muduo's codes for everybody, status and message for skep's
// peers.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/status.h"
#include "glog/logging.h"
#include "rpc/rpc0_codec.h"

namespace skep {

absl::Status StatusOfReply(const Envelope& e, std::string_view peer) {
  if (e.Has(Envelope::kStatus) && e.status != 0) {
    const bool known =
        e.status <= static_cast<uint32_t>(absl::StatusCode::kUnauthenticated);
    return MakeStatus(
        known ? static_cast<absl::StatusCode>(e.status) : absl::StatusCode::kUnknown,
        e.message);
  }
  switch (e.error) {
    case WireError::kNone:
      break;
    case WireError::kWrongProto:
      return Internal(peer, " answered WRONG_PROTO: it does not understand our frame");
    case WireError::kNoService:
      return Unimplemented(peer,
                           " answered NO_SERVICE: it does not serve that service");
    case WireError::kNoMethod:
      return Unimplemented(peer, " answered NO_METHOD: the service has no such method");
    case WireError::kInvalidRequest:
      return InvalidArgument(peer,
                             " answered INVALID_REQUEST: it cannot read the request");
    case WireError::kInvalidResponse:
      return Internal(peer, " answered INVALID_RESPONSE: it failed to make a response");
    case WireError::kTimeout:
      return DeadlineExceeded(peer, " answered TIMEOUT");
  }
  if (!e.Has(Envelope::kResponse)) {
    return Internal(peer, " sent a reply with neither response nor error");
  }
  return absl::OkStatus();
}

WireError WireErrorOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return WireError::kInvalidRequest;
    case absl::StatusCode::kUnimplemented:
      return WireError::kNoMethod;
    // Worth another try, to somebody who knows only these codes.
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kCancelled:
      return WireError::kTimeout;
    default:
      return WireError::kInvalidResponse;
  }
}

OutFrame EncodeErrorReply(uint64_t id, WireError error, const absl::Status& status,
                          absl::Duration retry_after, bool extended) {
  Envelope reply;
  reply.type = MessageType::kResponse;
  reply.id = id;
  reply.error = error;
  reply.Set(Envelope::kError);
  // A message is for people: a page of it is enough, and it always fits a frame.
  const std::string_view message = Message(status).substr(0, 16 << 10);
  if (extended) {
    reply.status = static_cast<uint32_t>(status.code());
    reply.Set(Envelope::kStatus);
    reply.message = message;
    reply.Set(Envelope::kMessage);
    if (retry_after > absl::ZeroDuration()) {
      reply.retry_after_us = static_cast<uint32_t>(
          std::clamp<int64_t>(absl::ToInt64Microseconds(retry_after), 0,
                              std::numeric_limits<uint32_t>::max()));
      reply.Set(Envelope::kRetryAfter);
    }
  }
  OutFrame frame;
  const absl::Status encoded = EncodeFrame(reply, nullptr, "", &frame);
  CHECK(encoded.ok()) << encoded;
  return frame;
}

}  // namespace skep
