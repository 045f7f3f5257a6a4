// The least and the greatest value that a sketch was given: its exact ends.

#ifndef SKEP_JOBS_KERNELS_SKETCH_RANGE_H_
#define SKEP_JOBS_KERNELS_SKETCH_RANGE_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/coding.h"

namespace skep {

struct SketchRange {
  // Of no values: the other way round.
  double least = std::numeric_limits<double>::infinity();
  double greatest = -std::numeric_limits<double>::infinity();

  void Add(double value) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  void Merge(const SketchRange& other) {
    least = std::min(least, other.least);
    greatest = std::max(greatest, other.greatest);
  }

  void AppendTo(std::string* bytes) const {
    PutBig64(bytes, std::bit_cast<uint64_t>(least));
    PutBig64(bytes, std::bit_cast<uint64_t>(greatest));
  }
  // False if the bytes end before it.
  bool ReadFrom(std::string_view* bytes) {
    uint64_t low = 0, high = 0;
    if (!GetBig64(bytes, &low) || !GetBig64(bytes, &high)) return false;
    least = std::bit_cast<double>(low);
    greatest = std::bit_cast<double>(high);
    return true;
  }
  // Whether it can be the range of so many values.
  bool IsOf(uint64_t count) const {
    return count == 0 ? least > greatest : least <= greatest;  // NaN is neither
  }
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SKETCH_RANGE_H_
