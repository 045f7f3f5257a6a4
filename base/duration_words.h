// Durations as people say them.

#ifndef SKEP_BASE_DURATION_WORDS_H_
#define SKEP_BASE_DURATION_WORDS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "base/strings.h"

namespace skep {

// "34 s", "12 minutes", "5 hours", "40 days", "600 years": rounded, at least two of
// each.
inline std::string InWords(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  const auto rounded = [seconds](double unit) {
    return StrCat(static_cast<int64_t>(seconds / unit + 0.5));
  };
  constexpr double kHour = 3600, kDay = 24 * kHour, kYear = 365 * kDay;
  if (seconds < 120) return rounded(1) + " s";
  if (seconds < 2 * kHour) return rounded(60) + " minutes";
  if (seconds < 2 * kDay) return rounded(kHour) + " hours";
  if (seconds < 2 * kYear) return rounded(kDay) + " days";
  return rounded(kYear) + " years";
}

}  // namespace skep

#endif  // SKEP_BASE_DURATION_WORDS_H_
