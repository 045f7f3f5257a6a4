// What reading, sorting out and merging bytes costs, beside what it cannot beat:
//   the block reader           beside reading the file by plain calls
//   the run writer and reader  beside copying the same bytes
//   the merger                 beside std::priority_queue over the same streams
//
//   bazel run -c opt //storage:storage_benchmark -- --benchmark_repetitions=5

#include <algorithm>
#include <cstring>
#include <queue>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "benchmark/benchmark.h"
#include "storage/block_reader.h"
#include "storage/byte_source.h"
#include "storage/memory_file_system.h"
#include "storage/merger.h"
#include "storage/run_reader.h"
#include "storage/run_writer.h"

namespace skep {
namespace {

constexpr size_t kTextBytes = 64 << 20;
constexpr int kRecords = 1'000'000;

std::string Text() {
  Random random(1);
  std::string text;
  while (text.size() < kTextBytes) {
    text.append(random.Below(120), 'x');
    text += '\n';
  }
  text.resize(kTextBytes);
  return text;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// As a word count spills them: short keys, one-byte values.
Pairs SortedPairs(int count, uint64_t seed) {
  Random random(seed);
  Pairs pairs;
  for (int i = 0; i < count; ++i) {
    pairs.emplace_back(StrCat("word", random.Below(10'000'000)), "\x01");
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

std::string Run(FileSystem& fs, const Pairs& pairs) {
  auto file = fs.OpenToWrite("/run").value();
  RunWriter writer(*file);
  for (const auto& [key, value] : pairs) writer.Add(key, value).IgnoreError();
  writer.Finish().IgnoreError();
  return ReadFile(fs, "/run").value();
}

void BM_PlainRead(benchmark::State& state) {
  MemoryFileSystem fs;
  WriteFileAtomically(fs, "/f", Text()).IgnoreError();
  auto file = fs.OpenToRead("/f").value();
  std::string buffer(1 << 20, '\0');
  for (auto _ : state) {
    for (uint64_t at = 0; at < kTextBytes; at += buffer.size()) {
      benchmark::DoNotOptimize(file->ReadAt(at, buffer.size(), buffer.data()));
    }
  }
  state.SetBytesProcessed(state.iterations() * kTextBytes);
}
BENCHMARK(BM_PlainRead)->Unit(benchmark::kMillisecond);

void BM_BlockReader(benchmark::State& state) {
  MemoryFileSystem fs;
  WriteFileAtomically(fs, "/f", Text()).IgnoreError();
  auto file = fs.OpenToRead("/f").value();
  InputSplit split;
  split.mutable_file()->set_size(kTextBytes);
  split.set_length(kTextBytes);
  for (auto _ : state) {
    BlockReader reader(*file, split, RecordFormat{});
    FileBlock block;
    while (reader.Next(&block).value()) benchmark::DoNotOptimize(block.bytes.data());
  }
  state.SetBytesProcessed(state.iterations() * kTextBytes);
}
BENCHMARK(BM_BlockReader)->Unit(benchmark::kMillisecond);

void BM_CopyRecords(benchmark::State& state) {
  const Pairs pairs = SortedPairs(kRecords, 1);
  std::string out;
  for (auto _ : state) {
    out.clear();
    for (const auto& [key, value] : pairs) out.append(key).append(value);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_CopyRecords)->Unit(benchmark::kMillisecond);

void BM_RunWriter(benchmark::State& state) {
  const Pairs pairs = SortedPairs(kRecords, 1);
  MemoryFileSystem fs;
  for (auto _ : state) {
    auto file = fs.OpenToWrite("/run").value();
    RunWriter writer(*file);
    for (const auto& [key, value] : pairs) writer.Add(key, value).IgnoreError();
    writer.Finish().IgnoreError();
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_RunWriter)->Unit(benchmark::kMillisecond);

void BM_RunReader(benchmark::State& state) {
  MemoryFileSystem fs;
  Run(fs, SortedPairs(kRecords, 1));
  auto file = fs.OpenToRead("/run").value();
  for (auto _ : state) {
    RunReader reader(std::make_unique<FileRangeSource>(*file, 0, ~uint64_t{0}), "run");
    Record record;
    while (reader.Next(&record)) benchmark::DoNotOptimize(record.key.data());
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_RunReader)->Unit(benchmark::kMillisecond);

class PairStream final : public RecordStream {
 public:
  explicit PairStream(const Pairs& pairs) : pairs_(pairs) {}
  bool Next(Record* record) override {
    if (next_ == pairs_.size()) return false;
    *record = {pairs_[next_].first, pairs_[next_].second};
    ++next_;
    return true;
  }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  const Pairs& pairs_;
  size_t next_ = 0;
};

std::vector<Pairs> ManyRuns(int runs) {
  std::vector<Pairs> result;
  for (int i = 0; i < runs; ++i) result.push_back(SortedPairs(kRecords / runs, i));
  return result;
}

void BM_PriorityQueueMerge(benchmark::State& state) {
  const std::vector<Pairs> runs = ManyRuns(state.range(0));
  using Head = std::pair<Record, size_t>;
  for (auto _ : state) {
    std::vector<PairStream> streams(runs.begin(), runs.end());
    std::priority_queue<Head, std::vector<Head>, std::greater<Head>> heads;
    Record record;
    for (size_t i = 0; i < streams.size(); ++i) {
      if (streams[i].Next(&record)) heads.push({record, i});
    }
    while (!heads.empty()) {
      const size_t from = heads.top().second;
      benchmark::DoNotOptimize(heads.top().first.key.data());
      heads.pop();
      if (streams[from].Next(&record)) heads.push({record, from});
    }
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_PriorityQueueMerge)
    ->Arg(4)
    ->Arg(64)
    ->Arg(1000)
    ->Unit(benchmark::kMillisecond);

void BM_Merger(benchmark::State& state) {
  const std::vector<Pairs> runs = ManyRuns(state.range(0));
  for (auto _ : state) {
    std::vector<std::unique_ptr<RecordStream>> streams;
    for (const Pairs& run : runs) streams.push_back(std::make_unique<PairStream>(run));
    Merger merger(std::move(streams));
    Record record;
    while (merger.Next(&record)) benchmark::DoNotOptimize(record.key.data());
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_Merger)->Arg(4)->Arg(64)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace skep

BENCHMARK_MAIN();
