// SubmitterFiles over the channel: the submitter's FileService as files.

#ifndef SKEP_WORKER_SUBMITTER_FILES_H_
#define SKEP_WORKER_SUBMITTER_FILES_H_

#include <memory>

#include "worker/peer_channels.h"
#include "worker/retry.h"
#include "worker/task_environment.h"

namespace skep {

// Thread-safe; its files read ahead, the others read and write one piece at a time.
class RemoteSubmitterFiles final : public SubmitterFiles {
 public:
  // `peers` is borrowed and outlives the files.
  explicit RemoteSubmitterFiles(PeerChannels& peers, RetryOptions retry = {})
      : peers_(peers), retry_(retry) {}

  absl::StatusOr<std::unique_ptr<ReadableFile>> OpenToRead(
      const JobContext& job, const InputFile& file, std::stop_token stop) override;
  std::unique_ptr<OutputStore> Output(const JobContext& job,
                                      std::stop_token stop) override;

 private:
  PeerChannels& peers_;
  const RetryOptions retry_;
};

}  // namespace skep

#endif  // SKEP_WORKER_SUBMITTER_FILES_H_
