// A file that a command writes when it is done, as --html and --plot name one.

#ifndef SKEP_TOOLS_OUTPUT_FILE_H_
#define SKEP_TOOLS_OUTPUT_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace skep {

// Whether WriteOutputFile could write it now: asked before the work, so that nobody
// learns after minutes that a folder is not there. `flag` is for the message: "--html".
// Ok for "". Errors of both end the command with kFiles.
absl::Status CheckOutputFile(std::string_view flag, const std::string& path);

// Puts the file there as a whole, in place of one that was there; a device or a pipe is
// written to. Does nothing for "".
absl::Status WriteOutputFile(std::string_view flag, const std::string& path,
                             std::string_view bytes);

}  // namespace skep

#endif  // SKEP_TOOLS_OUTPUT_FILE_H_
