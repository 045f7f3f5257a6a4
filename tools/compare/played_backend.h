// A backend whose work is only time: for comparisons on live connections.

#ifndef SKEP_TOOLS_COMPARE_PLAYED_BACKEND_H_
#define SKEP_TOOLS_COMPARE_PLAYED_BACKEND_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "rpc/services/echo.pb.h"

namespace skep {

// Runs closures at their time to within some tens of microseconds, on a thread of its
// own, where an event loop's timers know milliseconds. Thread-safe.
class PreciseTimer {
 public:
  PreciseTimer();
  ~PreciseTimer();  // what is not due is dropped
  // `at`: on the real clock. `fn` must be short.
  void RunAt(absl::Time at, std::function<void()> fn) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Due {
    absl::Time at;
    uint64_t order;
    std::function<void()> fn;
    bool operator>(const Due& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  void Loop();

  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t order_ ABSL_GUARDED_BY(mutex_) = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_
      ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// echo.EchoService whose requests name, in their payload, the nanoseconds that they
// take. On one executor only, that of its server's connections.
class PlayedBackend final : public echo::EchoService,
                            public std::enable_shared_from_this<PlayedBackend> {
 public:
  struct Options {
    int workers = 1;
    double slowdown = 1;
    bool fails = false;    // at once
    bool freezes = false;  // never answers
  };
  // Both borrowed.
  PlayedBackend(Options options, Executor& executor, PreciseTimer& timer)
      : options_(options), executor_(executor), timer_(timer) {}

  void Echo(google::protobuf::RpcController* controller,
            const echo::EchoRequest* request, echo::EchoResponse* response,
            google::protobuf::Closure* done) override;
  // Answers what it holds.
  void Stop();

 private:
  struct Job {
    absl::Duration takes;
    google::protobuf::Closure* done = nullptr;
  };
  void Begin(Job job);
  void End(uint64_t number);

  const Options options_;
  Executor& executor_;
  PreciseTimer& timer_;
  uint64_t next_ = 0;
  std::map<uint64_t, google::protobuf::Closure*> working_;
  std::deque<Job> waiting_;
  std::vector<google::protobuf::Closure*> frozen_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_PLAYED_BACKEND_H_
