#include "base/random.h"

#include <bit>
#include <glog/logging.h>
#include <sys/random.h>

namespace skep {

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

Random Random::FromSystem() { return Random(SystemRandom64()); }

uint64_t Random::operator()() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Random::Below(uint64_t bound) {
  unsigned __int128 product = static_cast<unsigned __int128>((*this)()) * bound;
  if (static_cast<uint64_t>(product) < bound) {
    const uint64_t threshold = -bound % bound;
    while (static_cast<uint64_t>(product) < threshold) {
      product = static_cast<unsigned __int128>((*this)()) * bound;
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

void FillSystemRandom(void* out, int bytes) {
  // Up to 256 bytes never come back short (getrandom(2)).
  CHECK_LE(bytes, 256);
  CHECK_EQ(getrandom(out, bytes, 0), bytes);
}

uint64_t SystemRandom64() {
  uint64_t value;
  FillSystemRandom(&value, sizeof value);
  return value;
}

}  // namespace skep
