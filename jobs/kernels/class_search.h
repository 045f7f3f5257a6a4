// Finding sequences of byte classes, as "[0-9][0-9]", at the speed of vectors.

#ifndef SKEP_JOBS_KERNELS_CLASS_SEARCH_H_
#define SKEP_JOBS_KERNELS_CLASS_SEARCH_H_

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/cpu_path.h"

namespace skep {

// Finds one sequence in many texts. Thread-safe.
//
// Whether a byte is in a class is looked up for 32 or 64 bytes at once, by its halves
// in two tables of 16 (W. Mula; G. Langdale's Teddy and Hyperscan do the like): a bit
// stands for the lower halves that some upper halves share. The SSE2 of every x86-64
// has no such tables: 16 bytes are compared with the ends of up to three ranges that
// cover the class. Of up to three positions, the rarest ones, fewer if those are rare;
// where all agree, the whole sequence is compared.
class ClassFinder {
 public:
  static constexpr size_t kMaxSize = 16;

  // 1 to kMaxSize classes.
  explicit ClassFinder(const std::vector<std::bitset<256>>& classes,
                       CpuPath path = BestCpuPath());

  // Where the sequence first stands in the text at or after `from`, npos if it does
  // not.
  size_t Find(std::string_view text, size_t from = 0) const;

 private:
  static constexpr size_t kMaxRanges = 3;
  struct Range {
    uint8_t first = 0, last = 0;
  };
  struct Probe {
    size_t at = 0;
    alignas(16) std::array<uint8_t, 16> low{}, high{};
    std::array<Range, kMaxRanges> ranges{};  // all of the class, the last one repeated
    size_t range_count = 0;
  };

  static Probe MakeProbe(const std::bitset<256>& bytes, size_t at);
  static void MakeRanges(const std::bitset<256>& bytes, Probe* probe);
  bool MatchesAt(const char* text) const;
  // Of places below `places`; reads at most as far as sequences there reach. `*at` is
  // how far it looked if it finds none.
  template <int kProbes, int kRanges>
  size_t FindSse2(const char* text, size_t places, size_t* at) const;
  size_t FindByRanges(const char* text, size_t places, size_t* at) const;
  template <int kProbes>
  size_t FindAvx2(const char* text, size_t places, size_t* at) const;
  template <int kProbes>
  size_t FindAvx512(const char* text, size_t places, size_t* at) const;

  size_t size_;
  CpuPath path_;
  std::vector<Probe> probes_;              // one to three
  std::array<uint16_t, 256> positions_{};  // at which a byte may stand, a bit each
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_CLASS_SEARCH_H_
