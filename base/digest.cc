#include "base/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/str_format.h"

namespace skep {

uint64_t Digest64(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

struct StreamingDigest64::State {
  XXH3_state_t xxh3;
};

StreamingDigest64::StreamingDigest64() : state_(std::make_unique<State>()) {
  XXH3_64bits_reset(&state_->xxh3);
}
StreamingDigest64::~StreamingDigest64() = default;

void StreamingDigest64::Add(std::string_view bytes) {
  XXH3_64bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

uint64_t StreamingDigest64::value() const { return XXH3_64bits_digest(&state_->xxh3); }

std::string Digest128::ToString() const { return absl::StrFormat("%016x%016x", high, low); }

Digest128 DigestOf(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

void RecordDigest::Add(std::string_view key, std::string_view value) {
  // The value's digest is seeded with the key's length and digest, so that moving a
  // byte from key to value changes the sum.
  const uint64_t seed = XXH3_64bits_withSeed(key.data(), key.size(), key.size());
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(value.data(), value.size(), seed);
  Merge({hash.low64 ^ seed, hash.high64 + seed});
}

void RecordDigest::Merge(const Digest128& other) {
  sum_.low += other.low;
  sum_.high += other.high + (sum_.low < other.low ? 1 : 0);
}

}  // namespace skep
