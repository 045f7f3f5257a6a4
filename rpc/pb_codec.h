// The typed-message frame of the seed: the tag "PB" and one PbMessage, on the same port
// as RPC0. The message type of the request says what is asked.

#ifndef SKEP_RPC_PB_CODEC_H_
#define SKEP_RPC_PB_CODEC_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "rpc/pb_message.pb.h"
#include "rpc/rpc0_codec.h"

namespace skep {

inline constexpr std::string_view kPbTag = "PB";

// Whether a frame's body is one of these.
inline bool IsPbBody(std::string_view body) { return body.starts_with(kPbTag); }

// Parses a frame's body, tag included. False when it is not a whole PbMessage.
bool ParsePb(std::string_view body, PbMessage* out);

// Whole frames, ready to be sent.
std::string EncodePbRequest(uint64_t id, const google::protobuf::Message& request);
std::string EncodePbReply(uint64_t id, const google::protobuf::Message& response);
std::string EncodePbError(uint64_t id, WireError error);

}  // namespace skep

#endif  // SKEP_RPC_PB_CODEC_H_
