// A file of input as its submitter saw it, and the proof that another machine's file of
// that name is the same.

#ifndef SKEP_STORAGE_INPUT_FILE_H_
#define SKEP_STORAGE_INPUT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/file_system.h"
#include "storage/input_split.pb.h"

namespace skep {

// Describes the file at `path` (absolute), called `name` in messages. NotFound;
// PermissionDenied; InvalidArgument where it is a directory, device or pipe.
absl::StatusOr<InputFile> DescribeInputFile(FileSystem& fs, const std::string& path,
                                            const std::string& name);

// Ok if the file at expected.path here has the expected size and digest. NotFound if
// there is none, PermissionDenied if it cannot be read here: get it from the submitter.
// FailedPrecondition if it is another file:
// say so, with this host's name. The modification time is not compared: copies differ.
absl::Status VerifySameFile(FileSystem& fs, const InputFile& expected);

}  // namespace skep

#endif  // SKEP_STORAGE_INPUT_FILE_H_
