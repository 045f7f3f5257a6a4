// Merges sorted streams into one, in ascending order of (key, value) bytes, so that the
// result does not depend on which stream a record came from: a loser tree (Knuth, The
// Art of Computer Programming, vol. 3, section 5.4.1: about log2(k) comparisons a
// record, half of a heap's), most of them decided by the first 8 bytes of the keys.

#ifndef SKEP_STORAGE_MERGER_H_
#define SKEP_STORAGE_MERGER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/record_stream.h"

namespace skep {

// Fails as soon as one of the streams does, with its status.
class Merger final : public RecordStream {
 public:
  explicit Merger(std::vector<std::unique_ptr<RecordStream>> inputs);

  bool Next(Record* record) override;
  absl::Status status() const override { return status_; }

 private:
  struct Input {
    std::unique_ptr<RecordStream> stream;
    Record record;        // its current one
    uint64_t prefix = 0;  // of record.key: 8 bytes as a big-endian number
    bool at_end = false;
  };

  // False if the stream failed.
  bool Advance(Input* input);
  // Whether input a's record comes before b's.
  bool Before(size_t a, size_t b) const;
  // Plays the whole tournament below `node`; its winner.
  size_t Build(size_t node);
  // Plays again what the last winner had won, after it advanced.
  void Replay();

  std::vector<Input> inputs_;
  // A complete binary tree of matches: node i has children 2i and 2i + 1, of which
  // those from inputs_.size() on are the inputs. losers_[i] lost the match at i.
  std::vector<size_t> losers_;
  size_t winner_ = 0;
  bool started_ = false;
  absl::Status status_;
};

// A sorted stream as groups of equal keys:
//
//   Groups groups(stream);
//   while (groups.NextGroup()) {
//     for (std::string_view value; groups.NextValue(&value);) ... groups.key() ...
//   }
//   SKEP_RETURN_IF_ERROR(groups.status());
class Groups {
 public:
  // Borrows `stream`.
  explicit Groups(RecordStream& stream) : stream_(stream) {}

  // Goes to the next key, past values that were not read. False at the end or after an
  // error.
  bool NextGroup();
  // Valid until NextGroup.
  const std::string& key() const { return key_; }
  // False at the end of the group. The value is valid until the next call.
  bool NextValue(std::string_view* value);
  absl::Status status() const { return stream_.status(); }

 private:
  // Makes pending_ the stream's next record, if it has one.
  bool Peek();

  RecordStream& stream_;
  std::string key_;
  Record pending_;
  bool have_pending_ = false;
  bool in_group_ = false;
};

}  // namespace skep

#endif  // SKEP_STORAGE_MERGER_H_
