// What the scheduler wants done. The shell (master.h) does it, in order.

#ifndef SKEP_MASTER_COMMAND_H_
#define SKEP_MASTER_COMMAND_H_

#include <cstdint>
#include <string>
#include <variant>

#include "jobs/api/fleet.pb.h"
#include "jobs/api/task.pb.h"
#include "master/names.h"

namespace skep {

// Call WorkerService.RunTask. For an attempt that a worker reported at registration the
// spec has the id only: the worker knows the rest.
struct RunTask {
  WorkerId worker;
  ConnectionId connection;
  TaskSpec spec;
};

struct CancelTask {
  ConnectionId connection;
  AttemptId id;
};

struct ReleaseJob {
  ConnectionId connection;
  JobId job;
};

struct ReplyRegister {
  ConnectionId connection;
  RegisterReply reply;
};

struct ReplyHeartbeat {
  uint64_t call = 0;
  HeartbeatReply reply;
};

struct ReplyCommit {
  uint64_t call = 0;
  CommitReply reply;
};

// The state or the stage of a job is another: tell those who watch it. Progress within
// a stage is not announced; read Scheduler::Status.
struct JobChanged {
  JobId job;
};

// Its lease ended (recorded by the journal).
struct WorkerLost {
  WorkerId worker;
};

// One line for the log: "task_lost attempt=7.0.m12#2 worker=3 reason=lease".
struct Note {
  std::string text;
};

using Command = std::variant<RunTask, CancelTask, ReleaseJob, ReplyRegister,
                             ReplyHeartbeat, ReplyCommit, JobChanged, WorkerLost, Note>;

}  // namespace skep

#endif  // SKEP_MASTER_COMMAND_H_
