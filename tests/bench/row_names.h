// How --only chooses rows: by their names or a part of them, in small or capital
// letters.

#ifndef SKEP_TESTS_BENCH_ROW_NAMES_H_
#define SKEP_TESTS_BENCH_ROW_NAMES_H_

#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/strings.h"

namespace skep {

// The whole name.
inline bool IsNamed(std::string_view name, std::string_view only) {
  return absl::EqualsIgnoreCase(ToAbsl(name), ToAbsl(only));
}

inline bool NameContains(std::string_view name, std::string_view only) {
  return absl::StrContains(absl::AsciiStrToLower(ToAbsl(name)),
                           absl::AsciiStrToLower(ToAbsl(only)));
}

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_ROW_NAMES_H_
