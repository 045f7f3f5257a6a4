// Captured traffic: requests with the times at which they arrived, in a file that
// `skep load --replay` plays again.
//
// The file is one run (storage/run_format.h: blocks with checksums, a clean end) of
// records in the order of arrival:
//   key     offset, 8 bytes big-endian: nanoseconds since the capture began
//           number, 8 bytes big-endian: 0 for the header, then 1, 2, ...
//   value   of the header:   "skep traffic 1", the time of the beginning (varint,
//                            nanoseconds since the epoch)
//           of a request:    connection (varint, from 1), the frame's body as it came:
//                            "RPC0" and an RpcMessage
//           of the last one: connection 0, requests that were dropped (varint), why
//                            the capture ended
// Keys ascend; versions differ in the header. A file without its last record was cut
// off: what is whole in it can be played.
//
// Payloads are recorded as they are. Files are readable by their owner only (0600).

#ifndef SKEP_TOOLS_RECORD_TRAFFIC_FILE_H_
#define SKEP_TOOLS_RECORD_TRAFFIC_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "storage/byte_source.h"
#include "storage/file_system.h"
#include "storage/run_writer.h"

namespace skep {

// Writes on a thread of its own; whoever adds never waits for the disk. Thread-safe.
class TrafficWriter {
 public:
  struct Options {
    uint64_t max_bytes = uint64_t{1} << 30;  // of the file; then the capture ends
    size_t max_waiting = 64 << 20;           // for the disk; more requests are dropped
  };
  // AlreadyExists if there is a file of that name.
  static absl::StatusOr<std::unique_ptr<TrafficWriter>> Open(const std::string& path,
                                                             absl::Time now,
                                                             Options options);
  // Writes what waits, and the end.
  ~TrafficWriter();

  // A request's body that arrived at `now`. Does nothing once the capture has ended.
  void Add(absl::Time now, uint64_t connection, std::string_view body)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A request that is not captured.
  void Drop() ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t requests() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Request {
    int64_t offset = 0;
    uint64_t connection = 0;
    std::string body;
  };
  TrafficWriter(std::string path, std::unique_ptr<WritableFile> file, absl::Time start,
                Options options);
  void Run();
  void End(const std::string& why);
  absl::Status Flush();
  absl::Status Put(int64_t offset, std::string_view value);

  const std::string path_;
  const std::unique_ptr<WritableFile> file_;
  const absl::Time start_;
  const Options options_;
  // Of the writing thread.
  RunWriter run_;
  uint64_t number_ = 0;
  uint64_t flushed_ = 0;  // records, the header among them, that are in the file
  int64_t last_offset_ = 0;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Request> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of all that were added
  uint64_t requests_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::string why_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

struct RecordedRequest {
  absl::Duration offset;  // since the capture began
  uint64_t connection = 0;
  std::string body;
};

struct Recording {
  absl::Time start;
  std::vector<RecordedRequest> requests;  // in the order of arrival
  uint64_t dropped = 0;
  std::string end;  // why the capture ended
  // DataLoss, with the byte near which it is damaged or cut off: `requests` holds what
  // comes before.
  absl::Status damage;

  absl::Duration span() const {
    return requests.empty() ? absl::ZeroDuration()
                            : requests.back().offset - requests.front().offset;
  }
};
// InvalidArgument when it is no captured traffic, or of another version;
// ResourceExhausted when it does not fit into `max_bytes` of memory.
absl::StatusOr<Recording> ReadTraffic(const std::string& path,
                                      uint64_t max_bytes = uint64_t{4} << 30);
// The same of bytes from anywhere; errors call them `path`.
absl::StatusOr<Recording> ReadTraffic(std::unique_ptr<ByteSource> source,
                                      const std::string& path, uint64_t max_bytes);

}  // namespace skep

#endif  // SKEP_TOOLS_RECORD_TRAFFIC_FILE_H_
