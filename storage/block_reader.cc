#include "storage/block_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/status.h"
#include "storage/compression.h"

namespace skep {
namespace {

// Beyond its end a split needs the rest of one line: small reads suffice.
constexpr uint64_t kReadBeyondEnd = uint64_t{64} << 10;

constexpr bool IsLines(const RecordFormat& format) {
  return format.kind == RecordFormat::Kind::kLines;
}

// A split that begins inside the file reads from the byte before: if that is a line
// end, the line that follows is its own.
uint64_t FirstByte(const InputSplit& split, const RecordFormat& format) {
  return IsLines(format) && split.offset() > 0 ? split.offset() - 1 : split.offset();
}

std::unique_ptr<ByteSource> OpenSource(const ReadableFile& file,
                                       const InputSplit& split, uint64_t first) {
  // Bytes that were appended since the job was submitted are not of its input.
  auto range = std::make_unique<FileRangeSource>(
      file, first, split.file().size() - std::min(first, split.file().size()));
  return Decompress(split.file().compression(), std::move(range), split.file().name());
}

}  // namespace

BlockReader::BlockReader(const ReadableFile& file, const InputSplit& split,
                         const RecordFormat& format, const BlockReaderOptions& options)
    : name_(split.file().name()),
      format_(format),
      options_(options),
      compressed_(split.file().compression() != COMPRESSION_NONE),
      file_size_(split.file().size()),
      split_end_(compressed_ ? std::numeric_limits<uint64_t>::max()
                             : split.offset() + split.length()),
      source_(OpenSource(file, split, FirstByte(split, format))),
      position_(FirstByte(split, format)),
      skip_first_(position_ != split.offset()) {
  buffer_.Reserve(std::max<size_t>(options_.block_bytes, format_.record_size));
}

absl::StatusOr<bool> BlockReader::Next(FileBlock* block) {
  if (done_) return false;
  // What is left of the last read is less than a line, as a rule: move it to the front.
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (skip_first_) SKEP_RETURN_IF_ERROR(SkipToFirstLine());
  while (true) {
    if (PendingOffset() >= split_end_) {
      done_ = true;
      return false;
    }
    SKEP_ASSIGN_OR_RETURN(const size_t cut, FindCut());
    if (cut > 0) {
      *block = {Pending().substr(0, cut), PendingOffset()};
      begin_ += cut;
      return true;
    }
    if (at_end_) {
      done_ = true;
      if (Pending().empty()) return false;
      return InvalidArgument(name_, ": ends with ", Pending().size(), " bytes at ",
                             PendingOffset(), " that are no whole record of ",
                             format_.record_size, " bytes");
    }
    SKEP_RETURN_IF_ERROR(Fill());
  }
}

absl::Status BlockReader::SkipToFirstLine() {
  uint64_t skipped = 0;
  while (true) {
    const size_t newline = Pending().find('\n');
    if (newline != std::string_view::npos) {
      begin_ += newline + 1;
      skip_first_ = false;
      return absl::OkStatus();
    }
    skipped += end_ - begin_;
    begin_ = end_ = 0;
    // The split in which this line begins fails too; reading on to the end of the file
    // in each of the others would take the square of its size.
    if (skipped > options_.max_line_bytes) return LineTooLong();
    if (at_end_ || PendingOffset() >= split_end_) {
      skip_first_ = false;
      return absl::OkStatus();
    }
    SKEP_RETURN_IF_ERROR(Fill());
  }
}

absl::StatusOr<size_t> BlockReader::FindCut() const {
  const std::string_view bytes = Pending();
  if (!IsLines(format_)) {
    const uint64_t left = split_end_ - PendingOffset();
    const uint64_t size = std::min<uint64_t>(bytes.size(), left);
    const bool full = end_ == buffer_.capacity() || at_end_ || size == left;
    return full ? size - size % format_.record_size : 0;
  }
  // The last line of the split is the one that holds the byte before its end.
  const uint64_t last = split_end_ - 1 - PendingOffset();
  if (last < bytes.size()) {
    const size_t newline = bytes.find('\n', last);
    if (newline != std::string_view::npos) return newline + 1;
  }
  if (at_end_) return bytes.size();
  if (end_ < buffer_.capacity() && last >= bytes.size())
    return 0;  // the block is small
  const size_t newline = bytes.rfind('\n', last);
  if (newline != std::string_view::npos) return newline + 1;
  if (bytes.size() > options_.max_line_bytes) return LineTooLong();
  return 0;
}

absl::Status BlockReader::Fill() {
  if (end_ == buffer_.capacity()) buffer_.Reserve(buffer_.capacity() * 2, end_);
  uint64_t room = buffer_.capacity() - end_;
  if (!compressed_) {
    const uint64_t left = split_end_ > position_ ? split_end_ - position_ : 0;
    room = std::min(room, left > 0 ? left : kReadBeyondEnd);
  }
  SKEP_ASSIGN_OR_RETURN(const size_t got, source_->Read(buffer_.data() + end_, room));
  end_ += got;
  position_ += got;
  at_end_ = got == 0;
  if (at_end_ && !compressed_ && position_ < file_size_) {
    return FailedPrecondition(
        name_, ": ends at byte ", position_, ", had ", file_size_,
        " bytes when the job was submitted: has it changed since?");
  }
  return absl::OkStatus();
}

absl::Status BlockReader::LineTooLong() const {
  return InvalidArgument(name_, ": a line of more than ", options_.max_line_bytes,
                         " bytes at or before byte ", PendingOffset(),
                         ": is this a text file?");
}

}  // namespace skep
