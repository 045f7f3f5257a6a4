// Whole compressed files as their text: gzip (RFC 1952) and Zstandard (RFC 8878), told
// by content and never by name.
//
// Files of several members or frames, as `cat a.gz b.gz` and parallel compressors make
// them, are the concatenation of their texts. Memory is bounded whatever the ratio: the
// text comes in the pieces that are asked for.

#ifndef SKEP_STORAGE_COMPRESSION_H_
#define SKEP_STORAGE_COMPRESSION_H_

#include <memory>
#include <string>
#include <string_view>

#include "storage/byte_source.h"
#include "storage/input_split.pb.h"

namespace skep {

// As many bytes of a file's beginning as SniffCompression looks at.
inline constexpr size_t kSniffBytes = 4;

// By the magic number. A zstd file may begin with a skippable frame.
Compression SniffCompression(std::string_view beginning);

// The decompressed text of `compressed`. COMPRESSION_NONE gives `compressed` itself.
// Errors name `file_name` and how far into it they are: DataLoss where it is damaged or
// ends too early, InvalidArgument where it needs more memory than we give (zstd
// --long).
std::unique_ptr<ByteSource> Decompress(Compression compression,
                                       std::unique_ptr<ByteSource> compressed,
                                       std::string file_name);

}  // namespace skep

#endif  // SKEP_STORAGE_COMPRESSION_H_
