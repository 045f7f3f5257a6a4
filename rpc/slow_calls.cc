#include "rpc/slow_calls.h"

#include <utility>

#include "base/status.h"
#include "base/strings.h"

namespace skep {

std::string SlowCallRule::ToString() const {
  if (at_least > absl::ZeroDuration()) {
    return StrCat("the last calls of ", absl::FormatDuration(at_least), " and more");
  }
  return "the slowest call of each second, where over the p99 of its kind";
}

absl::StatusOr<SlowCallRule> SlowCallRule::Parse(const std::string& text) {
  SlowCallRule rule;
  if (text == "p99") return rule;
  if (absl::ParseDuration(text, &rule.at_least) &&
      rule.at_least > absl::ZeroDuration()) {
    return rule;
  }
  return InvalidArgument("'", text,
                         "' does not say which calls are slow: say p99 or a time as in "
                         "100ms");
}

void SlowCallLog::Add(SlowCall call) {
  const int64_t second = absl::ToUnixSeconds(call.ended);
  const int64_t total = absl::ToInt64Nanoseconds(call.total());
  MutexLock lock(mutex_);
  if (rule_.at_least <= absl::ZeroDuration()) {
    if (!calls_.empty() && absl::ToUnixSeconds(calls_.back().ended) == second) {
      if (total <= absl::ToInt64Nanoseconds(calls_.back().total())) return;
      calls_.pop_back();
    }
    second_.store(second, std::memory_order_relaxed);
    slowest_.store(total, std::memory_order_relaxed);
  }
  calls_.push_back(std::move(call));
  if (calls_.size() > rule_.kept) calls_.pop_front();
}

std::vector<SlowCall> SlowCallLog::Newest() const {
  MutexLock lock(mutex_);
  return {calls_.rbegin(), calls_.rend()};
}

}  // namespace skep
