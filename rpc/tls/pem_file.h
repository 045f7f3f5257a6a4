// Keys and certificates in files.

#ifndef SKEP_RPC_TLS_PEM_FILE_H_
#define SKEP_RPC_TLS_PEM_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace skep {

// Makes the folder, if it is not there, for its owner alone.
absl::Status MakePrivateFolder(const std::string& path);

// A file, synced: for its owner's eyes, or for all. AlreadyExists for the private one:
// a key is never overwritten. The public one replaces what is there in one step, so
// that who reads it finds the old text or the new.
absl::Status WritePrivateFile(const std::string& path, std::string_view text);
absl::Status WritePublicFile(const std::string& path, std::string_view text);

// NotFound ends in `hint`: what makes such a file. PermissionDenied: others may read
// what should be private.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path,
                                            std::string_view hint);
absl::StatusOr<std::string> ReadPublicFile(const std::string& path,
                                           std::string_view hint);
// A public file that need not be there: "" then. FailedPrecondition: it is empty. One
// that cannot be read is not one that is not there.
absl::StatusOr<std::string> ReadIfThere(const std::string& path, std::string_view hint);

}  // namespace skep

#endif  // SKEP_RPC_TLS_PEM_FILE_H_
