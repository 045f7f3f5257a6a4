// Tables that test a mask against 512 others at once: which of them have no bit in
// common with it.

#ifndef SKEP_JOBS_KERNELS_PAIR_TABLES_H_
#define SKEP_JOBS_KERNELS_PAIR_TABLES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/cpu_path.h"

namespace skep {

inline constexpr int kMaxPairBits = 60;

// Their CPU path is TakenCpuPath(path, kPairTablesNeed).
inline constexpr CpuExtra kPairTablesNeed = CpuExtra::kByteShuffles;

// A mask is read in chunks of five or six bits. For each chunk and each value of it,
// a row of 512 bits says which masks of the group are disjoint from that value; the AND
// of a mask's rows, one a chunk, says which are disjoint from it. Not thread-safe.
class PairTables {
 public:
  static constexpr size_t kGroup = 512;

  // Masks have bits below `bits` only, 1 <= bits <= kMaxPairBits.
  explicit PairTables(int bits, CpuPath path = BestCpuPath());
  ~PairTables();

  // Makes the tables for a group of at most kGroup masks. About 2,000 cycles.
  void Fill(std::span<const uint64_t> group);
  // Counts the pairs of one of `masks` and one of the group that share no bit. About
  // four cycles a mask.
  uint64_t Count(std::span<const uint64_t> masks) const { return count_(*this, masks); }

  // One bit for each mask of the group.
  struct alignas(64) Row {
    uint64_t words[kGroup / 64];
  };
  // How the bits are cut: the first `sixes` chunks have six bits, the others five.
  struct Layout {
    int chunks, sixes;
    constexpr int Width(int chunk) const { return chunk < sixes ? 6 : 5; }
    constexpr int Shift(int chunk) const {
      return 5 * chunk + (chunk < sixes ? chunk : sixes);
    }
    // The chunk's first row.
    constexpr int FirstRow(int chunk) const {
      return 32 * chunk + 32 * (chunk < sixes ? chunk : sixes);
    }
  };
  static constexpr Layout LayoutOf(int bits) {
    const int chunks = (bits + 5) / 6;
    return {chunks, bits > 5 * chunks ? bits - 5 * chunks : 0};
  }

 private:
  using Transpose = void (*)(std::span<const uint64_t> group, int bits, Row* has);
  using FillRows = void (*)(const Row* has, const Row& valid, Layout layout, Row* rows);
  using CountMasks = uint64_t (*)(const PairTables&, std::span<const uint64_t>);
  friend struct PairKernels;

  const int bits_;
  const Layout layout_;
  Transpose transpose_;
  FillRows fill_rows_;
  CountMasks count_;
  std::unique_ptr<Row[]> rows_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_PAIR_TABLES_H_
