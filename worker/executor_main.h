// The body of an executor process.

#ifndef SKEP_WORKER_EXECUTOR_MAIN_H_
#define SKEP_WORKER_EXECUTOR_MAIN_H_

#include "jobs/api/job.h"

namespace skep {

// Serves attempts to the worker at the other end of `fd`, a connected socket, and ends
// the process when that end closes, whatever runs then. Does not return.
[[noreturn]] void ExecutorMain(int fd, const JobTable& jobs);

}  // namespace skep

#endif  // SKEP_WORKER_EXECUTOR_MAIN_H_
