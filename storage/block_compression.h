// Blocks of up to some MiB compressed whole, for the shuffle: zstd at level 1, the
// level at which it is faster than the network and the disk that it spares.
//
// Thread-safe; each thread keeps one compression context, since making one costs more
// than compressing a block.

#ifndef SKEP_STORAGE_BLOCK_COMPRESSION_H_
#define SKEP_STORAGE_BLOCK_COMPRESSION_H_

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace skep {

// Room that CompressBlock may need for `raw_size` bytes.
size_t MaxCompressedSize(size_t raw_size);

// Compresses into `out`, which has room for MaxCompressedSize; the compressed size, or
// 0 where compressing does not make the block smaller: then store it as it is.
size_t CompressBlock(std::string_view raw, char* out);

// Decompresses to exactly `raw_size` bytes at `out`. DataLoss where `stored` is damaged
// or is not of that size; never writes more.
absl::Status DecompressBlock(std::string_view stored, size_t raw_size, char* out);

}  // namespace skep

#endif  // SKEP_STORAGE_BLOCK_COMPRESSION_H_
