#include "worker/input_file.h"

#include <utility>

#include "base/status.h"
#include "storage/input_file.h"

namespace skep {

absl::StatusOr<std::unique_ptr<ReadableFile>> OpenInput(const TaskEnvironment& env,
                                                        const JobContext& job,
                                                        const InputFile& file,
                                                        std::stop_token stop,
                                                        std::string* warning) {
  const absl::Status same = VerifySameFile(env.local, file);
  if (same.ok()) return env.local.OpenToRead(file.path());
  if (absl::IsFailedPrecondition(same)) {
    *warning = StrCat("host ", env.host, ": ", file.path(),
                      " is another file (size or digest differ)");
  }
  if (!job.submitter_address().empty()) {
    return env.submitter.OpenToRead(job, file, std::move(stop));
  }
  return NotFound("host ", env.host, " cannot read ", file.path(), ": ", Message(same),
                  "; the job was submitted detached from ", job.submitter_host(),
                  ", so put the file there too or stay attached");
}

}  // namespace skep
