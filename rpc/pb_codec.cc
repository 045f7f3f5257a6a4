#include "rpc/pb_codec.h"

#include "rpc/frame.h"

namespace skep {
namespace {

std::string Encode(const PbMessage& message) {
  std::string frame(kFrameSizeBytes, '\0');
  frame.append(kPbTag);
  message.AppendToString(&frame);
  SealFrame(&frame);
  return frame;
}

}  // namespace

bool ParsePb(std::string_view body, PbMessage* out) {
  if (!IsPbBody(body)) return false;
  body.remove_prefix(kPbTag.size());
  return ParseMessage(body, out);
}

std::string EncodePbRequest(uint64_t id, const google::protobuf::Message& request) {
  PbMessage message;
  message.set_type(muduo::net::REQUEST);
  message.set_id(id);
  message.set_typename_(request.GetTypeName());
  request.SerializeToString(message.mutable_request());
  return Encode(message);
}

std::string EncodePbReply(uint64_t id, const google::protobuf::Message& response) {
  PbMessage message;
  message.set_type(muduo::net::RESPONSE);
  message.set_id(id);
  message.set_typename_(response.GetTypeName());
  response.SerializeToString(message.mutable_response());
  return Encode(message);
}

std::string EncodePbError(uint64_t id, WireError error) {
  PbMessage message;
  message.set_type(muduo::net::RESPONSE);
  message.set_id(id);
  message.set_error(static_cast<muduo::net::ErrorCode>(error));
  return Encode(message);
}

}  // namespace skep
