// One client's connection to the balancer. Internal; runs on its shard's executor.

#ifndef SKEP_RPC_BALANCE_BALANCER_CLIENT_H_
#define SKEP_RPC_BALANCE_BALANCER_CLIENT_H_

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "rpc/balance/balancer_shard.h"
#include "rpc/balance/whole_frame.h"
#include "rpc/transport.h"

namespace skep {

class BalancerClient final : public StreamHandler,
                             public std::enable_shared_from_this<BalancerClient> {
 public:
  // `number`: by which the shard knows it.
  BalancerClient(std::unique_ptr<Stream> stream, BalancerShard& shard, uint64_t number);

  void Start() { stream_->Start(this); }
  uint64_t number() const { return number_; }
  const std::string& peer() const { return stream_->peer(); }
  // Asks the peer to go, or closes once it has been answered.
  void Drain();

  // The shard's bookkeeping of its calls in progress.
  void CallBegins(uint32_t place, uint64_t client_id);
  void CallEnds(uint32_t place, uint64_t client_id);
  uint32_t first_call() const { return first_call_; }

  // The reply to a call that has ended: a whole frame with another id, and its parsed
  // envelope. One for which there is no room becomes an error.
  // `owned`: as WriteForwarded's.
  void Reply(std::string_view frame, const Envelope& envelope, std::string* owned,
             uint64_t id, bool extended);
  // Long enough for most that stands in the way to pass.
  static constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);
  // An error as the reply to a request; `extended`: it used skep's fields. `again`:
  // when to try again, for errors that may pass.
  void ReplyError(uint64_t id, const absl::Status& status, bool extended,
                  absl::Duration again = kRetryAfter);
  // A reply that is cut through goes straight to stream(); others wait until its end.
  // False: it has to be taken in whole.
  bool BeginPassing(uint32_t place);
  // Some of it was written. Whether that is all for now: OnDrained tells the link.
  bool Passed();
  // All of it was.
  void EndPassing();
  bool Passing(uint32_t place) const { return passing_ == place; }
  Stream& stream() { return *stream_; }
  // What is counted of what it sends and does not take.
  size_t held() const { return held_in_.bytes() + held_out_.bytes(); }
  // Whether so many bytes more may be held.
  bool HasRoom(size_t bytes) const { return shard_.HasRoom(bytes, held()); }
  // Whether so many bytes more may wait for it.
  bool HasRoomFor(size_t bytes) const;
  // Resets the connection: a part of a reply cannot be taken back.
  void Break(absl::Status reason);
  // Looks again at what could not be forwarded before.
  void Resume();
  // Every second: tells the shard's account what is held here, and gives up a peer that
  // stopped in the middle of a large frame, or that takes none of what it has to take.
  void Tick(absl::Time now);

  // --- StreamHandler ------------------------------------------------------------
  size_t OnData(std::string_view bytes) override;
  std::span<char> Room() override {
    return large_ == nullptr || !MayRead() ? std::span<char>() : large_->Room();
  }
  void OnFilled(size_t count) override;
  void OnPeerClosed() override;
  void OnDrained() override;
  void OnClosed(const absl::Status& reason) override;

 private:
  // False: it is no request that can be served, and the connection is done with.
  bool Handle(std::string_view frame, std::string_view body, std::string* owned,
              absl::Time arrived, absl::Time now);
  // The same for the large frame, once complete; it stays if it has to wait.
  void HandleLarge(absl::Time now);
  void OnControl(const Envelope& request);
  void OnHello(const Envelope& request);
  // The front of a frame that is still arriving. Collects a large one; without room
  // refuses it, and passes over its bytes. False as above.
  bool AwaitRest(std::string_view front, size_t* consumed);
  // There is no room for the rest of the frame that begins with `front`, of which `all`
  // bytes are here. False as above.
  bool Refuse(std::string_view front, size_t all);
  // When the bytes up to `end` of the current read arrived.
  absl::Time ArrivalOf(size_t end, absl::Time now) const {
    return end <= carried_ ? carried_at_ : now;
  }
  // Writes a frame, behind the reply that is passing if there is one.
  void Send(std::string frame);
  // What the client has not taken.
  size_t Unsent() const { return stream_->unsent() + behind_bytes_; }
  size_t HighWater() const {
    // Never less than what OnDrained is promised for: nothing else would resume it.
    return std::max(shard_.options().high_water_bytes, kStreamHighWater);
  }
  void Carry(size_t consumed, size_t left, absl::Time now);
  void CountHeld();
  // Whether it has taken any of what waited for it since the last time, or nothing
  // much waits.
  bool Takes();
  // What was written has made this of what was unsent: see Takes.
  void NoteQueued(size_t before) {
    queued_ += static_cast<int64_t>(stream_->unsent()) - static_cast<int64_t>(before);
  }
  void Fault(std::string_view what);
  void RefuseTls();
  bool MayRead() const;
  void UpdateReading();
  void Settle();
  // Whether it was closed: a call failed, and the client might take an error for a
  // success.
  bool ClosedByFailure(bool extended);
  void Close();

  const std::unique_ptr<Stream> stream_;
  BalancerShard& shard_;  // outlives its clients
  const uint64_t number_;
  uint32_t first_call_ = kNoPlace;
  int in_progress_ = 0;
  // By the client's ids, for Cancel: kept for skep clients only.
  absl::flat_hash_map<uint64_t, uint32_t> by_id_;
  uint64_t last_accepted_id_ = 0;
  // Unconsumed bytes at the front of what comes next, and when they came.
  size_t carried_ = 0;
  absl::Time carried_at_;
  std::unique_ptr<WholeFrame> large_;  // that is arriving, or waits for a backend
  absl::Time last_bytes_;
  absl::Time large_arrived_;
  size_t skip_ = 0;              // bytes of a refused frame that are still to come
  uint32_t passing_ = kNoPlace;  // whose reply is cut through
  std::vector<std::string> behind_;
  size_t behind_bytes_ = 0;
  HeldPart held_in_;
  HeldPart held_out_;
  bool spoken_ = false;        // anything at all
  absl::Time took_at_;         // when it last took something
  size_t unsent_then_ = 0;     // when that was looked at
  size_t in_kernel_then_ = 0;  // likewise: what the kernel had that it had not taken
  int64_t queued_ = 0;         // behind that, since then
  bool is_skep_ = false;       // it said hello
  bool scoped_ = false;        // and nothing is between it and us
  bool waiting_ = false;       // for a backend
  bool reading_ = true;
  bool draining_ = false;
  bool peer_closed_ = false;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_CLIENT_H_
