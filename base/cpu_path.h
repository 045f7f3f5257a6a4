// Which vector instructions a kernel may use: one binary serves every x86-64, and each
// kernel with several paths picks one at run time. All paths give the same results; the
// tests run every path that the machine has.

#ifndef SKEP_BASE_CPU_PATH_H_
#define SKEP_BASE_CPU_PATH_H_

#include <string_view>
#include <vector>

namespace skep {

enum class CpuPath {
  kScalar,  // plain x86-64
  kAvx2,    // AVX2, BMI1, BMI2, FMA
  kAvx512,  // those and AVX-512 F, BW, DQ, VL
};

// The best path of this machine. Cheap: found out once.
CpuPath BestCpuPath();

// Every path of this machine, the plain one first.
std::vector<CpuPath> SupportedCpuPaths();

// What some kernels need for their AVX-512 path that kAvx512 does not promise: it came
// with later machines.
enum class CpuExtra {
  kNone,
  kBitCounts,    // BITALG: bits of bytes and 16-bit words counted
  kByteShuffles  // VBMI and VPOPCNTDQ: bytes shuffled, bits of words counted
};
// The path that a kernel of such needs really takes when it is asked for `path`: that,
// or kAvx2 instead of kAvx512 where the machine lacks what it needs.
CpuPath TakenCpuPath(CpuPath path, CpuExtra needs);

// "scalar", "avx2", "avx512".
std::string_view CpuPathName(CpuPath path);

}  // namespace skep

#endif  // SKEP_BASE_CPU_PATH_H_
