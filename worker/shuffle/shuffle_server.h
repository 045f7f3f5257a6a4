// ShuffleService: gives reducers the bytes of this worker's map outputs.

#ifndef SKEP_WORKER_SHUFFLE_SHUFFLE_SERVER_H_
#define SKEP_WORKER_SHUFFLE_SHUFFLE_SERVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "jobs/api/fleet.pb.h"
#include "storage/file_system.h"
#include "storage/partition_index.h"
#include "worker/attempt.h"

namespace skep {

// Thread-safe; handlers read the disk, so run them on a pool. An output exists once its
// index does. NotFound: there is no such output, or partition.
class ShuffleServer final : public ShuffleService {
 public:
  // What one call sends at most: under the channel's frame limit by far, and an unfair
  // share of nobody's connection.
  static constexpr uint64_t kMaxPieceBytes = 1 << 20;
  // Open files and their indexes; the least recently used goes first.
  static constexpr size_t kMaxOpen = 128;

  // `fs` is borrowed; outputs are at MapOutputPath(scratch, id).
  ShuffleServer(FileSystem& fs, std::string scratch)
      : fs_(fs), scratch_(std::move(scratch)) {}

  void Fetch(google::protobuf::RpcController* controller, const FetchRequest* request,
             FetchReply* response, google::protobuf::Closure* done) override;

  // As Fetch, without a channel: up to `max_bytes` from the offset, and all there are.
  absl::StatusOr<std::string> Read(const FetchRequest& request, uint64_t* total_bytes);

  // Closes the files of a job, or of one attempt, before they are deleted.
  void ForgetJob(uint64_t job);
  void Forget(const AttemptRef& key);

 private:
  struct Output {
    std::unique_ptr<ReadableFile> file;
    std::vector<PartitionEntry> entries;
  };
  struct Open {
    // Shared with the calls that read it while it is evicted.
    std::shared_ptr<const Output> output;
    uint64_t last_use = 0;
  };
  absl::StatusOr<std::shared_ptr<const Output>> Find(const AttemptId& id);

  FileSystem& fs_;
  const std::string scratch_;
  Mutex mutex_;
  std::map<AttemptRef, Open> open_ ABSL_GUARDED_BY(mutex_);
  uint64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace skep

#endif  // SKEP_WORKER_SHUFFLE_SHUFFLE_SERVER_H_
