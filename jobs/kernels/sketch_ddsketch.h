// DDSketch: see quantile_sketch.h. Counts values by the whole part of their logarithm
// to the base (1 + a) / (1 - a): each value of a bucket is within a of the bucket's
// middle. Buckets are never joined, so the bound holds always; doubles have some
// 142,000 of 1 %.

#ifndef SKEP_JOBS_KERNELS_SKETCH_DDSKETCH_H_
#define SKEP_JOBS_KERNELS_SKETCH_DDSKETCH_H_

#include <cmath>
#include <map>

#include "jobs/kernels/quantile_sketch.h"

namespace skep {

class DdSketch final : public QuantileSketch {
 public:
  static constexpr double kDefaultError = 0.01;

  // 0 < error < 1: of a value, relative to it.
  explicit DdSketch(double error = kDefaultError);
  static absl::StatusOr<std::unique_ptr<DdSketch>> Parse(std::string_view bytes);

  using QuantileSketch::Add;
  void Add(double value) override;
  void Merge(const QuantileSketch& other) override;
  uint64_t count() const override { return count_; }
  double ValueOfRank(uint64_t rank) override;
  std::string Bound() const override;
  size_t memory_used() const override;
  std::string Serialize() const override;

  double error() const { return error_; }

 private:
  double ValueOfBucket(int bucket) const;

  double error_;
  double log_base_;
  uint64_t count_ = 0;
  uint64_t lowest_ = 0, zeros_ = 0, highest_ = 0;  // infinities and zeros
  // By bucket of the magnitude.
  std::map<int, uint64_t> negative_, positive_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SKETCH_DDSKETCH_H_
