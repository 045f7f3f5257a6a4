// Which binary this is: a job's code travels by name, so both ends must be the same
// one.

#ifndef SKEP_TOOLS_BINARY_DIGEST_H_
#define SKEP_TOOLS_BINARY_DIGEST_H_

#include <string>

#include "absl/status/statusor.h"

namespace skep {

// The path of the running binary; /proc/self/exe where it has been replaced meanwhile.
std::string BinaryPath();

// 32 hex digits that name the running binary's content: of the linker's build id, or,
// where a linker leaves none, of the bytes, which are read once.
absl::StatusOr<std::string> BinaryDigest();

}  // namespace skep

#endif  // SKEP_TOOLS_BINARY_DIGEST_H_
