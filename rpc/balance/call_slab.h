// The calls that one shard of the balancer holds: forwarded and not answered, queued
// for a backend, or given up by their client while the backend still owes the answer.
// Internal; runs on its shard's executor.
//
// A call's id towards backends is generation << 32 | place, and a place's generation
// grows with each use: so a reply finds its call in O(1), and one that is late, comes
// twice or was never asked for finds none.

#ifndef SKEP_RPC_BALANCE_CALL_SLAB_H_
#define SKEP_RPC_BALANCE_CALL_SLAB_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "rpc/balance/method_table.h"
#include "rpc/deadline_heap.h"

namespace skep {

class BackendLink;
class BalancerClient;

inline constexpr uint32_t kNoPlace = ~uint32_t{0};
// Places that no call has: of what is sent under an id of its own.
inline constexpr uint32_t kFirstReservedPlace = 0xffff'fff0;

struct BalancerCall {
  uint32_t generation = 0;
  bool live = false;
  bool extended = false;             // its client understands skep's fields
  BalancerClient* client = nullptr;  // null: nobody waits any more
  BackendLink* link = nullptr;       // null: queued
  uint64_t client_id = 0;
  absl::Time arrived;
  absl::Time sent;  // to its backend; after `arrived` if it was queued
  absl::Time deadline;
  // The other calls of the same client.
  uint32_t previous = kNoPlace;
  uint32_t next = kNoPlace;
  std::string queued;  // the frame, until a backend is picked
  MethodTable::Method* method = nullptr;
  std::string unlisted;  // the method's name, if the table does not have it
};

class CallSlab {
 public:
  // A new call; its fields are as above.
  uint32_t Add();
  void Free(uint32_t place);

  BalancerCall& operator[](uint32_t place) { return calls_[place]; }
  uint64_t IdOf(uint32_t place) const {
    return uint64_t{calls_[place].generation} << 32 | place;
  }
  // kNoPlace unless it is there.
  uint32_t Find(uint64_t id) const {
    const auto place = static_cast<uint32_t>(id);
    if (place >= calls_.size() || !calls_[place].live ||
        calls_[place].generation != static_cast<uint32_t>(id >> 32)) {
      return kNoPlace;
    }
    return place;
  }
  // Places are below this.
  uint32_t end() const { return static_cast<uint32_t>(calls_.size()); }
  size_t live() const { return calls_.size() - free_.size(); }

  // Puts a call into the list that begins at `*head`, or takes it out.
  void Link(uint32_t place, uint32_t* head);
  void Unlink(uint32_t place, uint32_t* head);

  void SetDeadline(uint32_t place, absl::Time deadline);
  absl::Time EarliestDeadline() const { return deadlines_.Earliest(); }
  // Requires that there is one.
  uint32_t Earliest() const { return deadlines_.EarliestSlot(); }

 private:
  std::vector<BalancerCall> calls_;
  std::vector<uint32_t> free_;
  DeadlineHeap deadlines_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_CALL_SLAB_H_
