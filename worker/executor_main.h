// The body of an executor process.

#ifndef SKEP_WORKER_EXECUTOR_MAIN_H_
#define SKEP_WORKER_EXECUTOR_MAIN_H_

#include "jobs/api/job.h"

namespace skep {

class TcpTransport;
class Transport;

// Serves attempts to the worker at the other end of `fd`, a connected socket, and ends
// the process when that end closes, whatever runs then. `sockets` carries that one, and
// `peers` the connections to other workers and submitters; both borrowed. Does not
// return.
[[noreturn]] void ExecutorMain(int fd, TcpTransport& sockets, Transport& peers,
                               const JobTable& jobs);

}  // namespace skep

#endif  // SKEP_WORKER_EXECUTOR_MAIN_H_
