#include "rpc/balance/call_slab.h"

#include "glog/logging.h"

namespace skep {

uint32_t CallSlab::Add() {
  if (free_.empty()) {
    CHECK_LT(calls_.size(), kFirstReservedPlace);
    free_.push_back(static_cast<uint32_t>(calls_.size()));
    calls_.emplace_back();
  }
  const uint32_t place = free_.back();
  free_.pop_back();
  BalancerCall& call = calls_[place];
  ++call.generation;
  call.live = true;
  return place;
}

void CallSlab::Free(uint32_t place) {
  BalancerCall& call = calls_[place];
  DCHECK(call.live && call.client == nullptr);
  call.live = false;
  call.link = nullptr;
  if (!call.queued.empty()) call.queued = std::string();
  call.method = nullptr;
  call.unlisted.clear();
  deadlines_.Clear(place);
  free_.push_back(place);
}

void CallSlab::Link(uint32_t place, uint32_t* head) {
  BalancerCall& call = calls_[place];
  call.previous = kNoPlace;
  call.next = *head;
  if (*head != kNoPlace) calls_[*head].previous = place;
  *head = place;
}

void CallSlab::Unlink(uint32_t place, uint32_t* head) {
  const BalancerCall& call = calls_[place];
  if (call.previous != kNoPlace) {
    calls_[call.previous].next = call.next;
  } else {
    *head = call.next;
  }
  if (call.next != kNoPlace) calls_[call.next].previous = call.previous;
}

void CallSlab::SetDeadline(uint32_t place, absl::Time deadline) {
  deadlines_.Clear(place);
  calls_[place].deadline = deadline;
  deadlines_.Set(place, deadline);
}

}  // namespace skep
