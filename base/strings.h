// Strings at the border between std and Debian's abseil.
//
// Debian built abseil with its own string_view, which does not convert to or
// from std's. The rule of this project: our interfaces take and return
// std::string_view; absl::string_view appears only at abseil's doors, through
// ToAbsl and ToStd below. Use skep::StrCat and skep::StrAppend: they take both.

#ifndef SKEP_BASE_STRINGS_H_
#define SKEP_BASE_STRINGS_H_

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace skep {

inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }

namespace strings_internal {
template <typename T>
decltype(auto) Arg(const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return ToAbsl(value);
  } else if constexpr (requires { value.ToString(); }) {
    return value.ToString();
  } else {
    return (value);
  }
}
}  // namespace strings_internal

// absl::StrCat that also takes std::string_view and anything with ToString().
template <typename... Args>
std::string StrCat(const Args&... args) {
  return absl::StrCat(absl::AlphaNum(strings_internal::Arg(args))...);
}

// absl::StrAppend, likewise.
template <typename... Args>
void StrAppend(std::string* out, const Args&... args) {
  absl::StrAppend(out, absl::AlphaNum(strings_internal::Arg(args))...);
}

}  // namespace skep

#endif  // SKEP_BASE_STRINGS_H_
