// Whether what a command printed has arrived.

#ifndef SKEP_TOOLS_STANDARD_OUTPUT_H_
#define SKEP_TOOLS_STANDARD_OUTPUT_H_

#include "absl/status/status.h"

namespace skep {

// Flushes stdout. An error if anything that was ever printed to it is lost, for a full
// disk or a descriptor that is closed; a reader that has gone away (`| head`) is none.
absl::Status FlushStandardOutput();

// What a failed write to standard output means to its user: ends the command with
// kFiles.
absl::Status StandardOutputError(int error_number);

}  // namespace skep

#endif  // SKEP_TOOLS_STANDARD_OUTPUT_H_
