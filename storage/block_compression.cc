#include "storage/block_compression.h"

#include <zstd.h>

#include <memory>

#include "base/status.h"

namespace skep {
namespace {

constexpr int kLevel = 1;

ZSTD_CCtx* ThreadCompressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(
      ZSTD_createCCtx(), &ZSTD_freeCCtx);
  return context.get();
}

ZSTD_DCtx* ThreadDecompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(
      ZSTD_createDCtx(), &ZSTD_freeDCtx);
  return context.get();
}

}  // namespace

size_t MaxCompressedSize(size_t raw_size) { return ZSTD_compressBound(raw_size); }

size_t CompressBlock(std::string_view raw, char* out) {
  ZSTD_CCtx* const context = ThreadCompressor();
  if (context == nullptr) return 0;  // no memory: storing it raw still works
  const size_t size = ZSTD_compressCCtx(context, out, MaxCompressedSize(raw.size()),
                                        raw.data(), raw.size(), kLevel);
  return ZSTD_isError(size) || size >= raw.size() ? 0 : size;
}

absl::Status DecompressBlock(std::string_view stored, size_t raw_size, char* out) {
  ZSTD_DCtx* const context = ThreadDecompressor();
  if (context == nullptr) return ResourceExhausted("no memory for a zstd context");
  const size_t size =
      ZSTD_decompressDCtx(context, out, raw_size, stored.data(), stored.size());
  if (ZSTD_isError(size)) {
    return DataLoss("a block of ", stored.size(),
                    " bytes cannot be decompressed: ", ZSTD_getErrorName(size));
  }
  if (size != raw_size) {
    return DataLoss("a block of ", stored.size(), " bytes decompresses to ", size,
                    " bytes, should be ", raw_size);
  }
  return absl::OkStatus();
}

}  // namespace skep
