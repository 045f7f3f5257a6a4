// The inside of BalancedChannel: its calls, each with its attempts on backends.
//
// One mutex guards everything; no backend's channel and no completion is called under
// it. A call is in `calls` until it completes: taking it out is what makes its
// completion its own. Attempts that are still under way by then are cancelled, and what
// they bring goes nowhere.

#ifndef SKEP_RPC_BALANCE_BALANCED_STATE_H_
#define SKEP_RPC_BALANCE_BALANCED_STATE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "base/random.h"
#include "rpc/balance/balanced_channel.h"
#include "rpc/balance/phantom_pending.h"

namespace skep {

struct BalancedChannel::State : std::enable_shared_from_this<State> {
  using Message = google::protobuf::Message;
  using Method = google::protobuf::MethodDescriptor;

  State(Transport& transport, BalancedOptions options);

  struct Backend {
    // Of it alone, and never used again: its place in `backends` may be another's once
    // it has left and all its calls have ended.
    uint64_t serial = 0;
    Address address;
    std::shared_ptr<Channel> channel;  // null: the place is free, or not yet connecting
    bool connected = false;
    bool draining = false;
    bool leaving = false;  // no longer wanted; what it has is finished
    double weight = 1;
    // Its last answer that was good, and the last silence that spoke against it.
    absl::Time answered = absl::InfinitePast();
    absl::Time blamed = absl::InfinitePast();
    absl::Time up_since = absl::InfinitePast();  // for slow start
    int pending = 0;
    uint64_t started = 0;
    PhantomPending phantoms{absl::ZeroDuration()};

    bool usable() const {
      return connected && channel != nullptr && !draining && !leaving;
    }
  };

  // One try of a call on one backend.
  struct Attempt {
    int number = 0;  // of the call's, from 1
    size_t backend = 0;
    CallId inner;  // once the backend's channel has named it
    bool hedge = false;
  };

  struct Call {
    const Method* method = nullptr;
    bool idempotent = false;
    Message* response = nullptr;
    Done done;
    absl::Time started;
    absl::Time deadline;
    absl::Duration hedge_after;  // infinite: not hedged
    // What is sent; the attachment too, if the request is kept. shared: an attempt that
    // is being sent needs it though the call has ended.
    std::shared_ptr<const Message> request;
    std::string attachment;
    bool kept = false;  // both, until it ends
    size_t kept_bytes = 0;
    // Of attempts; `tried` are the backends of all of them.
    int attempts = 0;
    std::vector<Attempt> live;
    std::vector<size_t> tried;
    bool may_be_sent = false;  // a byte of one of them may have left
    bool cancelled = false;
    TimerId timer;  // ends the wait for a backend or the backoff
    TimerId hedge_timer;

    bool hedged() const { return hedge_after < absl::InfiniteDuration(); }
  };
  // A call taken out of `calls`, and the attempts to cancel.
  struct Ended {
    Call call;
    std::vector<std::pair<std::shared_ptr<Channel>, CallId>> losers;
  };
  enum class Aim { kFirst, kRetry, kHedge };

  // balanced_state.cc: calls.
  CallId Start(const Method& method, const Message& request, Message* response,
               CallOptions call_options, Done done);
  // Keeps what is needed to send the call again; not if it is too large.
  void Keep(Call& call, const Message& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Puts a call among those that wait for a backend.
  absl::Status Wait(uint64_t id, Call& call, const Message& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void DispatchWaiting();
  void SetConnected(size_t index, uint64_t serial, bool connected);
  // balanced_backends.cc: those that come and go.
  void SetBackends(const std::vector<BackendSpec>& specs);
  // A place for a backend that comes; its connection is to be made.
  size_t AddBackend(const BackendSpec& spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void ConnectBackend(size_t index, uint64_t serial, const Address& address);
  // Frees the place of a backend that was to leave, if nothing is outstanding on it.
  void FreeIfLeft(size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Cancel(uint64_t id);
  void Close(const absl::Status& reason);
  // Ends a call that no backend has. One that a backend has ends through its channel
  // only, which writes into the call's response until then.
  void CompleteIdle(uint64_t id, absl::Status status);
  Ended Extract(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Outside the lock.
  void Complete(Ended ended, const Controller& outcome);
  void CompleteWith(Ended ended, absl::Status status, absl::Duration retry_after = {});

  // balanced_attempts.cc: attempts.
  // Gives call `id` to a picked backend; false if none is usable. The call keeps its
  // own request unless `request` is given.
  bool Dispatch(uint64_t id, Aim aim, const Message* request = nullptr);
  std::optional<size_t> PickFor(const Call& call, Aim aim, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  bool AnyUsable(const Call* untried_by = nullptr) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void OnAttempt(uint64_t id, const Attempt& attempt, const Controller& outcome,
                 Message* response);
  // What the end of an attempt says about its backend.
  void Judge(size_t backend, const absl::Status& status, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Whether a call that a backend did not answer in time speaks against it: since its
  // last good answer, and since the last time that this was found, another backend has
  // answered. (Where none does, the calls or the network are at fault.)
  bool SilentAlone(size_t backend) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // What a failed attempt leads to: true, and the call goes on.
  bool GoesOn(uint64_t id, Call& call, const Controller& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Retry(uint64_t id);
  void Hedge(uint64_t id);

  Transport& transport;
  Executor& executor;
  const BalancedOptions options;

  mutable Mutex mutex;
  std::vector<Backend> backends ABSL_GUARDED_BY(mutex);
  PickState pick ABSL_GUARDED_BY(mutex);
  Health health ABSL_GUARDED_BY(mutex);  // by serial
  uint64_t next_serial ABSL_GUARDED_BY(mutex) = 1;
  Random random ABSL_GUARDED_BY(mutex);
  RetryBudget retry_budget ABSL_GUARDED_BY(mutex);
  RetryBudget hedge_budget ABSL_GUARDED_BY(mutex);
  HedgeDelay hedge_delay ABSL_GUARDED_BY(mutex);
  BalancedCounters counters ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<uint64_t, std::unique_ptr<Call>> calls ABSL_GUARDED_BY(mutex);
  std::set<uint64_t> waiting ABSL_GUARDED_BY(mutex);  // in order of arrival
  size_t kept_bytes ABSL_GUARDED_BY(mutex) = 0;
  uint64_t next_id ABSL_GUARDED_BY(mutex) = 1;
  bool closed ABSL_GUARDED_BY(mutex) = false;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BALANCED_STATE_H_
