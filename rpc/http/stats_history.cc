#include "rpc/http/stats_history.h"

#include <utility>

namespace skep {
namespace {

template <typename T>
void Push(T value, std::deque<T>* points) {
  points->push_back(std::move(value));
  if (points->size() > StatsHistory::kPoints) points->pop_front();
}

void SetPercentiles(const Histogram& between, StatsHistory::Point* point) {
  point->p50 = static_cast<double>(between.Percentile(50));
  point->p99 = static_cast<double>(between.Percentile(99));
}

}  // namespace

void StatsHistory::Add(const StatsReport& report, const ProcessStats& process) {
  const bool first = last_ == absl::InfinitePast();
  const double seconds = first ? 0 : absl::ToDoubleSeconds(report.now - last_);
  ServerPoint all;
  Histogram all_between;
  // A balancer's methods are its backends' calls again: `all` has them already.
  for (const StatsReport::Row& now : report.methods) AddRow(now, first, seconds);
  for (const StatsReport::Row& now : report.rows) {
    const auto [point, between] = AddRow(now, first, seconds);
    all.calls_per_second += point.calls_per_second;
    all.failed_per_second += point.failed_per_second;
    all.pending += point.pending;
    all_between.Merge(between);
  }
  if (!first && seconds > 0) {
    SetPercentiles(all_between, &all);
    all.connections = report.connections;
    all.cpu = (process.cpu_seconds - last_cpu_seconds_) / seconds;
    all.resident_bytes = static_cast<double>(process.resident_bytes);
    Push(all, &server_);
  }
  last_ = report.now;
  last_cpu_seconds_ = process.cpu_seconds;
}

std::pair<StatsHistory::Point, Histogram> StatsHistory::AddRow(
    const StatsReport::Row& now, bool first, double seconds) {
  auto [it, is_new] = rows_.try_emplace(now.name);
  Row& was = it->second;
  const uint64_t failed = now.failed();
  const uint64_t ended = now.ended[0] + failed;
  std::pair<Point, Histogram> added;
  if (!first && !is_new && seconds > 0) {
    auto& [point, between] = added;
    between = now.latency.Since(was.latency);
    point.calls_per_second = static_cast<double>(ended - was.ended) / seconds;
    point.failed_per_second = static_cast<double>(failed - was.failed) / seconds;
    point.pending = static_cast<double>(now.pending);
    SetPercentiles(between, &point);
    Push(point, &was.points);
  }
  was.ended = ended;
  was.failed = failed;
  was.latency = now.latency;
  return added;
}

const std::deque<StatsHistory::Point>* StatsHistory::Of(const std::string& row) const {
  const auto found = rows_.find(row);
  if (found == rows_.end() || found->second.points.empty()) return nullptr;
  return &found->second.points;
}

}  // namespace skep
