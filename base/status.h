// Errors: absl::Status with short constructors and propagation macros.
//
// The code decides what is done about an error, so choose it with care:
//   InvalidArgument, NotFound, FailedPrecondition  the user's fault; final
//   Unavailable         something elsewhere is down; try again after a backoff
//   DeadlineExceeded    the caller's time is up
//   Cancelled           the caller no longer wants it
//   Aborted             stale (an old attempt, an old epoch); drop it
//   DataLoss            stored or shuffled bytes are damaged or gone; the map runs again
//   ResourceExhausted   no room here; the task moves elsewhere
//   Internal            our bug
// A message says what failed, on what, with the numbers.

#ifndef SKEP_BASE_STATUS_H_
#define SKEP_BASE_STATUS_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/strings.h"

namespace skep {

template <typename... Args>
absl::Status MakeStatus(absl::StatusCode code, const Args&... args) {
  return absl::Status(code, StrCat(args...));
}

#define SKEP_DEFINE_STATUS(Name)                         \
  template <typename... Args>                            \
  absl::Status Name(const Args&... args) {               \
    return MakeStatus(absl::StatusCode::k##Name, args...); \
  }
SKEP_DEFINE_STATUS(InvalidArgument)
SKEP_DEFINE_STATUS(NotFound)
SKEP_DEFINE_STATUS(AlreadyExists)
SKEP_DEFINE_STATUS(FailedPrecondition)
SKEP_DEFINE_STATUS(PermissionDenied)
SKEP_DEFINE_STATUS(Unavailable)
SKEP_DEFINE_STATUS(Unimplemented)
SKEP_DEFINE_STATUS(DeadlineExceeded)
SKEP_DEFINE_STATUS(Cancelled)
SKEP_DEFINE_STATUS(Aborted)
SKEP_DEFINE_STATUS(DataLoss)
SKEP_DEFINE_STATUS(ResourceExhausted)
SKEP_DEFINE_STATUS(OutOfRange)
SKEP_DEFINE_STATUS(Internal)
#undef SKEP_DEFINE_STATUS

// The message as a std::string_view.
inline std::string_view Message(const absl::Status& status) {
  return ToStd(status.message());
}

// `status` with "context: " put before its message; Ok stays Ok.
absl::Status Annotate(const absl::Status& status, std::string_view context);

// What failed in a system call: "open /tmp/x: No such file or directory", with the
// code that errno stands for (ENOENT NotFound, EACCES PermissionDenied, ENOSPC
// ResourceExhausted, ECONNREFUSED Unavailable, ...).
absl::Status ErrnoToStatus(int error_number, std::string_view what);

}  // namespace skep

#define SKEP_STATUS_CONCAT_INNER(a, b) a##b
#define SKEP_STATUS_CONCAT(a, b) SKEP_STATUS_CONCAT_INNER(a, b)

// Returns from the enclosing function if `expr` is an error. Works in functions
// that return absl::Status or absl::StatusOr.
#define SKEP_RETURN_IF_ERROR(expr)                            \
  do {                                                        \
    if (absl::Status skep_status = (expr); !skep_status.ok()) \
      return skep_status;                                     \
  } while (false)

// SKEP_ASSIGN_OR_RETURN(auto file, Open(path));
#define SKEP_ASSIGN_OR_RETURN(lhs, expr) \
  SKEP_ASSIGN_OR_RETURN_INNER(SKEP_STATUS_CONCAT(skep_or_, __LINE__), lhs, expr)
#define SKEP_ASSIGN_OR_RETURN_INNER(var, lhs, expr) \
  auto var = (expr);                                \
  if (!var.ok()) return std::move(var).status();    \
  lhs = *std::move(var)

#endif  // SKEP_BASE_STATUS_H_
