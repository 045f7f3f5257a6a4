// What a user may name as input, turned into files.
//
//   a file            itself
//   a directory       every file below it: hidden names (".x") are skipped, links to
//                     files are followed, links to directories are not (so a cycle of
//                     links is harmless); devices, pipes and sockets are skipped, and
//                     so are links that lead nowhere, with a warning
//   a glob (glob.h)   what matches, unless a file of just that name exists
//
// "-" is the caller's. The order is defined, so that splits and answers are: arguments
// as given, matches and directories in byte order of the names. A file named twice is
// read twice.

#ifndef SKEP_STORAGE_INPUT_LIST_H_
#define SKEP_STORAGE_INPUT_LIST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/file_system.h"
#include "storage/input_split.pb.h"

namespace skep {

// Beyond this the descriptions alone would take more memory than a master should give.
inline constexpr size_t kMaxInputFiles = 1'000'000;

// Relative arguments stand in `working_directory`, which is absolute. Errors name the
// argument or file: NotFound (no such file, nothing matches, a directory without
// files), PermissionDenied, InvalidArgument (no arguments, too many files, a pipe or
// device). What was skipped though it may stand for data that is missing is appended to
// `*warnings`, if not null: at most kMaxInputWarnings lines, the last one says how many
// more there are.
inline constexpr size_t kMaxInputWarnings = 20;
absl::StatusOr<std::vector<InputFile>> ListInputs(
    FileSystem& fs, const std::string& working_directory,
    const std::vector<std::string>& arguments,
    std::vector<std::string>* warnings = nullptr);

}  // namespace skep

#endif  // SKEP_STORAGE_INPUT_LIST_H_
