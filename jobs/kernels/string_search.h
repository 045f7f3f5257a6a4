// Searching and counting bytes in a text, at the speed of its vectors.

#ifndef SKEP_JOBS_KERNELS_STRING_SEARCH_H_
#define SKEP_JOBS_KERNELS_STRING_SEARCH_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/cpu_path.h"

namespace skep {

// Finds one string in many texts. Thread-safe.
//
// The two bytes of the string that are rarest in texts are compared with 16, 32 or 64
// places at once (the SSE2 of every x86-64, AVX2, AVX-512); where both agree, the rest
// is. Linear in the size of the text whatever both hold.
class StringFinder {
 public:
  // With `fold_case` A-Z and a-z match each other; other bytes are themselves.
  explicit StringFinder(std::string_view needle, bool fold_case = false,
                        CpuPath path = BestCpuPath());

  // Where the string first stands in the text at or after `from`, npos if it does not,
  // as std::string_view::find.
  size_t Find(std::string_view text, size_t from = 0) const;

  const std::string& needle() const { return needle_; }

 private:
  // A byte of the needle, and the bit that is ignored in it: 0x20 in letters that match
  // both ways.
  struct Probe {
    size_t at = 0;
    uint8_t byte = 0;
    uint8_t ignored = 0;
  };

  Probe MakeProbe(size_t at) const;
  bool MatchesAt(const char* text) const;
  // Of places below `places`; reads at most as far as needles there reach. `*at` is
  // where the search was given up because too many candidates failed, or `places`.
  size_t FindSse2(const char* text, size_t places, size_t* at) const;
  size_t FindAvx2(const char* text, size_t places, size_t* at) const;
  size_t FindAvx512(const char* text, size_t places, size_t* at) const;
  size_t FindPlain(std::string_view text, size_t from) const;

  std::string needle_;  // folded if fold_case_
  bool fold_case_;
  CpuPath path_;
  Probe rarest_, second_;
};

// Where `needle` first stands in the text at or after `from`, npos if it does not.
size_t FindString(std::string_view text, std::string_view needle, size_t from = 0,
                  CpuPath path = BestCpuPath());

// Which part of a text's bytes are of these, very roughly.
double ByteShare(const std::bitset<256>& bytes);

// How many '\n' there are.
uint64_t CountLineEnds(std::string_view text, CpuPath path = BestCpuPath());

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_STRING_SEARCH_H_
