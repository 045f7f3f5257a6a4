// The rows of the RPC benchmark: loads, and what is asked of each.

#ifndef SKEP_TESTS_BENCH_RPC_ROWS_H_
#define SKEP_TESTS_BENCH_RPC_ROWS_H_

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/rpc_load.h"
#include "tests/bench/rpc_measure.h"

namespace skep {

struct Result;

// What is asked of a row.
struct Goal {
  std::string what;
  bool at_least;  // else at most
  double asked;
  std::string unit;
  // Nothing if it was not measured.
  std::function<std::optional<double>(const Result&)> figure;

  bool MetBy(double measured) const {
    return at_least ? measured >= asked : measured <= asked;
  }
};

struct Row {
  std::string name;
  RpcLoad load;
  bool one_core = false;
  bool against_grpc = true;
  std::vector<Goal> goals;
};

// Of one figure, over the repetitions.
struct Spread {
  double low = 0;
  double median = 0;
  double high = 0;
};

using Figure = double(const Measurement&);

inline Spread SpreadOf(const std::vector<Measurement>& measured,
                       const std::function<Figure>& figure) {
  std::vector<double> values;
  for (const Measurement& m : measured) values.push_back(figure(m));
  std::sort(values.begin(), values.end());
  if (values.empty()) return {};
  return {values.front(), values[values.size() / 2], values.back()};
}

struct Result {
  Row row;
  std::vector<Measurement> skep;
  std::vector<Measurement> grpc;
  std::vector<Measurement> direct;  // without the balancer
};

inline double CpuOf(const Measurement& m) { return m.cpu_us(); }
inline double RateOf(const Measurement& m) { return m.rate(); }
inline double P50Of(const Measurement& m) { return m.p50_us; }

inline size_t AttachmentBytes(const RpcLoad& load) {
  return load.request_attachment + load.reply_attachment;
}

// Of medians.
Goal LessCpuThanGrpc(double times);
Goal FasterThanGrpc(double times);
Goal AddedP50AtMost(double us);

// All of them, in the order in which they run. Certificates are made here, before any
// process is forked.
std::vector<Row> RpcBenchRows();

}  // namespace skep

#endif  // SKEP_TESTS_BENCH_RPC_ROWS_H_
