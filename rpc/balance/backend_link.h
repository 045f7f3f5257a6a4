// One shard's connection to one backend. Internal; runs on its shard's executor.

#ifndef SKEP_RPC_BALANCE_BACKEND_LINK_H_
#define SKEP_RPC_BALANCE_BACKEND_LINK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/log_filter.h"
#include "rpc/balance/balancer_shard.h"
#include "rpc/balance/reply_cut.h"
#include "rpc/balance/slow_start.h"
#include "rpc/balance/whole_frame.h"
#include "rpc/transport.h"

namespace skep {

class BackendLink final : public StreamHandler,
                          public std::enable_shared_from_this<BackendLink> {
 public:
  BackendLink(BalancerShard& shard, std::shared_ptr<SharedBackend> backend);

  void Connect();
  // Closes for good; the calls outstanding are answered.
  void Stop();

  bool connected() const { return stream_ != nullptr && !closed_; }
  // Why it is not connected, or was not the last time: Ok while it serves.
  const absl::Status& trouble() const { return trouble_; }
  // Whether the first attempt to connect has not ended yet.
  bool starting() const { return starting_; }
  bool FullOfBytes() const {
    return connected() && stream_->unsent() >= shard_.options().high_water_bytes;
  }
  // Whether it may get a call.
  bool Usable() const;
  // Whether a call that can wait for room in the window has it; `held_too`: held errors
  // take places.
  bool HasWindow(bool held_too, absl::Time now) const;
  // What the policy compares: calls of all shards and held errors, against its weight,
  // of which it has a part while it is new.
  int64_t Load(absl::Time now) {
    return backend_->pending.load(std::memory_order_relaxed) +
           backend_->held_errors.Count(now);
  }
  double Weight(absl::Time now) const {
    const absl::Duration window = shard_.options().slow_start;
    const absl::Time up_since =
        window > absl::ZeroDuration() ? backend_->up_since.Get() : now;
    return WeightNow(backend_->weight.load(std::memory_order_relaxed), now - up_since,
                     window);
  }
  SharedBackend& backend() const { return *backend_; }
  // Calls that it has and has not answered.
  int outstanding() const { return outstanding_; }

  // Sends the call's request, and its budget if given, under the call's id; it is this
  // link's then. Requires Usable(). InvalidArgument: it does not fit into a frame in
  // our order of fields, and is nobody's.
  absl::Status Send(uint32_t place, std::string_view frame, const Envelope& envelope,
                    std::optional<uint32_t> budget_us, std::string* owned);
  // The same for a call that wants no reply: nothing of it stays.
  void SendOneWay(std::string_view frame, const Envelope& envelope,
                  std::optional<uint32_t> budget_us);
  // Asks a skep backend to stop working on a call.
  void SendCancel(uint64_t id);
  // A call of this link has ended.
  void Released();
  // The client of the reply that is passing takes more of it, or is gone.
  void PassOn();
  // Every second.
  void Tick(absl::Time now);
  // Tells the shard's account what is held here.
  void CountHeld() {
    held_.Set(!connected()        ? 0
              : large_ == nullptr ? stream_->unsent()
                                  : stream_->unsent() + large_->filled());
  }

  // --- StreamHandler ------------------------------------------------------------
  size_t OnData(std::string_view bytes) override;
  std::span<char> Room() override {
    return large_ == nullptr ? std::span<char>() : large_->Room();
  }
  void OnFilled(size_t count) override;
  void OnPeerClosed() override;
  void OnDrained() override;
  void OnClosed(const absl::Status& reason) override;

 private:
  void OnConnected(absl::StatusOr<std::unique_ptr<Stream>> stream);
  void ReconnectLater();
  bool HandleFrame(std::string_view frame, std::string_view body, std::string* owned,
                   absl::Time now);
  void OnReply(std::string_view frame, const Envelope& envelope, std::string* owned,
               absl::Time now);
  // The large frame is complete. False: the connection is done with.
  bool HandleLarge(absl::Time now);
  bool BadFrame(std::string_view fault);

  // A reply that is cut through (backend_link_passing.cc). No other frame of this
  // connection is read until all of it has come.
  struct Passing {
    ReplyCut cut;
    uint64_t call = 0;      // its id here
    absl::Time heard;       // when enough bytes of it had come
    size_t lately = 0;      // bytes since then
    bool paused = false;    // not read on, since its client takes it slowly
    bool unpaused = false;  // and never again, since others waited
    absl::Time paused_at;
    absl::Time moved;    // paused: when its client took some
    size_t untaken = 0;  // paused: what its client had not taken
  };
  ReplyCut::Verdict BeginPassing(std::string_view front, absl::Time now);
  // Null: nobody waits for it any more.
  BalancerClient* PassingClient() const;
  size_t Pass(std::string_view in, absl::Time now);
  void Pause(BalancerClient& client, absl::Time now);
  void LookAfterPause();
  void OnPaused();
  void StopPassing();

  void Heard(bool frames, absl::Time now);
  void OnHelloReply(const Envelope& reply);
  void OnGoAway();
  // Asks whether the backend answers, and judges whether it did since the last time.
  void Check();
  bool CheckFailed() const;

  BalancerShard& shard_;  // outlives its links' connections: see Stop
  const std::shared_ptr<SharedBackend> backend_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<WholeFrame> large_;  // that is arriving
  std::optional<Passing> passing_;
  TimerId pause_timer_;
  int outstanding_ = 0;
  bool starting_ = true;
  bool closed_ = false;
  bool stopped_ = false;
  bool spoken_ = false;      // it has said anything on this connection
  bool served_ = false;      // ... in whole frames
  bool scoped_ = false;      // a skep peer, and nothing in between
  bool going_away_ = false;  // it wants no new calls
  absl::Status trouble_;
  LogFilter down_;  // of connections that served nothing
  TimerId retry_timer_;
  absl::Duration backoff_;
  HeldPart held_;
  HeldPart promised_;  // what a reply that is not held back any more will still bring

  TimerId check_timer_;
  uint32_t checks_ = 0;      // sent on this connection
  bool check_open_ = false;  // the last one is not answered
  bool check_bad_ = false;   // it was answered with an error of the backend's own
  bool answers_checks_ = false;
  bool owed_at_check_ = false;  // calls were outstanding when it was sent
  bool heard_ = false;          // anything since then
  bool pardoned_ = false;       // we did not listen all the time
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BACKEND_LINK_H_
