#include "jobs/kernels/sketch_tdigest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "absl/strings/str_format.h"
#include "base/coding.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void PutDouble(std::string* out, double value) {
  PutBig64(out, std::bit_cast<uint64_t>(value));
}
bool GetDouble(std::string_view* in, double* value) {
  uint64_t bits;
  if (!GetBig64(in, &bits)) return false;
  *value = std::bit_cast<double>(bits);
  return true;
}

// Between two means, and not beyond them by rounding: no overflow.
double Between(double low, double high, double part) {
  return std::clamp(low * (1 - part) + high * part, low, high);
}

}  // namespace

double TDigest::RankError(double q) const {
  return 2 * std::numbers::pi * std::sqrt(q * (1 - q)) / delta_;
}

// One pass over all in ascending order: the next joins the last centroid as long as
// that spans at most 1 on the scale k1(q) = delta / (2 pi) asin(2 q - 1).
void TDigest::Flush() {
  if (buffer_.empty()) return;
  buffer_.insert(buffer_.end(), centroids_.begin(), centroids_.end());
  std::sort(buffer_.begin(), buffer_.end(),
            [](const Centroid& a, const Centroid& b) { return a.mean < b.mean; });
  double total = 0;
  for (const Centroid& centroid : buffer_) total += centroid.weight;
  range_.Add(buffer_.front().mean);
  range_.Add(buffer_.back().mean);
  centroids_.clear();
  const double step = 2 * std::numbers::pi / delta_;
  // The quantile where a centroid that begins at q must end.
  const auto limit = [step](double q) {
    const double angle = std::asin(2 * q - 1) + step;
    return angle >= std::numbers::pi / 2 ? 1 : (std::sin(angle) + 1) / 2;
  };
  double before = 0, end = limit(0);
  for (const Centroid& next : buffer_) {
    if (!centroids_.empty()) {
      Centroid& last = centroids_.back();
      if ((before + last.weight + next.weight) / total <= end) {
        last.weight += next.weight;
        last.mean = Between(last.mean, next.mean, next.weight / last.weight);
        continue;
      }
      before += last.weight;
      end = limit(std::min(1.0, before / total));
    }
    centroids_.push_back(next);
  }
  buffer_.clear();
}

void TDigest::Merge(const QuantileSketch& other) {
  const auto& theirs = static_cast<const TDigest&>(other);
  buffer_.insert(buffer_.end(), theirs.centroids_.begin(), theirs.centroids_.end());
  buffer_.insert(buffer_.end(), theirs.buffer_.begin(), theirs.buffer_.end());
  delta_ = std::min(delta_, theirs.delta_);
  count_ += theirs.count_;
  lowest_ += theirs.lowest_;
  highest_ += theirs.highest_;
  range_.Merge(theirs.range_);
  Flush();
}

double TDigest::ValueOfRank(uint64_t rank) {
  Flush();
  if (rank <= lowest_) return -kInfinity;
  if (rank > count_ - highest_) return kInfinity;
  if (rank == lowest_ + 1) return range_.least;
  if (rank == count_ - highest_) return range_.greatest;
  // A centroid's mean is the value in the middle of its ranks; between the middles the
  // values lie on lines, at the ends down to the least and up to the greatest.
  const double wanted = static_cast<double>(rank - lowest_) - 0.5;
  double before = 0, low = range_.least, low_rank = 0;
  for (const Centroid& centroid : centroids_) {
    const double middle = before + centroid.weight / 2;
    if (wanted <= middle) {
      if (centroid.weight == 1 && wanted > before) return centroid.mean;
      return Between(low, centroid.mean, (wanted - low_rank) / (middle - low_rank));
    }
    before += centroid.weight;
    low = centroid.mean;
    low_rank = middle;
  }
  return Between(low, range_.greatest,
                 before > low_rank ? (wanted - low_rank) / (before - low_rank) : 1);
}

std::string TDigest::Bound() const {
  return absl::StrFormat(
      "rank within about %.2g %% of all in the middle, less at the ends, on smooth "
      "data; no guarantee",
      100 * RankError(0.5));
}

size_t TDigest::memory_used() const {
  return (centroids_.capacity() + buffer_.capacity()) * sizeof(Centroid);
}

std::string TDigest::Serialize() const {
  TDigest flushed = *this;
  flushed.Flush();
  std::string bytes;
  PutVarint(&bytes, flushed.count_);
  PutVarint(&bytes, flushed.lowest_);
  PutVarint(&bytes, flushed.highest_);
  PutDouble(&bytes, flushed.delta_);
  flushed.range_.AppendTo(&bytes);
  for (const Centroid& centroid : flushed.centroids_) {
    PutDouble(&bytes, centroid.mean);
    PutDouble(&bytes, centroid.weight);
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<TDigest>> TDigest::Parse(std::string_view bytes) {
  auto digest = std::make_unique<TDigest>();
  bool good =
      GetVarint(&bytes, &digest->count_) && GetVarint(&bytes, &digest->lowest_) &&
      GetVarint(&bytes, &digest->highest_) && GetDouble(&bytes, &digest->delta_) &&
      digest->delta_ >= 10 && digest->range_.ReadFrom(&bytes);
  double total = 0;
  while (good && !bytes.empty()) {
    Centroid& centroid = digest->centroids_.emplace_back();
    good = GetDouble(&bytes, &centroid.mean) && GetDouble(&bytes, &centroid.weight) &&
           std::isfinite(centroid.mean) && centroid.weight >= 1;
    total += centroid.weight;
  }
  const uint64_t infinite = digest->lowest_ + digest->highest_;
  if (!good || infinite > digest->count_ ||
      !digest->range_.IsOf(digest->count_ - infinite) ||
      total != static_cast<double>(digest->count_ - infinite)) {
    return DataLoss("a t-digest is damaged or of another version");
  }
  return digest;
}

}  // namespace skep
