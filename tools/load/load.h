// A load test: links to one server, driven in closed or open loop, and its report.

#ifndef SKEP_TOOLS_LOAD_LOAD_H_
#define SKEP_TOOLS_LOAD_LOAD_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "tools/load/driver.h"
#include "tools/load/link.h"

namespace skep {

struct LoadOptions {
  LinkFactory factory;
  // What goes over the sockets, TLS for one; null: nothing.
  std::function<std::unique_ptr<Transport>(Transport& sockets)> over;
  LinkOptions link;
  int connections = 1;
  int threads = 1;      // connections are spread over them
  absl::Duration spin;  // TcpTransportOptions::spin, for each
  uint32_t window = 1;  // closed loop: outstanding on each connection
  double rate = 0;      // open loop if over 0: requests a second, of all connections
  // One for each connection, or none: how many requests it sends and, in open loop,
  // when (DriverOptions::moments). In place of rate and requests.
  struct Plan {
    uint64_t requests = 0;
    std::vector<int64_t> moments;
  };
  std::vector<Plan> plans;
  absl::Duration duration = absl::Seconds(10);
  uint64_t requests = ~uint64_t{0};  // of all connections; ends earlier with duration
  bool count_steps = false;
  // Processes whose CPU time is measured beside ours: the server, the balancer.
  std::vector<pid_t> cpu_of;
};

struct ProcessCpu {
  pid_t pid;
  absl::Duration used;
};

struct LoadReport {
  LoadStats stats;
  absl::Duration elapsed;     // from the first request to the last answer
  absl::Duration client_cpu;  // of this process, user and system
  std::vector<ProcessCpu> cpu_of;
  BalancedCounters balanced;  // of links to several backends, together
  int connections_lost = 0;
  absl::Status lost_why;  // of one of them
};

class LoadRun {
 public:
  explicit LoadRun(LoadOptions options) : options_(std::move(options)) {}
  // Blocks until all is sent and answered. Unavailable when the server cannot be
  // reached, NotFound when a process of `cpu_of` is not there.
  absl::StatusOr<LoadReport> Run();
  // Ends sending now, and gives up what is outstanding. Thread-safe.
  void Stop();

 private:
  class Fleet;
  void Count(int LoadRun::*what) ABSL_LOCKS_EXCLUDED(mutex_);
  // Until every connection was counted; false if not, at Stop or after `timeout`.
  bool Await(const int LoadRun::*what, absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const LoadOptions options_;
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;  // Stop has been obeyed
  int ready_ ABSL_GUARDED_BY(mutex_) = 0;
  int finished_ ABSL_GUARDED_BY(mutex_) = 0;
};

// User and system time of a process and its threads, to 10 ms.
absl::StatusOr<absl::Duration> CpuTimeOf(pid_t pid);

}  // namespace skep

#endif  // SKEP_TOOLS_LOAD_LOAD_H_
