// The Random door: randomness is handed in, so that a run can be replayed from a seed.

#ifndef SKEP_BASE_RANDOM_H_
#define SKEP_BASE_RANDOM_H_

#include <cstdint>

namespace skep {

// xoshiro256** 1.0 (Blackman and Vigna, 2018), seeded through splitmix64. A standard
// UniformRandomBitGenerator; the same seed gives the same sequence on every machine.
// Not thread-safe, not for secrets.
class Random {
 public:
  using result_type = uint64_t;

  explicit Random(uint64_t seed);

  // A generator seeded by the operating system.
  static Random FromSystem();

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()();

  // Uniform in [0, bound), bound > 0, without bias (Lemire 2019, section 4).
  uint64_t Below(uint64_t bound);
  // Uniform in [0, 1).
  double Unit() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  // True with the given probability.
  bool Chance(double probability) { return Unit() < probability; }

 private:
  uint64_t state_[4];
};

// `bytes` of the operating system's randomness, for secrets and names.
void FillSystemRandom(void* out, int bytes);
uint64_t SystemRandom64();

}  // namespace skep

#endif  // SKEP_BASE_RANDOM_H_
