#include "base/log_filter.h"

namespace skep {

bool LogFilter::Passes(const std::string& what, absl::Time now) {
  MutexLock lock(mutex_);
  std::erase_if(said_, [now](const auto& entry) {
    return now - entry.second >= kAgainAfter || now < entry.second;
  });
  if (said_.count(what) != 0 || said_.size() >= kMostAMinute) return false;
  said_.emplace(what, now);
  return true;
}

}  // namespace skep
