// The RPC0 frame: "RPC0", then one RpcMessage (rpc_message.proto), read as views into
// the frame and written in place, without a protobuf object for the envelope.
//
// Reading agrees with protobuf's own parser on every input: any field order, the last
// of a repeated field wins, unknown fields are skipped, a missing required field or
// unknown type fails. Writing puts `type`, `id`, `budget_us` first, in this order,
// so that what stands in between two ends can rewrite them at fixed offsets, and the
// attachment last.

#ifndef SKEP_RPC_RPC0_CODEC_H_
#define SKEP_RPC_RPC0_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace google::protobuf {
class MessageLite;
}  // namespace google::protobuf

namespace skep {

inline constexpr std::string_view kRpc0Tag = "RPC0";

// The values of muduo.net.MessageType and ErrorCode, without protobuf's headers.
enum class MessageType : uint8_t { kNone = 0, kRequest = 1, kResponse = 2, kError = 3 };
enum class WireError : uint8_t {
  kNone = 0,
  kWrongProto = 1,
  kNoService = 2,
  kNoMethod = 3,
  kInvalidRequest = 4,
  kInvalidResponse = 5,
  kTimeout = 6,
};

// Envelope::flags.
inline constexpr uint32_t kFlagIdempotent = 1;
inline constexpr uint32_t kFlagNoReply = 2;

// One RpcMessage. The views point into what was parsed.
struct Envelope {
  // Not defaulted: g++ would clear the whole by a string instruction, which costs more
  // than all of a small frame's parsing.
  Envelope() {}  // NOLINT(modernize-use-equals-default)

  // Field numbers, as in rpc_message.proto.
  enum Field {
    kType = 1,
    kId = 2,
    kService = 3,
    kMethod = 4,
    kRequest = 5,
    kResponse = 6,
    kError = 7,
    kBudget = 8,
    kFlags = 9,
    kStatus = 10,
    kMessage = 11,
    kRetryAfter = 12,
    kLoad = 13,
    kTrace = 14,
    kAttachment = 15,
  };

  MessageType type = MessageType::kNone;
  WireError error = WireError::kNone;
  uint16_t present = 0;      // bit n: field n
  bool id_repeated = false;  // the id is not the one at the frame's fixed offset
  uint32_t budget_us = 0;
  uint32_t flags = 0;
  uint32_t status = 0;
  uint32_t retry_after_us = 0;
  uint32_t load = 0;
  uint64_t id = 0;
  uint64_t trace = 0;
  std::string_view service;
  std::string_view method;
  std::string_view request;
  std::string_view response;
  std::string_view message;
  std::string_view attachment;
  // Where it is not null, the string that the attachment is: take it, do not copy it.
  std::string* owned_attachment = nullptr;

  bool Has(Field field) const { return present >> field & 1; }
  void Set(Field field) { present = static_cast<uint16_t>(present | 1u << field); }
  // Whether the sender used any of skep's own fields.
  bool HasExtension() const { return present >> kBudget != 0; }
};

// Parses a whole message. As protobuf's ParseFromArray, without the line that it logs
// for each bad message of each peer.
bool ParseMessage(std::string_view bytes, google::protobuf::MessageLite* out);

// Parses a frame's body behind its tag. False when protobuf would refuse it.
bool ParseEnvelope(std::string_view payload, Envelope* out);

// Parses the front of a payload that has `size` bytes in all: its fields up to the
// attachment, or another field of bytes, which is its last. Returns where that begins;
// 0 if there is none, or more must have come to tell, or protobuf would refuse it.
size_t ParseEnvelopeHead(std::string_view front, size_t size, Envelope* out,
                         Envelope::Field last = Envelope::kAttachment);

// The attachment as a string: taken if it is owned, else copied.
std::string TakeAttachment(const Envelope& envelope);

// A frame on its way out: `head`, then `attachment`, then the checksum. Apart, so that
// bulk bytes are not copied together.
struct OutFrame {
  std::string head;
  std::string attachment;
  uint32_t checksum = 0;

  size_t size() const { return head.size() + attachment.size() + 4; }
  // As one string, for tests and for whoever wants it whole.
  std::string ToString() const;
};

// Whether an attachment of that size stays apart from the head: smaller ones are copied
// into it, which is cheaper than a write of their own.
inline bool TravelsApart(size_t attachment) { return attachment > 4096; }

// To write a frame in place: the room that its head needs, at most, without the
// checksum. Also caches the size of `body`, which must not change until it is written.
// InvalidArgument as EncodeFrame.
absl::StatusOr<size_t> FrameRoom(const Envelope& envelope,
                                 const google::protobuf::MessageLite* body,
                                 size_t attachment);
// Writes the frame from its size to its attachment, which it includes if it does not
// travel apart; returns the end. The checksum is the caller's to add.
char* EncodeHead(const Envelope& envelope, const google::protobuf::MessageLite* body,
                 std::string_view attachment, char* to);

// Encodes `envelope`: the fields that it has, and type and id. `body`, where given, is
// serialized as its request or response (by type) in place of the view. `attachment`
// is sent if not empty. InvalidArgument when the frame would be over kMaxFrameSize.
absl::Status EncodeFrame(const Envelope& envelope,
                         const google::protobuf::MessageLite* body,
                         std::string attachment, OutFrame* out);

// Where fields are in a frame that begins as ours do: size, tag, 08 type 11 id [45
// budget].
inline constexpr size_t kTypeOffset = 9;
inline constexpr size_t kIdOffset = 11;
inline constexpr size_t kBudgetOffset = 20;

// Whether `frame` (its first 19 or more bytes) has type and id at those places.
bool HasFixedLayout(std::string_view frame);
// Whether the budget is at its place as well.
bool HasFixedBudget(std::string_view frame);
// Change a whole frame of fixed layout in place, its checksum patched, not recomputed:
// damage anywhere else in the frame stays visible to its receiver.
void RewriteId(char* frame, size_t size, uint64_t id);
void RewriteBudget(char* frame, size_t size, uint32_t budget_us);
void RewriteBudget(OutFrame* frame, uint32_t budget_us);

// Fails with what is known of an error reply; `envelope` is a RESPONSE. Ok when it is
// none. `peer` is named in the message.
absl::Status StatusOfReply(const Envelope& envelope, std::string_view peer);
// The legacy code that stands beside a status, never kNone for an error.
WireError WireErrorOf(const absl::Status& status);
// An error reply to `id`: with status and message only if `extended`.
OutFrame EncodeErrorReply(uint64_t id, WireError error, const absl::Status& status,
                          absl::Duration retry_after, bool extended);

}  // namespace skep

#endif  // SKEP_RPC_RPC0_CODEC_H_
