// The services of the family, over our kernels: what `skep serve` serves.

#ifndef SKEP_TOOLS_SERVICES_SERVICES_H_
#define SKEP_TOOLS_SERVICES_SERVICES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "google/protobuf/service.h"
#include "tools/services/sudoku_stats.h"

namespace skep {

// echo.EchoService: the request's payload comes back. Cheap: run it inline.
std::unique_ptr<google::protobuf::Service> MakeEchoService();
// The same, each `one_in`-th call `delay` later, as from a slow server. `timers` is
// borrowed.
std::unique_ptr<google::protobuf::Service> MakeSlowEchoService(absl::Duration delay,
                                                               Executor& timers,
                                                               uint64_t one_in = 1);

// sudoku.SudokuService; compute pool. `stats` and `clock` are borrowed.
std::unique_ptr<google::protobuf::Service> MakeSudokuService(SudokuStats& stats,
                                                             const Clock& clock);

// nqueens.NQueensService; compute pool. Stops when its caller no longer waits.
std::unique_ptr<google::protobuf::Service> MakeNQueensService(const Clock& clock);

// median.Sorter over numbers held in memory; compute pool. Generate replaces them with
// random ones from `seed`, at most kMaxGenerated.
inline constexpr int64_t kMaxGenerated = 1 << 28;
std::unique_ptr<google::protobuf::Service> MakeMedianService(
    std::vector<int64_t> numbers, uint64_t seed);

}  // namespace skep

#endif  // SKEP_TOOLS_SERVICES_SERVICES_H_
