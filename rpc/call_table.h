// The outstanding calls of one channel, in a slab of slots.
//
// A call's id on the wire is generation << 32 | slot, and a slot's generation grows
// each time it is given out. So a reply finds its call in O(1), and one that is late,
// comes twice or was never asked for is told apart and delivered to nobody.

#ifndef SKEP_RPC_CALL_TABLE_H_
#define SKEP_RPC_CALL_TABLE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "rpc/channel.h"
#include "rpc/deadline_heap.h"

namespace skep {

struct OutstandingCall {
  const google::protobuf::MethodDescriptor* method = nullptr;
  google::protobuf::Message* response = nullptr;
  Channel::Done done;
  absl::Duration timeout;
  absl::Time deadline = absl::InfiniteFuture();
  // Its bytes were given to a connection, the first of them at `offset` of all that
  // this was given. Set when it is added, or by MarkSent.
  bool sent = false;
  uint64_t offset = 0;
  // The channel's own (hello): not part of the load.
  bool internal = false;
};

// Not thread-safe.
class CallTable {
 public:
  // Ids are never 0.
  CallId Add(OutstandingCall&& call);

  // Null unless outstanding.
  OutstandingCall* Find(CallId id);
  // Not if it is not outstanding.
  void MarkSent(CallId id, uint64_t offset);

  // Puts its deadline off. Not if it is not outstanding.
  void Extend(CallId id, absl::Duration by);

  // Removes the call; nullopt unless outstanding.
  std::optional<OutstandingCall> Take(CallId id);
  // The same for a reply, remembering that it came.
  std::optional<OutstandingCall> TakeForReply(CallId id);
  // Removes the call with the earliest deadline if that has passed.
  std::optional<OutstandingCall> TakeExpired(absl::Time now, CallId* id);
  // Removes all calls, or those that were sent, or those that were not.
  std::vector<OutstandingCall> TakeAll();
  std::vector<OutstandingCall> TakeSent() { return TakeWhere(true); }
  std::vector<OutstandingCall> TakeUnsent() { return TakeWhere(false); }

  // What a reply to an id that is not outstanding is.
  enum class Stray { kLate, kDuplicate, kForeign };
  Stray Explain(CallId id) const;

  int size() const { return size_; }
  int sent() const { return sent_; }
  absl::Time EarliestDeadline() const { return deadlines_.Earliest(); }

 private:
  struct Slot {
    uint32_t generation = 0;
    bool live = false;
    bool replied = false;  // how the slot's last call ended
    OutstandingCall call;
  };
  static uint32_t SlotOf(CallId id) { return static_cast<uint32_t>(id.value()); }
  static uint32_t GenerationOf(CallId id) {
    return static_cast<uint32_t>(id.value() >> 32);
  }
  OutstandingCall Release(uint32_t slot, bool replied);
  std::vector<OutstandingCall> TakeWhere(bool sent);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  DeadlineHeap deadlines_;
  int size_ = 0;
  int sent_ = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_CALL_TABLE_H_
