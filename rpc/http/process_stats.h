// What the operating system knows of this process, under the names that Prometheus'
// clients agree on (process_cpu_seconds_total and so on).

#ifndef SKEP_RPC_HTTP_PROCESS_STATS_H_
#define SKEP_RPC_HTTP_PROCESS_STATS_H_

#include <cstdint>

namespace skep {

struct ProcessStats {
  double cpu_seconds = 0;       // user and system
  uint64_t resident_bytes = 0;  // memory
  int open_descriptors = 0;     // files and sockets
  double start_unix_seconds = 0;
  int threads = 0;
};

// From /proc; what cannot be read stays zero.
ProcessStats ReadProcessStats();

}  // namespace skep

#endif  // SKEP_RPC_HTTP_PROCESS_STATS_H_
