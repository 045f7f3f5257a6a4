// The merging t-digest: see quantile_sketch.h. Centroids in ascending order; one at the
// quantile q holds at most 2 pi sqrt(q (1 - q)) / delta of all values (the scale
// function k1). New values wait in a buffer and are merged with the centroids when it
// is full.

#ifndef SKEP_JOBS_KERNELS_SKETCH_TDIGEST_H_
#define SKEP_JOBS_KERNELS_SKETCH_TDIGEST_H_

#include <limits>
#include <vector>

#include "jobs/kernels/quantile_sketch.h"
#include "jobs/kernels/sketch_range.h"

namespace skep {

class TDigest final : public QuantileSketch {
 public:
  static constexpr double kDefaultDelta = 500;

  explicit TDigest(double delta = kDefaultDelta) : delta_(delta) {}
  static absl::StatusOr<std::unique_ptr<TDigest>> Parse(std::string_view bytes);

  using QuantileSketch::Add;
  void Add(double value) override {
    ++count_;
    if (value == std::numeric_limits<double>::infinity()) {
      ++highest_;
    } else if (value == -std::numeric_limits<double>::infinity()) {
      ++lowest_;
    } else {
      buffer_.push_back({value, 1});
      if (buffer_.size() >= kBuffer) Flush();
    }
  }
  void Merge(const QuantileSketch& other) override;
  uint64_t count() const override { return count_; }
  double ValueOfRank(uint64_t rank) override;
  std::string Bound() const override;
  size_t memory_used() const override;
  std::string Serialize() const override;

  // What a centroid at q may hold, as a part of all: the error to expect of a rank.
  double RankError(double q) const;

 private:
  static constexpr size_t kBuffer = 4096;
  struct Centroid {
    double mean;
    double weight;
  };

  void Flush();

  double delta_;
  uint64_t count_ = 0;
  uint64_t lowest_ = 0, highest_ = 0;  // infinities
  SketchRange range_;                  // of the others
  std::vector<Centroid> centroids_;
  std::vector<Centroid> buffer_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SKETCH_TDIGEST_H_
