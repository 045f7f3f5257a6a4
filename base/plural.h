// Numbers of things, for people.

#ifndef SKEP_BASE_PLURAL_H_
#define SKEP_BASE_PLURAL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/strings.h"

namespace skep {

// "1 backend", "3 backends"; `many` where that is not `one` and an s.
inline std::string Counted(uint64_t n, std::string_view one,
                           std::string_view many = "") {
  if (n == 1) return StrCat("1 ", one);
  return many.empty() ? StrCat(n, " ", one, "s") : StrCat(n, " ", many);
}

}  // namespace skep

#endif  // SKEP_BASE_PLURAL_H_
