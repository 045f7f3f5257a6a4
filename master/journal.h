// The scheduler's events on disk, so that a restarted master goes on where it was.
//
// Because Step is a pure function, playing the events of earlier terms again gives
// their state again; workers then register with what they run and hold, and nothing
// that is finished is repeated.
//
// A directory of files, one a term: "journal-000001", ... Each begins with the 8 bytes
// "SKEPJNL2", and is a sequence of records (storage/log_record.h), a serialized Event
// each.
// A record that the end of its file cuts short was never acted on and is passed over,
// and so is an end of nothing but zeros, which file systems leave after a power cut.
// Any other damage is DataLoss.
//
// Records are handed to the operating system one by one: they survive the death of the
// process. Those that are synced survive that of the machine too. Not thread-safe.

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

  // `sync`: it and all before it survive a power cut once this has returned.
  absl::Status Append(const Event& event, absl::Time time, bool sync = false);

 private:
  Journal(FileSystem& fs, std::string directory)
      : fs_(fs), directory_(std::move(directory)) {}

  absl::Status ReplayFile(const std::string& path, const Play& play) const;

  FileSystem& fs_;
  const std::string directory_;
  std::vector<std::string> earlier_;  // paths, in order
  std::string path_;                  // of this term
  bool begun_ = false;                // it has its first bytes
};

}  // namespace skep

#endif  // SKEP_MASTER_JOURNAL_H_
