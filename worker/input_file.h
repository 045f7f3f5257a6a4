// Opens a split's file: here if it is the submitter's file, else from the submitter.

#ifndef SKEP_WORKER_INPUT_FILE_H_
#define SKEP_WORKER_INPUT_FILE_H_

#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "jobs/api/task.pb.h"
#include "storage/file_system.h"
#include "worker/task_environment.h"

namespace skep {

// `*warning` is set when this machine has another file of that name. NotFound, naming
// host and file, when it cannot be had here and the job was submitted detached.
absl::StatusOr<std::unique_ptr<ReadableFile>> OpenInput(const TaskEnvironment& env,
                                                        const JobContext& job,
                                                        const InputFile& file,
                                                        std::stop_token stop,
                                                        std::string* warning);

}  // namespace skep

#endif  // SKEP_WORKER_INPUT_FILE_H_
