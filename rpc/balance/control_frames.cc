#include "rpc/balance/control_frames.h"

#include "glog/logging.h"
#include "rpc/control.pb.h"

namespace skep {
namespace {

constexpr uint32_t kProtocolVersion = 1;

std::string Encode(const Envelope& envelope,
                   const google::protobuf::MessageLite* body) {
  OutFrame frame;
  const absl::Status encoded = EncodeFrame(envelope, body, "", &frame);
  CHECK(encoded.ok()) << encoded;
  return frame.ToString();
}

Envelope RequestOf(uint64_t id, std::string_view service, std::string_view method) {
  Envelope envelope;
  envelope.type = MessageType::kRequest;
  envelope.id = id;
  envelope.service = service;
  envelope.Set(Envelope::kService);
  envelope.method = method;
  envelope.Set(Envelope::kMethod);
  return envelope;
}

// Fire and forget: an id that no reply can match.
Envelope NoticeOf(std::string_view method) {
  Envelope envelope = RequestOf(0, kControlService, method);
  envelope.flags = kFlagNoReply;
  envelope.Set(Envelope::kFlags);
  return envelope;
}

ControlHello HelloOf(uint64_t id, const std::string& fleet) {
  ControlHello hello;
  hello.set_id(id);
  hello.set_version(kProtocolVersion);
  if (!fleet.empty()) hello.set_fleet(fleet);
  return hello;
}

}  // namespace

std::optional<Hello> ParseHello(std::string_view message) {
  ControlHello parsed;
  if (!ParseMessage(message, &parsed)) return std::nullopt;
  Hello hello{.id = parsed.id()};
  if (parsed.has_fleet()) hello.fleet = parsed.fleet();
  return hello;
}

std::string HelloFrame(uint64_t id, const std::string& fleet) {
  const ControlHello hello = HelloOf(id, fleet);
  return Encode(RequestOf(id, kControlService, "Hello"), &hello);
}

std::string HelloReplyFrame(uint64_t id, const std::string& fleet) {
  const ControlHello hello = HelloOf(id, fleet);
  Envelope envelope;
  envelope.type = MessageType::kResponse;
  envelope.id = id;
  return Encode(envelope, &hello);
}

std::optional<uint64_t> ParseCancel(std::string_view message) {
  ControlCancel cancel;
  if (!ParseMessage(message, &cancel)) return std::nullopt;
  return cancel.id();
}

std::string CancelFrame(uint64_t id) {
  ControlCancel cancel;
  cancel.set_id(id);
  return Encode(NoticeOf("Cancel"), &cancel);
}

std::string GoAwayFrame(uint64_t last_accepted_id) {
  ControlGoAway go_away;
  go_away.set_last_accepted_id(last_accepted_id);
  return Encode(NoticeOf("GoAway"), &go_away);
}

std::string EmptyRequestFrame(uint64_t id, std::string_view service,
                              std::string_view method) {
  Envelope envelope = RequestOf(id, service, method);
  envelope.request = "";
  envelope.Set(Envelope::kRequest);
  return Encode(envelope, nullptr);
}

}  // namespace skep
