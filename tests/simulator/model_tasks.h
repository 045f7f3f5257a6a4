// Tasks of real jobs, run in memory and at once: what a model worker does with a spec.
//
// Real mappers, reducers and planners; the engine under them (blocks, combining,
// shuffle files) is the simplest that is right.

#ifndef SKEP_TESTS_SIMULATOR_MODEL_TASKS_H_
#define SKEP_TESTS_SIMULATOR_MODEL_TASKS_H_

#include <map>
#include <string>
#include <vector>

#include "jobs/api/job.h"
#include "jobs/api/task.pb.h"

namespace skep {

// Files by path: the world's input.
using FilesByPath = std::map<std::string, std::string>;

// `partitions`: the records for each reducer. A map-only task's part goes to `part`.
TaskResult RunModelMap(const Job& job, const TaskSpec& spec, const FilesByPath& files,
                       std::vector<std::string>* partitions, std::string* part);
// `inputs`: one partition of each map task, in their order.
TaskResult RunModelReduce(const Job& job, const TaskSpec& spec,
                          const std::vector<std::string>& inputs, std::string* part);
TaskResult RunModelPlan(const Job& job, const TaskSpec& spec);

// "part-00003", of a task that writes output.
std::string PartName(const AttemptId& id);
// Its name until it is published: the attempt's own.
std::string AttemptPartName(const OutputFile& part);

}  // namespace skep

#endif  // SKEP_TESTS_SIMULATOR_MODEL_TASKS_H_
