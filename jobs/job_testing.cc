#include "jobs/job_testing.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/status.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// In the part files of several hash partitions the lines have another order.
std::string SortedLines(const std::string& text) {
  std::vector<std::string> lines;
  ForEachLine(text, [&](std::string_view line) { lines.emplace_back(line); });
  std::sort(lines.begin(), lines.end());
  std::string sorted;
  for (const std::string& line : lines) StrAppend(&sorted, line, "\n");
  return sorted;
}

void ExpectSame(const absl::StatusOr<LocalResult>& expected,
                const absl::StatusOr<LocalResult>& actual, const LocalRun& run,
                OutputShape shape) {
  SCOPED_TRACE(StrCat("splits of ", run.split_bytes, " bytes, blocks of ",
                      run.block_bytes, ", ", run.partitions, " partitions"));
  EXPECT_EQ(actual.status(), expected.status());
  if (!actual.ok() || !expected.ok()) return;
  EXPECT_EQ(actual->answer.text(), expected->answer.text());
  EXPECT_EQ(actual->answer.json(), expected->answer.json());
  EXPECT_EQ(std::vector<std::string>(actual->answer.notes().begin(),
                                     actual->answer.notes().end()),
            std::vector<std::string>(expected->answer.notes().begin(),
                                     expected->answer.notes().end()));
  if (run.partitions == 1 || shape == OutputShape::kFile) {
    EXPECT_EQ(actual->output(), expected->output());
  } else {
    EXPECT_EQ(SortedLines(actual->output()), SortedLines(expected->output()));
  }
}

}  // namespace

Job MakeJob(DeclareJob declare) {
  Job job;
  declare(job);
  return job;
}

absl::StatusOr<LocalResult> RunJob(DeclareJob declare, const JobFlags& flags,
                                   const std::vector<LocalFile>& files) {
  const Job job = MakeJob(declare);
  LocalRun run{.options = flags, .files = files};
  const absl::StatusOr<LocalResult> expected = RunLocally(job, run);

  Options options(job.flags());
  for (const auto& [name, value] : flags) EXPECT_TRUE(options.Set(name, value).ok());
  const OutputShape shape = job.output(options);

  uint64_t bytes = 0;
  for (const LocalFile& file : files) bytes += file.bytes.size();
  // Tiny splits for tiny inputs, to cut everywhere; a few dozen for large ones.
  const uint64_t grain = std::max<uint64_t>(1, bytes / 64);
  for (const uint64_t split_bytes : {grain, 3 * grain, 20 * grain}) {
    for (const uint32_t partitions : {1, 4}) {
      run.split_bytes = split_bytes;
      run.block_bytes = std::max<uint64_t>(1, split_bytes / 3);
      run.partitions = partitions;
      ExpectSame(expected, RunLocally(job, run), run, shape);
    }
  }
  return expected;
}

absl::StatusOr<LocalResult> RunJob(DeclareJob declare, const JobFlags& flags,
                                   const std::string& input) {
  return RunJob(declare, flags, std::vector<LocalFile>{{"input", input}});
}

std::string AnswerOf(const absl::StatusOr<LocalResult>& result) {
  if (!result.ok()) return StrCat("error: ", Message(result.status()));
  return result->answer.text();
}

std::string OutputOf(const absl::StatusOr<LocalResult>& result) {
  if (!result.ok()) return StrCat("error: ", Message(result.status()));
  return result->output();
}

std::string TestDataFile(const std::string& name) {
  const char* folder = std::getenv("SKEP_TEST_DATA");
  if (folder == nullptr) return "";
  std::ifstream file(StrCat(folder, "/", name), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return std::move(bytes).str();
}

}  // namespace skep
