// What a loop waits on: which of many file descriptors are ready.

#ifndef SKEP_RPC_POLLER_H_
#define SKEP_RPC_POLLER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace skep {

// Bits of readiness, asked for and reported. Both are levels, not edges: what is ready
// is reported again until it is dealt with.
using Readiness = uint8_t;
inline constexpr Readiness kNothing = 0;
inline constexpr Readiness kReadable = 1;
inline constexpr Readiness kWritable = 2;
// Only reported, asked for or not: the connection is broken or closed in both
// directions.
inline constexpr Readiness kBroken = 4;

// Not thread-safe: belongs to one loop's thread.
class Poller {
 public:
  struct Event {
    void* cookie;
    Readiness ready;
  };

  virtual ~Poller() = default;

  // `cookie` comes back in the descriptor's events.
  virtual absl::Status Add(int fd, Readiness interest, void* cookie) = 0;
  virtual void Modify(int fd, Readiness interest, void* cookie) = 0;
  virtual void Remove(int fd) = 0;

  // Replaces `events` by what is ready, waiting for at most `timeout`.
  virtual void Wait(absl::Duration timeout, std::vector<Event>& events) = 0;
};

}  // namespace skep

#endif  // SKEP_RPC_POLLER_H_
