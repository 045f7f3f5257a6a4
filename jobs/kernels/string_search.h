// Searching and counting bytes in a text, at the speed of its vectors.

#ifndef SKEP_JOBS_KERNELS_STRING_SEARCH_H_
#define SKEP_JOBS_KERNELS_STRING_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/cpu_path.h"

namespace skep {

// Where `needle` first stands in the text at or after `from`, npos if it does not, as
// std::string_view::find. Linear in the size of the text whatever both hold.
size_t FindString(std::string_view text, std::string_view needle, size_t from = 0,
                  CpuPath path = BestCpuPath());

// How many '\n' there are.
uint64_t CountLineEnds(std::string_view text, CpuPath path = BestCpuPath());

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_STRING_SEARCH_H_
