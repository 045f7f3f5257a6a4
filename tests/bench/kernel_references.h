// What the best public programs do on one core of a 2.3 GHz machine with AVX-512, as
// CPU time: printed below the rows of a family, so that each figure stands beside all
// that it is to be held against. Measured once, with their default settings; machines
// differ by 15 % and more.

#ifndef SKEP_TESTS_BENCH_KERNEL_REFERENCES_H_
#define SKEP_TESTS_BENCH_KERNEL_REFERENCES_H_

#include <span>
#include <string_view>

namespace skep {

struct KernelReference {
  std::string_view family;   // as KernelRow's
  std::string_view program;  // "tdoku"
  std::string_view figures;  // "17 clues 267,000/s, ..."
};

std::span<const KernelReference> KernelReferences();

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_KERNEL_REFERENCES_H_
