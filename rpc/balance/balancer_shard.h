// The part of the balancer that lives on one loop: its clients, its connection to each
// backend, and the calls between them. Internal to balancer.cc; everything here runs on
// the shard's executor.
//
// A call is in the slab from the moment that it is taken until its backend has answered
// or is known not to. Its client may go, cancel it, or be told that its time is up
// before: then the backend is told to cancel it, and until its answer comes the call
// still counts as one of the backend's, for at most kOwedHold.

#ifndef SKEP_RPC_BALANCE_BALANCER_SHARD_H_
#define SKEP_RPC_BALANCE_BALANCER_SHARD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "rpc/balance/balancer_shared.h"
#include "rpc/balance/call_slab.h"
#include "rpc/rpc0_codec.h"

namespace skep {

class BalancerShard : public std::enable_shared_from_this<BalancerShard> {
 public:
  BalancerShard(Transport& transport, Executor& executor,
                std::shared_ptr<BalancerShared> shared, uint64_t seed);
  ~BalancerShard();

  // Connects to the backends. `leader` is the one that compares their latencies.
  void Start(bool leader);
  // Serves a new client.
  void Accept(std::unique_ptr<Stream> stream);
  // Goes by the shared set of backends.
  void UpdateBackends();
  // No new clients; those that are there are asked to go.
  void Drain();
  // Closes everything.
  void Stop();

  // --- For clients and links ----------------------------------------------------
  enum class Outcome {
    kTaken,  // forwarded, queued, or answered with an error
    kWait,   // there is no backend for it just now: Resume follows
  };
  // A whole, checked request frame that arrived then. `owned`: as WriteForwarded's; it
  // is left alone for kWait.
  Outcome Forward(BalancerClient& client, std::string_view frame,
                  const Envelope& envelope, std::string* owned, absl::Time arrived,
                  absl::Time now);
  // The end of a read: what it made takes effect.
  void AfterRead() { ArmTimer(); }
  // Whether so many bytes more may be held for one who holds `mine` already.
  bool HasRoom(size_t bytes, size_t mine) const;
  // The client no longer wants the answer. Cancel answers it all the same, as the
  // protocol has it.
  void Cancel(BalancerClient& client, uint32_t place);
  void AbandonAll(BalancerClient& client);
  void ClientClosed(BalancerClient& client);

  // The backend's answer, or its death, which is none, has come: frees the place.
  struct Ended {
    BalancerClient* client = nullptr;  // null: nobody waits
    uint64_t client_id = 0;
    bool extended = false;
    bool passing = false;  // it has a part of the reply
  };
  Ended End(uint32_t place, absl::StatusCode code, absl::Time now,
            bool answered = true);
  // Ends all that is outstanding on a link.
  void FailAll(BackendLink& link, const absl::Status& reason);
  void LinkChanged();
  // What clients are told of a backend: who it is, and `more`, if they may know.
  std::string Blamed(const SharedBackend& backend, std::string_view what,
                     std::string_view more = "") const;
  // A place may have become free: sends what is queued.
  void Pump(absl::Time now);
  // Whether calls are kept here until a backend has room for them.
  bool CallsWait() const { return !queue_.empty() || !waiting_.empty(); }

  // A call that no backend was given has ended.
  void CountOwn(absl::StatusCode code, absl::Duration took) {
    shared_->own.Begin();
    shared_->own.End(code, took);
  }

  CallSlab& calls() { return calls_; }
  Transport& transport() { return transport_; }
  Executor& executor() { return executor_; }
  const BalancerOptions& options() const { return shared_->options; }
  BalancerShared& shared() { return *shared_; }
  Random& random() { return pick_.random; }
  absl::Time Now() const { return executor_.clock().Now(); }

 private:
  static constexpr absl::Duration kTick = absl::Seconds(1);

  // `windowed`: for a call that can wait for room in a backend's window.
  BackendLink* PickLink(bool windowed, absl::Time now);
  // Why there is none, or nothing if it is worth waiting for one.
  absl::Status WhyNone(absl::Duration waited) const;
  Outcome Enqueue(BalancerClient& client, std::string_view frame,
                  const Envelope& envelope, std::string* owned, absl::Time arrived,
                  absl::Time now);
  uint32_t AddCall(BalancerClient& client, const Envelope& envelope, absl::Time arrived,
                   absl::Time deadline);
  // A call whose client still waits for it ends so: for the statistics. `answered`: by
  // its backend.
  void Count(BalancerCall& call, absl::StatusCode code, bool answered, absl::Time now);
  // How long an error counts as a call.
  absl::Duration ErrorHold() const;
  // When to come again. Where all is full, when what is here will have ended, at the
  // rate of late.
  absl::Duration RetryAfter(const absl::Status& refusal) const;
  // Takes the call from its client, if it has one; it is in its list no more.
  BalancerClient* Detach(uint32_t place);
  void Abandon(uint32_t place, absl::StatusCode code, absl::Time now);
  void Unqueue(uint32_t place);
  void Expire(uint32_t place, absl::Time now);
  void ArmTimer();
  void OnTimer();
  void Tick();
  void DropIdleLeaving();

  Transport& transport_;
  Executor& executor_;
  const std::shared_ptr<BalancerShared> shared_;
  PickState pick_;
  CallSlab calls_;
  std::vector<std::shared_ptr<BackendLink>> links_;
  std::vector<std::shared_ptr<BackendLink>> leaving_;  // no longer among the backends
  // By number, in the order of their coming, so that a simulated run replays.
  std::map<uint64_t, std::shared_ptr<BalancerClient>> clients_;
  std::map<uint64_t, BalancerClient*> waiting_;  // for Resume
  uint64_t last_client_ = 0;
  std::vector<Candidate> candidates_;  // Pick's input, kept for its memory
  DeadlineHeap queue_;                 // late mode: places that have no link
  size_t queued_ = 0;
  HeldPart queued_bytes_;
  size_t queued_size_ = 0;
  MethodLookup methods_;
  double mean_nanoseconds_ = 0;  // that a backend takes for a call, lately
  uint64_t ended_ = 0;           // calls, since the last tick
  double ended_per_tick_ = 0;    // lately
  TimerId timer_;
  absl::Time timer_at_ = absl::InfiniteFuture();
  TimerId tick_timer_;
  bool leader_ = false;
  bool draining_ = false;
  bool stopped_ = false;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCER_SHARD_H_
