// The submitter's FileService: how workers without a shared disk read the job's inputs
// and write its output.
//
// It gives out nothing else: a call must carry the job's token, only the files named in
// the job's splits can be read, and only names below its output directory written.

#ifndef SKEP_TOOLS_CLIENT_FILE_SERVER_H_
#define SKEP_TOOLS_CLIENT_FILE_SERVER_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "jobs/api/fleet.pb.h"
#include "storage/file_system.h"

namespace skep {

// Thread-safe. Handlers block on the disk: register it to run on a pool.
class FileServer final : public FileService {
 public:
  // Most bytes that one Read returns; larger requests get that many.
  static constexpr uint64_t kMaxReadBytes = 4 << 20;

  // Serves the input files and the output directory of `spec`. Its token guards the
  // input too, so it must have one even if it writes no output. `fs` is borrowed.
  FileServer(FileSystem& fs, const JobSpec& spec);

  // Bytes given out and taken in so far.
  uint64_t bytes_read() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t bytes_written() const ABSL_LOCKS_EXCLUDED(mutex_);

  void Read(google::protobuf::RpcController* controller, const FileReadRequest* request,
            FileReadReply* reply, google::protobuf::Closure* done) override;
  void Write(google::protobuf::RpcController* controller,
             const FileWriteRequest* request, Empty* reply,
             google::protobuf::Closure* done) override;
  void Rename(google::protobuf::RpcController* controller,
              const FileRenameRequest* request, Empty* reply,
              google::protobuf::Closure* done) override;
  void Remove(google::protobuf::RpcController* controller,
              const FileRemoveRequest* request, Empty* reply,
              google::protobuf::Closure* done) override;

 private:
  absl::StatusOr<std::string> DoRead(const FileReadRequest& request,
                                     FileReadReply* reply) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status DoWrite(const FileWriteRequest& request, const std::string& bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status DoRename(const FileRenameRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status DoRemove(const FileRemoveRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status CheckToken(const std::string& token) const;
  // The path of `name` in the output directory; PermissionDenied if it is not below it.
  absl::StatusOr<std::string> OutputPath(const std::string& name) const;

  FileSystem& fs_;
  const std::string token_;
  const std::string directory_;
  std::set<std::string> readable_;
  mutable Mutex mutex_;  // changes of the output directory come one at a time
  uint64_t bytes_read_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_written_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_FILE_SERVER_H_
