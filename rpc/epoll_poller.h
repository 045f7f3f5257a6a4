// Poller over Linux's epoll(7), level-triggered.

#ifndef SKEP_RPC_EPOLL_POLLER_H_
#define SKEP_RPC_EPOLL_POLLER_H_

#include <memory>

#include "rpc/poller.h"

namespace skep {

// Dies when the process has no descriptor left for it: a loop without a poller is
// nothing that a caller could handle.
std::unique_ptr<Poller> NewEpollPoller();

}  // namespace skep

#endif  // SKEP_RPC_EPOLL_POLLER_H_
