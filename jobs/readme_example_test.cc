// Runs the job of README.md.

#include "gtest/gtest.h"
#include "jobs/job_testing.h"

namespace skep {

void LineLength(Job& job);

namespace {

TEST(ReadmeExample, CountsLinesByLength) {
  EXPECT_EQ(OutputOf(RunJob(LineLength, {}, "one\ntwo\n\nthree")),
            "0\t1\n3\t2\n5\t1\n");
}

TEST(ReadmeExample, TakesItsFlag) {
  EXPECT_EQ(OutputOf(RunJob(LineLength, {{"unit", "4"}}, "one\ntwo\n\nthree")),
            "0\t3\n4\t1\n");
}

}  // namespace
}  // namespace skep
