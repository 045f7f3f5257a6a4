// File name patterns, for a user whose shell did not expand them (quoted, or a
// program).

#ifndef SKEP_STORAGE_GLOB_H_
#define SKEP_STORAGE_GLOB_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/file_system.h"

namespace skep {

// Whether one path component matches: * any bytes, ? one byte, [a-z] and [!a-z] or
// [^a-z] one of a set, \x the byte x. As in the shell, a leading '.' is matched by '.'
// only. A '[' without its ']' stands for itself.
bool GlobMatch(std::string_view pattern, std::string_view name);

// Whether it contains *, ? or [.
bool IsGlob(std::string_view text);

// The paths that match, in byte order of their components; relative patterns stand in
// `directory` and give relative paths. Empty where nothing matches.
absl::StatusOr<std::vector<std::string>> ExpandGlob(FileSystem& fs,
                                                    const std::string& directory,
                                                    std::string_view pattern);

}  // namespace skep

#endif  // SKEP_STORAGE_GLOB_H_
