// The placements of a half board as masks of the diagonals that it shares with the
// other half, in the order in which disjoint pairs are counted fastest.

#ifndef SKEP_JOBS_KERNELS_RANKED_MASKS_H_
#define SKEP_JOBS_KERNELS_RANKED_MASKS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/cpu_path.h"
#include "jobs/kernels/queens_half.h"

namespace skep {

// Masks in three sections: placements that rank below a limit, at it, and above it.
// Within a section they are sorted by their key, the bits of the diagonals next to the
// middle, which are taken most often.
class RankedMasks {
 public:
  enum Section { kBelow, kEqual, kAbove };
  static constexpr int kMaxKeyBits = 14;  // even numbers up to this

  // How a placement becomes a mask. Of each direction `shared` diagonals cross both
  // halves; a mask holds those whose bits start at `first` and then those that start at
  // `second`.
  struct Projection {
    int shared, first, second;
  };

  // Bits of the keys with which buckets of so many masks hold a few hundred each.
  static int KeyBitsFor(size_t masks);

  // `gray`: the keys of consecutive buckets differ in one bit only.
  RankedMasks(Projection projection, bool gray, CpuPath path);

  // Takes the placements that leave the diagonals of `clash` free.
  void Take(const QueensHalf& half, QueensDiagonals clash, uint32_t limit,
            int key_bits);

  // The buckets of a section: bucket i has the key Key(i), and the masks begin(i) ..
  // begin(i + 1) - 1 of all().
  uint32_t buckets() const { return 1u << key_bits_; }
  uint32_t Key(uint32_t bucket) const { return gray_ ? bucket ^ bucket >> 1 : bucket; }
  size_t begin(Section section, uint32_t bucket) const {
    return begins_[section][bucket];
  }
  const uint64_t* all() const { return masks_.data(); }

 private:
  using ProjectAll = size_t (*)(std::span<const QueensDiagonals> placements,
                                QueensDiagonals clash, Projection projection,
                                uint64_t* out);
  void Sort(Section section, size_t from, size_t to);

  const Projection projection_;
  const bool gray_;
  const ProjectAll project_;
  int key_bits_ = 0;
  std::vector<uint64_t> unsorted_, masks_;
  std::array<std::vector<size_t>, 3> begins_;
  std::vector<uint32_t> bucket_of_, next_;  // work space
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_RANKED_MASKS_H_
