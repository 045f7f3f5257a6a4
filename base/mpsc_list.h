// A list that many threads push to and one empties: intrusive and lock-free.
//
// Treiber's stack ("Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986)
// without its pop: all that is there is taken at once and turned round. So pushing is
// one compare-and-swap and taking one exchange, however much is taken, and there is no
// ABA problem: a head that has been taken and came back is the head again, and that is
// all that Push relies on. Linux's llist is the same thing.
//
// Memory orders: Push releases what the pusher wrote into the node, and TakeAll
// acquires it from every pusher, since compare-and-swaps continue each other's release
// sequence. Which push found the list empty follows from the order of changes to one
// atomic, which is total.

#ifndef SKEP_BASE_MPSC_LIST_H_
#define SKEP_BASE_MPSC_LIST_H_

#include <atomic>
#include <utility>

namespace skep {

// `Node` has a member `Node* mpsc_next`, which is the list's while the node is in it.
// Nodes are not owned: whoever destroys the list has taken them.
template <typename Node>
class MpscList {
 public:
  MpscList() = default;
  MpscList(const MpscList&) = delete;
  MpscList& operator=(const MpscList&) = delete;

  // From any thread. From then on the node is the taker's. True: the list was empty,
  // and it is for this caller to wake the taker. Of all that one TakeAll gets, this is
  // so for the first.
  [[nodiscard]] bool Push(Node* node) {
    Node* head = head_.load(std::memory_order_relaxed);
    do {
      node->mpsc_next = head;
    } while (!head_.compare_exchange_weak(head, node, std::memory_order_release,
                                          std::memory_order_relaxed));
    return head == nullptr;
  }

  // From one thread at a time. All that was pushed, linked by mpsc_next, each pusher's
  // nodes in its own order; null if there is nothing. A node's successor is to be read
  // before the node is given away.
  Node* TakeAll() {
    // Spares the cache line of those who push.
    if (head_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    Node* newest = head_.exchange(nullptr, std::memory_order_acquire);
    Node* oldest = nullptr;
    while (newest != nullptr) {
      Node* const older = std::exchange(newest->mpsc_next, oldest);
      oldest = std::exchange(newest, older);
    }
    return oldest;
  }

 private:
  std::atomic<Node*> head_{nullptr};
};

}  // namespace skep

#endif  // SKEP_BASE_MPSC_LIST_H_
