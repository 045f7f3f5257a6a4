#include "tools/load/replay_link.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"
#include "tools/load/stream_link.h"

namespace skep {
namespace {

// A request's id is generation << 32 | slot.
class ReplayLink final : public StreamLink {
 public:
  ReplayLink(Transport& transport, const LinkOptions& options,
             std::vector<std::string_view> bodies, LinkEvents& events)
      : StreamLink(transport, options, events), bodies_(std::move(bodies)) {}

  void Send(uint32_t slot) override {
    const Request& request = Begin(slot);
    const std::string_view body = bodies_[next_++ % bodies_.size()];
    absl::StatusCode outcome = absl::StatusCode::kUnavailable;
    if (stream() != nullptr) {
      const uint64_t id = uint64_t{request.generation} << 32 | slot;
      bool wants_reply = true;
      const absl::Status status = WriteRequest(body, id, &wants_reply);
      if (status.ok() && wants_reply) return;
      outcome = status.code();
    }
    FinishSoon(slot, outcome);
  }

 private:
  absl::Status WriteRequest(std::string_view body, uint64_t id, bool* wants_reply) {
    Envelope envelope;
    if (!body.starts_with(kRpc0Tag) ||
        !ParseEnvelope(body.substr(kRpc0Tag.size()), &envelope)) {
      return InvalidArgument("a captured request is none");
    }
    *wants_reply = (envelope.flags & kFlagNoReply) == 0;
    frame_.assign(kFrameSizeBytes, '\0');
    frame_ += body;
    SealFrame(&frame_);
    if (HasFixedLayout(frame_) && !envelope.id_repeated) {
      RewriteId(frame_.data(), frame_.size(), id);
      stream()->Write(frame_);
      return absl::OkStatus();
    }
    // Its fields stand in another order: written anew, in ours.
    envelope.id = id;
    OutFrame out;
    SKEP_RETURN_IF_ERROR(
        EncodeFrame(envelope, nullptr, std::string(envelope.attachment), &out));
    stream()->Write(out.ToString());
    return absl::OkStatus();
  }

  size_t OnData(std::string_view bytes) override {
    size_t used = 0;
    while (stream() != nullptr) {
      const Frame frame = ParseFrame(bytes.substr(used));
      if (frame.state == Frame::State::kNeedMore) break;
      if (frame.state == Frame::State::kBad || !OnFrame(frame.body)) {
        Break(
            DataLoss(options().target.ToString(), " sent a bad frame: ", frame.fault));
        break;
      }
      used += frame.length;
    }
    return used;
  }

  bool OnFrame(std::string_view body) {
    Envelope reply;
    if (!body.starts_with(kRpc0Tag) ||
        !ParseEnvelope(body.substr(kRpc0Tag.size()), &reply)) {
      return false;
    }
    if (reply.type != MessageType::kResponse) return true;
    const auto slot = static_cast<uint32_t>(reply.id);
    if (slot < requests().size() &&
        requests()[slot].generation == static_cast<uint32_t>(reply.id >> 32)) {
      Finish(slot, reply.error == WireError::kNone ? absl::StatusCode::kOk
                                                   : StatusOfReply(reply, "").code());
    }
    return true;
  }

  const std::vector<std::string_view> bodies_;
  size_t next_ = 0;
  std::string frame_;
};

}  // namespace

std::unique_ptr<Link> MakeReplayLink(Transport& transport, const LinkOptions& options,
                                     std::vector<std::string_view> bodies,
                                     LinkEvents& events) {
  return std::make_unique<ReplayLink>(transport, options, std::move(bodies), events);
}

}  // namespace skep
