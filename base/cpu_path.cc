#include "base/cpu_path.h"

namespace skep {
namespace {

CpuPath FindBest() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("fma")) {
    return CpuPath::kScalar;
  }
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return CpuPath::kAvx2;
  }
  return CpuPath::kAvx512;
}

}  // namespace

CpuPath BestCpuPath() {
  static const CpuPath best = FindBest();
  return best;
}

std::vector<CpuPath> SupportedCpuPaths() {
  std::vector<CpuPath> paths = {CpuPath::kScalar};
  if (BestCpuPath() >= CpuPath::kAvx2) paths.push_back(CpuPath::kAvx2);
  if (BestCpuPath() >= CpuPath::kAvx512) paths.push_back(CpuPath::kAvx512);
  return paths;
}

CpuPath TakenCpuPath(CpuPath path, CpuExtra needs) {
  static const bool bit_counts = __builtin_cpu_supports("avx512bitalg");
  static const bool byte_shuffles =
      __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vbmi");
  if (path != CpuPath::kAvx512 || needs == CpuExtra::kNone) return path;
  const bool has = needs == CpuExtra::kBitCounts ? bit_counts : byte_shuffles;
  return has ? path : CpuPath::kAvx2;
}

std::string_view CpuPathName(CpuPath path) {
  switch (path) {
    case CpuPath::kScalar:
      return "scalar";
    case CpuPath::kAvx2:
      return "avx2";
    case CpuPath::kAvx512:
      return "avx512";
  }
  return "unknown";
}

}  // namespace skep
