#include "jobs/kernels/quantile_sketch.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "jobs/kernels/sketch_ddsketch.h"
#include "jobs/kernels/sketch_kll.h"
#include "jobs/kernels/sketch_tdigest.h"

namespace skep {
namespace {

template <typename Sketch>
absl::StatusOr<std::unique_ptr<QuantileSketch>> ParseAs(std::string_view bytes) {
  SKEP_ASSIGN_OR_RETURN(std::unique_ptr<QuantileSketch> sketch, Sketch::Parse(bytes));
  return sketch;
}

}  // namespace

absl::StatusOr<SketchKind> ParseSketchKind(std::string_view text) {
  if (text == "kll") return SketchKind::kKll;
  if (text == "tdigest") return SketchKind::kTDigest;
  if (text == "ddsketch") return SketchKind::kDdSketch;
  return InvalidArgument("\"", text, "\" is no sketch: use kll, tdigest or ddsketch");
}

std::string_view SketchKindName(SketchKind kind) {
  switch (kind) {
    case SketchKind::kKll:
      return "kll";
    case SketchKind::kTDigest:
      return "tdigest";
    case SketchKind::kDdSketch:
      return "ddsketch";
  }
  return "unknown";
}

uint64_t RanksOff(uint64_t below, uint64_t equal, const QuantileRanks& wanted) {
  const uint64_t first = below + (equal > 0);
  const uint64_t last = below + std::max<uint64_t>(1, equal);
  return wanted.high < first ? first - wanted.high
         : wanted.low > last ? wanted.low - last
                             : 0;
}

std::unique_ptr<QuantileSketch> MakeSketch(SketchKind kind, uint64_t seed) {
  switch (kind) {
    case SketchKind::kKll:
      return std::make_unique<KllSketch>(seed);
    case SketchKind::kTDigest:
      return std::make_unique<TDigest>();
    case SketchKind::kDdSketch:
      break;
  }
  return std::make_unique<DdSketch>();
}

absl::StatusOr<std::unique_ptr<QuantileSketch>> ParseSketch(SketchKind kind,
                                                            std::string_view bytes) {
  switch (kind) {
    case SketchKind::kKll:
      return ParseAs<KllSketch>(bytes);
    case SketchKind::kTDigest:
      return ParseAs<TDigest>(bytes);
    case SketchKind::kDdSketch:
      break;
  }
  return ParseAs<DdSketch>(bytes);
}

}  // namespace skep
