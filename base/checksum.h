// Adler-32 (RFC 1950, section 8.2), the checksum of every frame on the wire.

#ifndef SKEP_BASE_CHECKSUM_H_
#define SKEP_BASE_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace skep {

inline constexpr uint32_t kAdler32Init = 1;

// Extends `adler` by `bytes`.
uint32_t Adler32(uint32_t adler, std::string_view bytes);
inline uint32_t Adler32(std::string_view bytes) { return Adler32(kAdler32Init, bytes); }

// The ways to compute it that this machine has, the one that is used last: for tests.
using Adler32Function = uint32_t (*)(uint32_t, std::string_view);
std::vector<Adler32Function> Adler32Functions();

// The checksum after bytes changed in place, in time proportional to the change: `adler`
// is that of `total` bytes of which those at `offset` were `before` and now are `after`
// (the same length).
uint32_t PatchAdler32(uint32_t adler, size_t total, size_t offset,
                      std::string_view before, std::string_view after);

}  // namespace skep

#endif  // SKEP_BASE_CHECKSUM_H_
