// The scheduler's events on disk, so that a restarted master goes on where it was.
//
// Because Step is a pure function, playing the events of earlier terms again gives
// their state again; workers then register with what they run and hold, and nothing
// that is finished is repeated.
//
// A directory of files, one a term: "journal-000001", ... Each is a sequence of
// records:
//   size      4 bytes, little-endian: of the event
//   time      8 bytes: nanoseconds since the epoch
//   checksum  8 bytes: XXH3-64 of time and event
//   event     a serialized Event
// A record that the end of its file cuts short was never acted on and is passed over;
// any other damage is DataLoss.
//
// Records are handed to the operating system one by one and not synced: they survive
// the death of the process, not that of the machine. Not thread-safe.

#ifndef SKEP_MASTER_JOURNAL_H_
#define SKEP_MASTER_JOURNAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "master/event.pb.h"
#include "storage/file_system.h"

namespace skep {

class Journal {
 public:
  // Largest event: a job's splits, an attempt's result.
  static constexpr uint32_t kMaxEventBytes = 256 << 20;

  // `fs` is borrowed. Makes the directory if there is none. One master a directory.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(FileSystem& fs,
                                                       std::string directory);

  // Plays the events of all earlier terms, in order. Before the first Append.
  using Play = std::function<void(Event event, absl::Time time)>;
  absl::Status Replay(const Play& play) const;
  // Of the earlier terms.
  uint64_t bytes() const;

  // Deletes the earlier terms: what they led to is no longer needed.
  absl::Status ForgetEarlier();

  // Deletes this term's file too, as far as that is possible.
  void ForgetAll();

  absl::Status Append(const Event& event, absl::Time time);

 private:
  Journal(FileSystem& fs, std::string directory)
      : fs_(fs), directory_(std::move(directory)) {}

  absl::Status ReplayFile(const std::string& path, const Play& play) const;

  FileSystem& fs_;
  const std::string directory_;
  std::vector<std::string> earlier_;  // paths, in order
  std::string path_;                  // of this term
};

}  // namespace skep

#endif  // SKEP_MASTER_JOURNAL_H_
