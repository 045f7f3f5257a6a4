#include "storage/compression.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <cstdint>
#include <utility>

#include "base/coding.h"
#include "base/status.h"
#include "storage/raw_buffer.h"

namespace skep {
namespace {

constexpr size_t kInputBytes = size_t{256} << 10;

// The compressed side of a decompressor: a buffer over a source that knows how far into
// the file it is.
class Input {
 public:
  Input(std::unique_ptr<ByteSource> source, std::string name)
      : source_(std::move(source)), name_(std::move(name)) {
    buffer_.Reserve(kInputBytes);
  }

  // Has bytes, or is at the end of the file.
  absl::Status Fill() {
    if (!bytes_.empty() || at_end_) return absl::OkStatus();
    SKEP_ASSIGN_OR_RETURN(const size_t got, source_->Read(buffer_.data(), kInputBytes));
    bytes_ = {buffer_.data(), got};
    at_end_ = got == 0;
    return absl::OkStatus();
  }
  void Take(size_t n) {
    bytes_.remove_prefix(n);
    offset_ += n;
  }
  std::string_view bytes() const { return bytes_; }
  bool at_end() const { return at_end_ && bytes_.empty(); }

  absl::Status Damaged(std::string_view format, uint64_t text_bytes,
                       std::string_view what) const {
    return DataLoss(name_, ": damaged ", format, " file near byte ", offset_,
                    " (after ", text_bytes, " bytes of text): ", what);
  }
  absl::Status Truncated(std::string_view format, uint64_t text_bytes) const {
    return DataLoss(name_, ": ", format, " file ends too early, at byte ", offset_,
                    " (after ", text_bytes, " bytes of text): is the copy complete?");
  }
  const std::string& name() const { return name_; }

 private:
  const std::unique_ptr<ByteSource> source_;
  const std::string name_;
  RawBuffer buffer_;
  std::string_view bytes_;  // of buffer_, not yet taken
  uint64_t offset_ = 0;     // in the file, of bytes_
  bool at_end_ = false;
};

class GzipSource final : public ByteSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> source, std::string name)
      : input_(std::move(source), std::move(name)) {
    constexpr int kGzipOnly = 16;  // added to the window's bits: see inflateInit2
    initialized_ = inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK;
  }
  ~GzipSource() override {
    if (initialized_) inflateEnd(&stream_);
  }

  absl::StatusOr<size_t> Read(char* out, size_t size) override {
    if (!initialized_)
      return ResourceExhausted(input_.name(), ": no memory to inflate");
    const uInt wanted = static_cast<uInt>(std::min<size_t>(size, 1u << 30));
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = wanted;
    while (stream_.avail_out == wanted) {
      SKEP_RETURN_IF_ERROR(input_.Fill());
      if (!in_member_) {
        SKEP_ASSIGN_OR_RETURN(const bool more, BeginMember());
        if (!more) return 0;
      }
      if (input_.at_end()) return input_.Truncated("gzip", text_bytes_);
      SKEP_RETURN_IF_ERROR(Inflate());
    }
    const size_t got = wanted - stream_.avail_out;
    text_bytes_ += got;
    return got;
  }

 private:
  // Between members: false at the end of the file. Zeros after a member are padding, as
  // tapes and block devices leave it, and gzip(1) accepts them too.
  absl::StatusOr<bool> BeginMember() {
    while (members_ > 0 && !input_.at_end() && input_.bytes()[0] == '\0') {
      padded_ = true;
      input_.Take(1);
      SKEP_RETURN_IF_ERROR(input_.Fill());
    }
    if (input_.at_end()) return false;
    if (padded_) {
      return input_.Damaged("gzip", text_bytes_,
                            "bytes that are not gzip after padding");
    }
    in_member_ = true;
    ++members_;
    inflateReset(&stream_);
    return true;
  }

  absl::Status Inflate() {
    const std::string_view bytes = input_.bytes();
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = bytes.size();
    const int result = inflate(&stream_, Z_NO_FLUSH);
    input_.Take(bytes.size() - stream_.avail_in);
    if (result == Z_STREAM_END) {
      in_member_ = false;
      return absl::OkStatus();
    }
    if (result == Z_OK) return absl::OkStatus();
    if (result == Z_MEM_ERROR) {
      return ResourceExhausted(input_.name(), ": no memory to inflate");
    }
    return input_.Damaged("gzip", text_bytes_,
                          stream_.msg != nullptr ? stream_.msg : "cannot be inflated");
  }

  Input input_;
  z_stream stream_ = {};
  bool initialized_ = false;
  bool in_member_ = false;
  bool padded_ = false;
  uint64_t members_ = 0;
  uint64_t text_bytes_ = 0;
};

class ZstdSource final : public ByteSource {
 public:
  ZstdSource(std::unique_ptr<ByteSource> source, std::string name)
      : input_(std::move(source), std::move(name)), context_(ZSTD_createDCtx()) {}
  ~ZstdSource() override { ZSTD_freeDCtx(context_); }

  absl::StatusOr<size_t> Read(char* out, size_t size) override {
    if (context_ == nullptr) {
      return ResourceExhausted(input_.name(), ": no memory to decompress");
    }
    ZSTD_outBuffer output = {out, size, 0};
    while (output.pos == 0) {
      SKEP_RETURN_IF_ERROR(input_.Fill());
      const std::string_view bytes = input_.bytes();
      // At the end of the input text may still be held back inside a frame.
      if (input_.at_end() && !in_frame_) return 0;
      ZSTD_inBuffer input = {bytes.data(), bytes.size(), 0};
      const size_t result = ZSTD_decompressStream(context_, &output, &input);
      input_.Take(input.pos);
      if (ZSTD_isError(result)) return Failed(result);
      in_frame_ = result != 0;
      if (input_.at_end() && in_frame_ && output.pos == 0) {
        return input_.Truncated("zstd", text_bytes_);
      }
    }
    text_bytes_ += output.pos;
    return output.pos;
  }

 private:
  absl::Status Failed(size_t result) const {
    if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge) {
      return InvalidArgument(
          input_.name(), ": needs a window of over 128 MiB to be ",
          "decompressed; compress it again without --long or --ultra");
    }
    return input_.Damaged("zstd", text_bytes_, ZSTD_getErrorName(result));
  }

  Input input_;
  ZSTD_DCtx* const context_;
  bool in_frame_ = false;
  uint64_t text_bytes_ = 0;
};

}  // namespace

Compression SniffCompression(std::string_view beginning) {
  if (beginning.size() < kSniffBytes) return COMPRESSION_NONE;  // no such file is whole
  // RFC 1952, 2.3.1: two bytes of magic, method 8, and flags whose upper bits are 0.
  if (beginning.starts_with("\x1f\x8b\x08") && (beginning[3] & 0xe0) == 0) {
    return COMPRESSION_GZIP;
  }
  const uint32_t magic = LoadLittle<uint32_t>(beginning.data());
  if (magic == ZSTD_MAGICNUMBER ||
      (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START) {
    return COMPRESSION_ZSTD;
  }
  return COMPRESSION_NONE;
}

std::unique_ptr<ByteSource> Decompress(Compression compression,
                                       std::unique_ptr<ByteSource> compressed,
                                       std::string file_name) {
  switch (compression) {
    case COMPRESSION_GZIP:
      return std::make_unique<GzipSource>(std::move(compressed), std::move(file_name));
    case COMPRESSION_ZSTD:
      return std::make_unique<ZstdSource>(std::move(compressed), std::move(file_name));
    default:
      return compressed;
  }
}

}  // namespace skep
