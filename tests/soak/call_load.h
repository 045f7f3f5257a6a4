// Many connections with calls of every fate, each of which is accounted for.

#ifndef SKEP_TESTS_SOAK_CALL_LOAD_H_
#define SKEP_TESTS_SOAK_CALL_LOAD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "rpc/channel.h"
#include "rpc/transport.h"

namespace skep {

// What became of the calls: all of `started` are in exactly one of the others.
struct CallTally {
  int64_t started = 0;
  int64_t ok = 0;
  int64_t deadline = 0;
  int64_t cancelled = 0;
  int64_t disconnected = 0;  // Unavailable
  int64_t error = 0;         // anything else
  // What must not be.
  int64_t wrong = 0;  // another call's reply
  int64_t twice = 0;
  absl::Duration latest;  // the longest time that one took beyond its deadline

  int64_t ended() const { return ok + deadline + cancelled + disconnected + error; }
  std::string ToString() const;
};

class CallLoad {
 public:
  struct Options {
    int connections = 200;
    int in_flight = 500;
    uint64_t seed = 1;
  };

  // To an echo service at `to`. `transport` is borrowed and outlives this.
  CallLoad(Transport& transport, const Address& to, Options options);
  ~CallLoad();
  CallLoad(const CallLoad&) = delete;
  CallLoad& operator=(const CallLoad&) = delete;

  // Waits until all connections are there; false after `patience`.
  bool AwaitConnected(absl::Duration patience);
  // Begins so many calls; a few are cancelled, many have too little time.
  void Start(int64_t calls);
  // Waits until each has ended; false after `patience`.
  bool Await(absl::Duration patience);

  CallTally tally() const;
  int64_t ended() const { return tally().ended(); }
  // Of the channels.
  int64_t pending() const;

 private:
  class Lane;
  void LaneEnds();
  bool TakeOne() { return left_.fetch_sub(1, std::memory_order_relaxed) > 0; }

  Transport& transport_;
  std::vector<std::shared_ptr<Channel>> channels_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<int64_t> left_{0};
  std::atomic<int64_t> started_{0}, ok_{0}, deadline_{0}, cancelled_{0},
      disconnected_{0}, error_{0}, wrong_{0}, twice_{0}, latest_us_{0};
  Mutex mutex_;
  CondVar idle_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace skep

#endif  // SKEP_TESTS_SOAK_CALL_LOAD_H_
