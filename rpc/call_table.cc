#include "rpc/call_table.h"

#include <bit>
#include <utility>

#include "glog/logging.h"

namespace skep {
namespace {

// Of frames that were sent, for the next: each, and all of a table.
constexpr size_t kKeptFrameBytes = 16 << 10;
constexpr size_t kKeptBytes = 1 << 20;

}  // namespace

CallTable::~CallTable() {
  for (std::atomic<CallSlot*>& segment : segments_) delete[] segment.load();
}

CallSlot* CallTable::At(uint32_t index) const {
  const uint64_t n = uint64_t{index} + kFirstSegment;
  const int segment = std::bit_width(n / kFirstSegment) - 1;
  if (segment >= kSegments) return nullptr;
  CallSlot* const slots = segments_[segment].load(std::memory_order_acquire);
  return slots == nullptr ? nullptr
                          : slots + (n - (uint64_t{kFirstSegment} << segment));
}

CallSlot* CallTable::Grow(bool shared) {
  MutexLock lock(grow_mutex_);
  // Others may have come here first.
  if (CallSlot* const slot = shared ? PopShared() : nullptr) return slot;
  CHECK_LT(grown_, kSegments) << "over a hundred million calls on one channel";
  const uint32_t count = kFirstSegment << grown_;
  const uint32_t begin = count - kFirstSegment;
  CallSlot* const slots = new CallSlot[count];
  for (uint32_t i = 0; i < count; ++i) {
    slots[i].index = begin + i;
    slots[i].shared = shared;
  }
  segments_[grown_++].store(slots, std::memory_order_release);
  for (uint32_t i = count - 1; i > 0; --i) {
    if (shared) {
      shared_free_.Push(begin + i, slots[i].next_free);
    } else {
      slots[i].behind = std::exchange(free_, &slots[i]);
    }
  }
  return &slots[0];
}

CallSlot* CallTable::PopShared() {
  const uint32_t index = shared_free_.Pop(
      [this](uint32_t i) -> std::atomic<uint32_t>& { return At(i)->next_free; });
  return index == IndexStack::kNone ? nullptr : At(index);
}

CallSlot* CallTable::Reserve() {
  if (free_ == nullptr) return Grow(false);
  return std::exchange(free_, free_->behind);
}

CallSlot* CallTable::ReserveElsewhere() {
  CallSlot* const slot = PopShared();
  return slot != nullptr ? slot : Grow(true);
}

void CallTable::Add(CallSlot* slot) {
  slot->live = true;
  deadlines_.Set(slot->index, slot->call.deadline);
  ++size_;
  sent_ += slot->call.sent;
}

CallId CallTable::Add(OutstandingCall&& call) {
  CallSlot* const slot = Reserve();
  slot->call = std::move(call);
  Add(slot);
  return IdOf(*slot);
}

CallSlot* CallTable::FindSlot(CallId id) const {
  CallSlot* const slot = At(IndexOf(id));
  if (slot == nullptr || !slot->live || slot->generation != GenerationOf(id)) {
    return nullptr;
  }
  return slot;
}

OutstandingCall* CallTable::Find(CallId id) {
  CallSlot* const slot = FindSlot(id);
  return slot == nullptr ? nullptr : &slot->call;
}

void CallTable::MarkSent(CallSlot* slot, uint64_t offset) {
  sent_ += !slot->call.sent;
  slot->call.sent = true;
  slot->call.offset = offset;
}

void CallTable::KeepMemory(CallSlot* slot) {
  unsent_.fetch_sub(std::exchange(slot->unsent, 0), std::memory_order_relaxed);
  std::string& memory = slot->frame.head;
  memory.clear();
  kept_ += memory.capacity() - std::exchange(slot->kept, memory.capacity());
  if (slot->kept <= kKeptFrameBytes && kept_ <= kKeptBytes) return;
  memory = std::string();
  kept_ -= std::exchange(slot->kept, 0);
}

void CallTable::Wait(CallSlot* slot) {
  slot->waiting = true;
  slot->before = std::exchange(last_waiting_, slot);
  slot->behind = nullptr;
  (slot->before == nullptr ? first_waiting_ : slot->before->behind) = slot;
}

void CallTable::StopWaiting(CallSlot& slot) {
  slot.waiting = false;
  (slot.before == nullptr ? first_waiting_ : slot.before->behind) = slot.behind;
  (slot.behind == nullptr ? last_waiting_ : slot.behind->before) = slot.before;
}

CallSlot* CallTable::TakeWaiting() {
  CallSlot* const slot = first_waiting_;
  if (slot != nullptr) StopWaiting(*slot);
  return slot;
}

void CallTable::Extend(CallId id, absl::Duration by) {
  OutstandingCall* const call = Find(id);
  if (call == nullptr) return;
  call->deadline += by;
  deadlines_.Clear(IndexOf(id));
  deadlines_.Set(IndexOf(id), call->deadline);
}

void CallTable::Remove(CallSlot& slot, bool replied) {
  sent_ -= slot.call.sent;
  slot.live = false;
  deadlines_.Clear(slot.index);
  --size_;
  if (slot.waiting) StopWaiting(slot);
  Retire(slot, replied);
}

void CallTable::Retire(CallSlot& slot, bool replied) {
  slot.replied = replied;
  // Generation 0 does not exist, so that no id is 0, also after 2^32 calls of a slot.
  if (++slot.generation == 0) slot.generation = 1;
}

void CallTable::Recycle(CallSlot* slot) {
  if (slot->unsent > 0) {
    slot->frame.attachment = std::string();
    KeepMemory(slot);
  }
  if (slot->shared) {
    shared_free_.Push(slot->index, slot->next_free);
  } else {
    slot->behind = std::exchange(free_, slot);
  }
}

OutstandingCall CallTable::Release(CallSlot& slot) {
  Remove(slot, false);
  // Moved from: what its completion held is gone with it.
  OutstandingCall call = std::move(slot.call);
  Recycle(&slot);
  return call;
}

std::optional<OutstandingCall> CallTable::Take(CallId id) {
  CallSlot* const slot = FindSlot(id);
  if (slot == nullptr) return std::nullopt;
  return Release(*slot);
}

CallSlot* CallTable::TakeForReply(CallId id) {
  CallSlot* const slot = FindSlot(id);
  if (slot != nullptr) Remove(*slot, true);
  return slot;
}

std::optional<OutstandingCall> CallTable::TakeExpired(absl::Time now) {
  if (deadlines_.empty() || deadlines_.Earliest() > now) return std::nullopt;
  return Release(*At(deadlines_.EarliestSlot()));
}

std::vector<OutstandingCall> CallTable::TakeWhere(bool only_sent) {
  std::vector<OutstandingCall> calls;
  if (size_ == 0) return calls;
  for (int k = 0; k < kSegments; ++k) {
    CallSlot* const slots = segments_[k].load(std::memory_order_acquire);
    if (slots == nullptr) break;
    for (uint32_t i = 0; i < kFirstSegment << k; ++i) {
      if (!slots[i].live || (only_sent && !slots[i].call.sent)) continue;
      OutstandingCall call = Release(slots[i]);
      if (call.wants_reply) calls.push_back(std::move(call));
    }
  }
  return calls;
}

CallTable::Stray CallTable::Explain(CallId id) const {
  const CallSlot* const slot = At(IndexOf(id));
  const uint32_t generation = GenerationOf(id);
  if (slot == nullptr || generation == 0 || generation >= slot->generation) {
    return Stray::kForeign;
  }
  const bool last = generation + 1 == slot->generation;
  return last && slot->replied ? Stray::kDuplicate : Stray::kLate;
}

}  // namespace skep
