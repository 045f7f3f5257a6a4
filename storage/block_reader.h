// Reads one split as blocks of whole lines or records.
//
// A split owns every line that begins in [offset, offset + length): it reads beyond its
// end to finish the last one, and skips to the first line that begins in it (as
// MapReduce implementations since Hadoop's do). So the blocks of all splits of a file,
// in order, are the file, each line once.
//
//   BlockReader reader(*file, split, format);
//   FileBlock block;
//   while (true) {
//     SKEP_ASSIGN_OR_RETURN(const bool more, reader.Next(&block));
//     if (!more) break;
//     ...
//   }

#ifndef SKEP_STORAGE_BLOCK_READER_H_
#define SKEP_STORAGE_BLOCK_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/byte_source.h"
#include "storage/file_system.h"
#include "storage/input_split.pb.h"
#include "storage/raw_buffer.h"
#include "storage/record_format.h"

namespace skep {

struct FileBlock {
  std::string_view bytes;    // never empty; valid until the next call
  uint64_t file_offset = 0;  // of bytes[0], in the decompressed text
};

struct BlockReaderOptions {
  // Read at a time, and about the size of a block: large enough that a block's overhead
  // (a system call, a call to the mapper, or a round trip to the submitter) is small,
  // small enough that it stays in the core's cache until the mapper has read it.
  size_t block_bytes = size_t{1} << 20;
  // A line must fit into memory. Longer ones are a sign of a wrong format.
  size_t max_line_bytes = size_t{64} << 20;
};

// Not thread-safe.
class BlockReader {
 public:
  // Borrows `file`, which may be remote and must be split.file().
  BlockReader(const ReadableFile& file, const InputSplit& split,
              const RecordFormat& format, const BlockReaderOptions& options = {});

  // False at the end. After an error the reader is of no further use. InvalidArgument:
  // a line that is too long, text that ends inside a record; FailedPrecondition: the
  // file is shorter than it was; as compression.h for compressed files.
  absl::StatusOr<bool> Next(FileBlock* block);

 private:
  // Splits at line ends: finds the first line, drops what is before it.
  absl::Status SkipToFirstLine();
  // Reads once, after what is there; growing the buffer if it is full.
  absl::Status Fill();
  // How many of the bytes in the buffer to give now; 0: more must be read first.
  absl::StatusOr<size_t> FindCut() const;
  absl::Status LineTooLong() const;
  std::string_view Pending() const { return {buffer_.data() + begin_, end_ - begin_}; }
  uint64_t PendingOffset() const { return position_ - (end_ - begin_); }

  const std::string name_;
  const RecordFormat format_;
  const BlockReaderOptions options_;
  const bool compressed_;
  const uint64_t file_size_;
  // The first line or record that begins here or later is not of this split.
  const uint64_t split_end_;
  std::unique_ptr<ByteSource> source_;
  RawBuffer buffer_;
  size_t begin_ = 0;  // [begin_, end_) of buffer_ is read and not yet given
  size_t end_ = 0;
  uint64_t position_;  // in the text, of buffer_[end_]
  bool skip_first_;    // a line that began in an earlier split
  bool at_end_ = false;
  bool done_ = false;
};

}  // namespace skep

#endif  // SKEP_STORAGE_BLOCK_READER_H_
