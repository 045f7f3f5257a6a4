// What other threads give to a channel's executor: calls out and replies, in one
// lock-free list.

#ifndef SKEP_RPC_INBOX_H_
#define SKEP_RPC_INBOX_H_

#include <cstdint>

#include "base/mpsc_list.h"

namespace skep {

// Part of what is given, so that giving allocates nothing.
struct InboxNode {
  enum class Kind : uint8_t { kCall, kReply };  // a CallSlot, a ServedReply
  explicit InboxNode(Kind kind) : kind(kind) {}

  InboxNode* mpsc_next = nullptr;
  const Kind kind;
};

using Inbox = MpscList<InboxNode>;

}  // namespace skep

#endif  // SKEP_RPC_INBOX_H_
