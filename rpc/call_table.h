// The calls of one channel, in a slab of slots.
//
// A call's id on the wire is generation << 32 | slot, and a slot's generation grows
// each time it is given out. So a reply finds its call in O(1), and one that is late,
// comes twice or was never asked for is told apart and delivered to nobody.
//
// The table belongs to the channel's executor and has no lock. Other threads take slots
// from a lock-free stack of their own, fill them, and hand them to the executor, which
// adds them: so a call has its id before the executor knows of it.

#ifndef SKEP_RPC_CALL_TABLE_H_
#define SKEP_RPC_CALL_TABLE_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "base/index_stack.h"
#include "base/mutex.h"
#include "rpc/channel.h"
#include "rpc/deadline_heap.h"
#include "rpc/inbox.h"
#include "rpc/rpc0_codec.h"

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
  // Else nobody is told of its end: it is here only until it is sent.
  bool wants_reply = true;
};

// One call's place. Whoever reserved it fills `call`, and `frame` and `encoded` if it
// is not sent at once; from Add on it is the table's.
struct CallSlot final : InboxNode {
  CallSlot() : InboxNode(Kind::kCall) {}

  OutstandingCall call;
  // The request, and when it was encoded. Its memory serves one call after another.
  OutFrame frame;
  absl::Time encoded;
  size_t unsent = 0;  // bytes of it that are counted as such

 private:
  friend class CallTable;
  uint32_t index = 0;
  uint32_t generation = 1;  // of the call that has it, or will have it next
  bool shared = false;      // other threads reserve it
  bool live = false;
  bool replied = false;  // how its last call ended
  std::atomic<uint32_t> next_free{IndexStack::kNone};
  size_t kept = 0;  // of frame's memory, while it is counted
  bool waiting = false;
  CallSlot* before = nullptr;  // among those that wait
  CallSlot* behind = nullptr;  // also among those that are free here
};

// On the channel's executor only, but for what says otherwise.
class CallTable {
 public:
  CallTable() = default;
  ~CallTable();
  CallTable(const CallTable&) = delete;
  CallTable& operator=(const CallTable&) = delete;

  CallSlot* Reserve();
  // The same from any other thread. Lock-free but where the table has to grow.
  CallSlot* ReserveElsewhere();
  // Of a reserved slot; never 0. On any thread.
  static CallId IdOf(const CallSlot& slot) {
    return CallId(uint64_t{slot.generation} << 32 | slot.index);
  }
  // The call of a reserved slot is outstanding.
  void Add(CallSlot* slot);
  CallId Add(OutstandingCall&& call);
  // Nothing is to be heard of the call of a reserved slot: replies to it are late.
  void Drop(CallSlot* slot) { Retire(*slot, false), Recycle(slot); }

  // Null unless outstanding.
  OutstandingCall* Find(CallId id);
  void MarkSent(CallSlot* slot, uint64_t offset);
  // Its frame has been written: keeps the memory, up to a bound for the whole table.
  void KeepMemory(CallSlot* slot);

  // Adds it to those that wait for a connection, in order. Its end removes it.
  void Wait(CallSlot* slot);
  // Removes the first; null if none waits.
  CallSlot* TakeWaiting();

  // Puts its deadline off. Not if it is not outstanding.
  void Extend(CallId id, absl::Duration by);

  // Removes the call; nullopt unless outstanding.
  std::optional<OutstandingCall> Take(CallId id);
  // The same for a reply, remembering that it came. The call stays in its slot, which
  // is the caller's until it gives it to Recycle; null unless outstanding.
  CallSlot* TakeForReply(CallId id);
  void Recycle(CallSlot* slot);
  // Removes the call with the earliest deadline if that has passed.
  std::optional<OutstandingCall> TakeExpired(absl::Time now);
  // Removes all calls, or those that were sent.
  std::vector<OutstandingCall> TakeAll() { return TakeWhere(false); }
  std::vector<OutstandingCall> TakeSent() { return TakeWhere(true); }

  // What a reply to an id that is not outstanding is.
  enum class Stray { kLate, kDuplicate, kForeign };
  Stray Explain(CallId id) const;

  int size() const { return size_; }
  int sent() const { return sent_; }
  absl::Time EarliestDeadline() const { return deadlines_.Earliest(); }

  // Bytes of frames that are not sent: whoever encodes one counts it here, on any
  // thread, as its slot's `unsent`. What ends a call takes it away.
  size_t unsent() const { return unsent_.load(std::memory_order_relaxed); }
  void CountUnsent(CallSlot* slot) {
    slot->unsent = slot->frame.size();
    unsent_.fetch_add(slot->unsent, std::memory_order_relaxed);
  }

 private:
  // Segment k has 4 << k slots, which stay where they are: a table of n calls has at
  // most 2n slots.
  static constexpr uint32_t kFirstSegment = 4;
  static constexpr int kSegments = 26;

  static uint32_t IndexOf(CallId id) { return static_cast<uint32_t>(id.value()); }
  static uint32_t GenerationOf(CallId id) {
    return static_cast<uint32_t>(id.value() >> 32);
  }
  // Null if there is no such slot.
  CallSlot* At(uint32_t index) const;
  CallSlot* FindSlot(CallId id) const;
  // Makes a segment and takes its first slot; the others are free for the same.
  CallSlot* Grow(bool shared);
  CallSlot* PopShared();
  // No id of it is outstanding any more.
  void Retire(CallSlot& slot, bool replied);
  void Remove(CallSlot& slot, bool replied);
  OutstandingCall Release(CallSlot& slot);
  void StopWaiting(CallSlot& slot);
  std::vector<OutstandingCall> TakeWhere(bool only_sent);

  std::atomic<CallSlot*> segments_[kSegments] = {};
  Mutex grow_mutex_;
  int grown_ ABSL_GUARDED_BY(grow_mutex_) = 0;
  IndexStack shared_free_;
  std::atomic<size_t> unsent_{0};

  CallSlot* free_ = nullptr;  // linked by behind
  CallSlot* first_waiting_ = nullptr;
  CallSlot* last_waiting_ = nullptr;
  DeadlineHeap deadlines_;
  int size_ = 0;
  int sent_ = 0;
  size_t kept_ = 0;  // bytes
};

}  // namespace skep

#endif  // SKEP_RPC_CALL_TABLE_H_
