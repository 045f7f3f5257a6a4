// DDSketch: see quantile_sketch.h. Counts values by the whole part of their logarithm
// to the base (1 + a) / (1 - a): each value of a bucket is within a of the bucket's
// middle. Buckets are never joined, so the bound holds always; doubles have some
// 142,000 of 1 %.

#ifndef SKEP_JOBS_KERNELS_SKETCH_DDSKETCH_H_
#define SKEP_JOBS_KERNELS_SKETCH_DDSKETCH_H_

#include <cmath>
#include <vector>

#include "jobs/kernels/quantile_sketch.h"
#include "jobs/kernels/sketch_range.h"

namespace skep {

class DdSketch final : public QuantileSketch {
 public:
  static constexpr double kDefaultError = 0.01;
  static constexpr double kLeastError = 0.001;

  // kLeastError <= error < 1: of a value, relative to it. Only sketches of the same
  // error may be merged.
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
  // Counts by bucket, in an array from the first used one to the last.
  struct Buckets {
    int first = 0;
    std::vector<uint64_t> counts;

    void Add(int bucket, uint64_t count);
    // The bucket of that rank, from 1, counted from the first or from the last one;
    // false, with the rank reduced by all, if there are fewer.
    bool Find(uint64_t* rank, bool from_last, int* bucket) const;
  };
  static void PutBuckets(std::string* out, const Buckets& buckets);
  static bool GetBuckets(std::string_view* in, Buckets* buckets, uint64_t* total);

  double MiddleOfRank(uint64_t rank) const;
  double ValueOfBucket(int bucket) const;

  double error_;
  double log_base_;
  uint64_t count_ = 0;
  SketchRange range_;
  uint64_t lowest_ = 0, zeros_ = 0, highest_ = 0;  // infinities and zeros
  Buckets negative_, positive_;                    // of magnitudes
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SKETCH_DDSKETCH_H_
