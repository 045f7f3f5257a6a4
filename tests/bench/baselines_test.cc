#include "tests/bench/baselines.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(Baselines, AreRight) {
  EXPECT_EQ(PlainQueens(8), 92u);
  EXPECT_EQ(PlainQueens(10), 724u);
  const std::string puzzle =
      "00000001040000000002000000000005040700800030000109000030040020005010000000080600"
      "0";
  EXPECT_TRUE(DancingLinksSolves(puzzle));
  EXPECT_TRUE(DancingLinksSolves(std::string(81, '0')));
  std::string clash = puzzle;
  clash[0] = '1';
  EXPECT_FALSE(DancingLinksSolves(clash));
  std::string dead = std::string(81, '0');
  dead.replace(0, 9, "123456780");
  dead[17] = '9';  // the one digit that the last cell of the row could have
  EXPECT_FALSE(DancingLinksSolves(dead));
  EXPECT_EQ(PlainWordCount(" a b\nb  c\n"), 3u);
  EXPECT_EQ(PlainUnicodeWordCount("Don't STRASSE\nstra\u00dfe."), 2u);
  EXPECT_EQ(PlainParse("1\n-3\n44\n"), 42);
  const std::vector<uint64_t> words = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(ReadMemory(words), 36u);
}

}  // namespace
}  // namespace skep
