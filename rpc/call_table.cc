#include "rpc/call_table.h"

#include <utility>

namespace skep {

CallId CallTable::Add(OutstandingCall&& call) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  // Generation 0 does not exist, so that no id is 0, also after 2^32 calls of a slot.
  if (++slot.generation == 0) slot.generation = 1;
  slot.live = true;
  deadlines_.Set(index, call.deadline);
  slot.call = std::move(call);
  ++size_;
  sent_ += slot.call.sent;
  return CallId(uint64_t{slot.generation} << 32 | index);
}

OutstandingCall* CallTable::Find(CallId id) {
  const uint32_t index = SlotOf(id);
  if (index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.live && slot.generation == GenerationOf(id) ? &slot.call : nullptr;
}

void CallTable::MarkSent(CallId id, uint64_t offset) {
  OutstandingCall* const call = Find(id);
  if (call == nullptr) return;
  sent_ += !call->sent;
  call->sent = true;
  call->offset = offset;
}

void CallTable::Extend(CallId id, absl::Duration by) {
  OutstandingCall* const call = Find(id);
  if (call == nullptr) return;
  call->deadline += by;
  deadlines_.Clear(SlotOf(id));
  deadlines_.Set(SlotOf(id), call->deadline);
}

OutstandingCall CallTable::Release(uint32_t index, bool replied) {
  Slot& slot = slots_[index];
  sent_ -= slot.call.sent;
  slot.live = false;
  slot.replied = replied;
  deadlines_.Clear(index);
  free_.push_back(index);
  --size_;
  // Moved from: what its completion held is gone with it.
  return std::move(slot.call);
}

std::optional<OutstandingCall> CallTable::Take(CallId id) {
  if (Find(id) == nullptr) return std::nullopt;
  return Release(SlotOf(id), false);
}

std::optional<OutstandingCall> CallTable::TakeForReply(CallId id) {
  if (Find(id) == nullptr) return std::nullopt;
  return Release(SlotOf(id), true);
}

std::optional<OutstandingCall> CallTable::TakeExpired(absl::Time now, CallId* id) {
  if (deadlines_.empty() || deadlines_.Earliest() > now) return std::nullopt;
  const uint32_t index = deadlines_.EarliestSlot();
  *id = CallId(uint64_t{slots_[index].generation} << 32 | index);
  return Release(index, false);
}

std::vector<OutstandingCall> CallTable::TakeAll() {
  std::vector<OutstandingCall> calls;
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].live) calls.push_back(Release(i, false));
  }
  return calls;
}

std::vector<OutstandingCall> CallTable::TakeWhere(bool sent) {
  std::vector<OutstandingCall> calls;
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].live && slots_[i].call.sent == sent) {
      calls.push_back(Release(i, false));
    }
  }
  return calls;
}

CallTable::Stray CallTable::Explain(CallId id) const {
  const uint32_t index = SlotOf(id);
  if (index >= slots_.size()) return Stray::kForeign;
  const Slot& slot = slots_[index];
  const uint32_t generation = GenerationOf(id);
  if (generation == 0 || generation > slot.generation) return Stray::kForeign;
  if (generation < slot.generation) return Stray::kLate;
  return slot.replied ? Stray::kDuplicate : Stray::kLate;
}

}  // namespace skep
