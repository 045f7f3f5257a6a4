// For the tests of jobs: runs one through LocalRunner.

#ifndef SKEP_JOBS_JOB_TESTING_H_
#define SKEP_JOBS_JOB_TESTING_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/api/local_runner.h"

namespace skep {

// A job's function.
using DeclareJob = void (*)(Job&);
using JobFlags = std::map<std::string, std::string>;

Job MakeJob(DeclareJob declare);

// Runs the job over the files, in several ways of cutting them into splits, blocks and
// partitions. Expects the same answer, output and error each time, and returns it.
absl::StatusOr<LocalResult> RunJob(DeclareJob declare, const JobFlags& flags,
                                   const std::vector<LocalFile>& files);

// As above, over one file named "input".
absl::StatusOr<LocalResult> RunJob(DeclareJob declare, const JobFlags& flags,
                                   const std::string& input);

// The text of the answer; an error's message after "error: ".
std::string AnswerOf(const absl::StatusOr<LocalResult>& result);
// All part files in order; an error's message after "error: ".
std::string OutputOf(const absl::StatusOr<LocalResult>& result);

// A file of the folder that SKEP_TEST_DATA names; empty where that is unset or the file
// is not there: skip the test then.
std::string TestDataFile(const std::string& name);

}  // namespace skep

#endif  // SKEP_JOBS_JOB_TESTING_H_
