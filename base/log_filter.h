// Which lines about what goes wrong again and again are worth writing.

#ifndef SKEP_BASE_LOG_FILTER_H_
#define SKEP_BASE_LOG_FILTER_H_

#include <cstddef>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace skep {

// The same is said once a minute, and a hundred things in all: whoever can connect can
// cause them. Thread-safe.
class LogFilter {
 public:
  static constexpr absl::Duration kAgainAfter = absl::Minutes(1);
  static constexpr size_t kMostAMinute = 100;

  // `what`: without what is another each time, as a peer's port.
  bool Passes(const std::string& what, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::map<std::string, absl::Time> said_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace skep

#endif  // SKEP_BASE_LOG_FILTER_H_
