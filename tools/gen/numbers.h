// Random numbers as text, one a line, or as binary of 8 bytes each: the formats that
// the jobs over numbers read. The same for the same options on every machine.

#ifndef SKEP_TOOLS_GEN_NUMBERS_H_
#define SKEP_TOOLS_GEN_NUMBERS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "tools/gen/sink.h"

namespace skep {

struct NumbersOptions {
  enum class Type {
    kI64,  // uniform over all 64-bit integers
    kF64,  // uniform in [0, 1), multiples of 2^-53; text has the shortest exact form
  };
  Type type = Type::kI64;
  bool binary = false;  // little-endian
  uint64_t count = 1'000'000;
  uint64_t seed = 1;
};

absl::Status GenerateNumbers(const NumbersOptions& options, const Sink& sink);

}  // namespace skep

#endif  // SKEP_TOOLS_GEN_NUMBERS_H_
