// Ids of the master's world and the names of tasks in logs, errors and traces.

#ifndef SKEP_MASTER_NAMES_H_
#define SKEP_MASTER_NAMES_H_

#include <compare>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "jobs/api/task.pb.h"

namespace skep {

struct JobTag;
struct WorkerTag;
struct ConnectionTag;
using JobId = StrongId<JobTag>;
// One worker process (one incarnation) for as long as its lease holds.
using WorkerId = StrongId<WorkerTag>;
// One connection of a worker; given by the shell, never used again.
using ConnectionId = StrongId<ConnectionTag>;

struct TaskKey {
  JobId job;
  uint32_t stage = 0;
  TaskKind kind = TASK_MAP;
  uint32_t task = 0;

  // "7.0.m12": job 7, stage 0, map task 12. p: plan, r: reduce, o: publish (output).
  std::string ToString() const;
  friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};

struct AttemptKey {
  TaskKey task;
  uint32_t attempt = 0;

  // "7.0.m12#2".
  std::string ToString() const;
  friend auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
};

AttemptKey KeyOf(const AttemptId& id);
AttemptId ToProto(const AttemptKey& key, uint64_t epoch);
// "map", "reduce", "plan", "publish".
const char* KindName(TaskKind kind);

}  // namespace skep

#endif  // SKEP_MASTER_NAMES_H_
