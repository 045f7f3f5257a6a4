#include "rpc/metrics.h"

#include <numeric>
#include <utility>

namespace skep {
namespace {

// Of fewer calls the 99th percentile is the slowest or nearly so.
constexpr uint64_t kEnoughForP99 = 100;

}  // namespace

CountsByCode CallCounts::ended() const {
  CountsByCode counts;
  for (size_t i = 0; i < kStatusCodes; ++i) {
    counts[i] = ended_[i].load(std::memory_order_relaxed);
  }
  return counts;
}

CallCounts& ServerMetrics::Of(const std::string& method) {
  MutexLock lock(mutex_);
  for (const std::unique_ptr<Named>& known : methods_) {
    if (known->name == method) return known->counts;
  }
  methods_.push_back(std::make_unique<Named>(method));
  return methods_.back()->counts;
}

uint64_t StatsReport::Row::failed() const {
  return std::accumulate(ended.begin() + 1, ended.end(), uint64_t{0});
}

StatsReport::Row StatsReport::RowOf(std::string name, CallCounts& counts) {
  Row row;
  row.name = std::move(name);
  // Ends first: a call that ends meanwhile is then pending, and none is less than
  // nothing.
  row.ended = counts.ended();
  row.calls = counts.begun();
  const uint64_t done =
      std::accumulate(row.ended.begin(), row.ended.end(), uint64_t{0});
  row.pending = static_cast<int64_t>(row.calls - done);
  row.latency = counts.latency();
  if (row.latency.count() >= kEnoughForP99) {
    counts.set_p99(static_cast<int64_t>(row.latency.Percentile(99)));
  }
  return row;
}

void StatsReport::Take(ServerMetrics& metrics) {
  unknown = metrics.unknown_.load(std::memory_order_relaxed);
  slow_rule = metrics.slow_->rule().ToString();
  slow = metrics.slow_->Newest();
  MutexLock lock(metrics.mutex_);
  for (const auto& method : metrics.methods_) {
    rows.push_back(RowOf(method->name, method->counts));
  }
}

}  // namespace skep
