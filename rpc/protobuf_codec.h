// The typed-message frame of muduo's ProtobufCodec: the frame of frame.h whose body is
//
//   name length (4 bytes, network order, counting the NUL) | type name | NUL | message
//
// Messages go one way each; nothing ties a reply to a request. Dispatch is by type name
// (dispatcher.h); TypedConnection does it for a stream.

#ifndef SKEP_RPC_PROTOBUF_CODEC_H_
#define SKEP_RPC_PROTOBUF_CODEC_H_

#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "rpc/dispatcher.h"
#include "rpc/frame.h"
#include "rpc/transport.h"

namespace skep {

// A name length, a name of one NUL and a checksum, and one byte more: what the family
// takes for the least.
inline constexpr uint32_t kMinTypedFrameSize = 10;

// A whole frame.
std::string EncodeTyped(const google::protobuf::Message& message);

struct TypedMessage {
  std::string_view type_name;  // without the NUL
  std::string_view bytes;
};
// Takes a frame's body apart. False: its name length is wrong or its name does not end.
bool ParseTyped(std::string_view body, TypedMessage* out);

// One stream of typed messages. On the stream's executor.
class TypedConnection final : public StreamHandler {
 public:
  using Handlers = Dispatcher<TypedConnection&>;

  // Both borrowed; the stream has not been started.
  TypedConnection(Stream& stream, const Handlers& handlers);

  void Send(const google::protobuf::Message& message);
  Stream& stream() { return stream_; }
  bool closed() const { return closed_; }

  // A frame that is no good, or of a type without handler: logs a line, half-closes.
  size_t OnData(std::string_view bytes) override;
  void OnClosed(const absl::Status& reason) override;

 private:
  Stream& stream_;
  const Handlers& handlers_;
  bool closed_ = false;      // the stream is gone
  bool discarding_ = false;  // after a bad frame
};

}  // namespace skep

#endif  // SKEP_RPC_PROTOBUF_CODEC_H_
