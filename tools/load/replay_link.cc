#include "tools/load/replay_link.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "rpc/frame.h"
#include "rpc/rpc0_codec.h"

namespace skep {
namespace {

// A request's id is generation << 32 | slot, so that an answer which comes after its
// request was given up reaches no other.
class ReplayLink final : public Link, StreamHandler {
 public:
  ReplayLink(Transport& transport, const LinkOptions& options,
             std::vector<std::string_view> bodies, LinkEvents& events)
      : options_(options),
        bodies_(std::move(bodies)),
        events_(events),
        executor_(transport.executor()) {
    transport.Connect(options.target, options.timeout,
                      [this, alive = std::weak_ptr<bool>(alive_)](
                          absl::StatusOr<std::unique_ptr<Stream>> stream) mutable {
                        if (alive.lock()) OnConnected(std::move(stream));
                      });
    ArmExpiry();
  }
  ~ReplayLink() override { executor_.Cancel(expiry_); }

  void Send(uint32_t slot) override {
    if (slot >= requests_.size()) requests_.resize(slot + 1);
    Request& request = requests_[slot];
    request.outstanding = true;
    request.deadline = executor_.clock().Now() + options_.timeout;
    ++request.generation;
    const std::string_view body = bodies_[next_++ % bodies_.size()];
    absl::StatusCode outcome = absl::StatusCode::kUnavailable;
    if (stream_ != nullptr) {
      const uint64_t id = uint64_t{request.generation} << 32 | slot;
      bool wants_reply = true;
      const absl::Status status = WriteRequest(body, id, &wants_reply);
      if (status.ok() && wants_reply) return;
      outcome = status.code();
    }
    executor_.Post([this, slot, outcome, alive = std::weak_ptr<bool>(alive_)] {
      if (alive.lock()) Finish(slot, outcome);
    });
  }

  void Close() override { Break(Cancelled("the load has ended")); }

 private:
  struct Request {
    bool outstanding = false;
    uint32_t generation = 0;
    absl::Time deadline;
  };

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
      stream_->Write(frame_);
      return absl::OkStatus();
    }
    // Its fields stand in another order: written anew, in ours.
    envelope.id = id;
    OutFrame out;
    SKEP_RETURN_IF_ERROR(
        EncodeFrame(envelope, nullptr, std::string(envelope.attachment), &out));
    stream_->Write(out.ToString());
    return absl::OkStatus();
  }

  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream) {
    if (!stream.ok()) return Break(stream.status());
    stream_ = std::move(*stream);
    stream_->Start(this);
    events_.OnReady();
  }

  size_t OnData(std::string_view bytes) override {
    size_t used = 0;
    while (stream_ != nullptr) {
      const Frame frame = ParseFrame(bytes.substr(used));
      if (frame.state == Frame::State::kNeedMore) break;
      if (frame.state == Frame::State::kBad || !OnFrame(frame.body)) {
        Break(DataLoss(options_.target.ToString(), " sent a bad frame: ", frame.fault));
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
    if (slot < requests_.size() &&
        requests_[slot].generation == static_cast<uint32_t>(reply.id >> 32)) {
      Finish(slot, reply.error == WireError::kNone ? absl::StatusCode::kOk
                                                   : StatusOfReply(reply, "").code());
    }
    return true;
  }

  void Finish(uint32_t slot, absl::StatusCode outcome) {
    if (!std::exchange(requests_[slot].outstanding, false)) return;
    events_.OnReply(slot, outcome);
  }

  void OnClosed(const absl::Status& reason) override {
    Break(reason.ok()
              ? Unavailable(options_.target.ToString(), " closed the connection")
              : reason);
  }

  void Break(const absl::Status& reason) {
    if (broken_) return;
    broken_ = true;
    if (stream_ != nullptr) stream_->Abort(reason);
    // The stream itself goes with this object: we may be inside one of its events.
    dead_ = std::move(stream_);
    events_.OnBroken(reason);
    for (uint32_t slot = 0; slot < requests_.size(); ++slot) {
      Finish(slot, absl::StatusCode::kUnavailable);
    }
  }

  // Looks now and then for requests whose deadline has passed, as the text link does.
  void ArmExpiry() {
    expiry_ = executor_.PostAfter(options_.timeout / 8, [this] {
      const absl::Time now = executor_.clock().Now();
      for (uint32_t slot = 0; slot < requests_.size(); ++slot) {
        if (requests_[slot].outstanding && requests_[slot].deadline <= now) {
          Finish(slot, absl::StatusCode::kDeadlineExceeded);
        }
      }
      ArmExpiry();
    });
  }

  const LinkOptions options_;
  const std::vector<std::string_view> bodies_;
  LinkEvents& events_;
  Executor& executor_;
  size_t next_ = 0;
  std::vector<Request> requests_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Stream> dead_;
  bool broken_ = false;
  TimerId expiry_;
  std::string frame_;
  // Of closures that may come after this object has gone.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Link> MakeReplayLink(Transport& transport, const LinkOptions& options,
                                     std::vector<std::string_view> bodies,
                                     LinkEvents& events) {
  return std::make_unique<ReplayLink>(transport, options, std::move(bodies), events);
}

}  // namespace skep
