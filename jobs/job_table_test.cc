#include "jobs/job_table.h"

#include <set>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(JobTable, HoldsTheBuiltInJobs) {
  std::set<std::string> names;
  for (const auto& [name, job] : BuiltInJobs().jobs) names.insert(name);
  for (const char* name : {"average", "grep", "median", "nqueens", "quantile", "sort",
                           "sudoku", "wordcount"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(JobTable, EveryJobExplainsItself) {
  for (const auto& [name, job] : BuiltInJobs().jobs) {
    SCOPED_TRACE(name);
    EXPECT_EQ(job.name(), name);
    EXPECT_FALSE(job.summary().empty());
    EXPECT_NE(job.summary().back(), '.') << "a summary is one line without a full stop";
    EXPECT_EQ(job.example().rfind("skep run " + name, 0), 0) << job.example();
    const Options options(job.flags());  // dies of bad defaults
    // grep does not work without its pattern.
    EXPECT_EQ(job.input(options).ok(), name != "grep");
    std::set<char> letters;
    for (const Flag& flag : job.flags()) {
      EXPECT_FALSE(flag.help.empty()) << flag.name;
      EXPECT_TRUE(flag.letter == 0 || letters.insert(flag.letter).second) << flag.name;
      if (flag.type != Flag::Type::kBool) {
        EXPECT_FALSE(flag.value_name.empty()) << flag.name;
      }
    }
  }
}

}  // namespace
}  // namespace skep
