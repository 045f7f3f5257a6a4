// KLL: see quantile_sketch.h. Compactors in levels: a value of level h stands for 2^h.
// A full level is sorted and every second value, by a coin from the first or the second
// on, moves up. Capacities shrink by two thirds a level downwards from k at the top.

#ifndef SKEP_JOBS_KERNELS_SKETCH_KLL_H_
#define SKEP_JOBS_KERNELS_SKETCH_KLL_H_

#include <vector>

#include "base/random.h"
#include "jobs/kernels/quantile_sketch.h"
#include "jobs/kernels/sketch_range.h"

namespace skep {

class KllSketch final : public QuantileSketch {
 public:
  static constexpr int kDefaultK = 1000;

  explicit KllSketch(uint64_t seed, int k = kDefaultK);
  static absl::StatusOr<std::unique_ptr<KllSketch>> Parse(std::string_view bytes);

  using QuantileSketch::Add;
  void Add(double value) override {
    levels_[0].push_back(value);
    range_.Add(value);
    ++count_;
    if (levels_[0].size() >= room_at_bottom_) Compress();
  }
  void Merge(const QuantileSketch& other) override;
  uint64_t count() const override { return count_; }
  double ValueOfRank(uint64_t rank) override;
  std::string Bound() const override;
  size_t memory_used() const override;
  std::string Serialize() const override;

  // The bound on the error of a rank, as a part of all, with probability 0.99.
  double RankError() const;

 private:
  size_t CapacityOf(size_t level) const;
  void Compress();

  int k_;
  Random random_;
  uint64_t count_ = 0;
  SketchRange range_;
  std::vector<std::vector<double>> levels_ = std::vector<std::vector<double>>(1);
  size_t room_at_bottom_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SKETCH_KLL_H_
