// The first bytes of a key as a number, for sorting and merging: most comparisons of
// keys end at one of numbers that lie side by side.

#ifndef SKEP_BASE_KEY_PREFIX_H_
#define SKEP_BASE_KEY_PREFIX_H_

#include <cstdint>
#include <string_view>

#include "base/coding.h"

namespace skep {

// The first 8 bytes, big-endian, zeros after the end. Where prefixes differ, keys are
// ordered as they are; equal ones decide nothing.
inline uint64_t KeyPrefix(std::string_view key) {
  if (key.size() >= 8) return LoadBig64(key.data());
  char padded[8] = {};
  key.copy(padded, key.size());
  return LoadBig64(padded);
}

}  // namespace skep

#endif  // SKEP_BASE_KEY_PREFIX_H_
