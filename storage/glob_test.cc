#include "storage/glob.h"

#include "gtest/gtest.h"
#include "storage/memory_file_system.h"

namespace skep {
namespace {

TEST(GlobMatch, MatchesAsTheShellDoes) {
  const struct {
    const char* pattern;
    const char* name;
    bool matches;
  } cases[] = {
      {"abc", "abc", true},
      {"abc", "abd", false},
      {"abc", "ab", false},
      {"", "", true},
      {"*", "", true},
      {"*", "abc", true},
      {"*", ".abc", false},
      {".*", ".abc", true},
      {"?abc", ".abc", false},
      {"[.]abc", ".abc", false},
      {"a*", "a.b", true},
      {"*.txt", "a.txt", true},
      {"*.txt", "a.txt.gz", false},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbYbZ", false},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"??", "a", false},
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[a-c]x", "bx", true},
      {"[!a-c]", "b", false},
      {"[!a-c]", "d", true},
      {"[^a-c]", "d", true},
      {"[]a]", "]", true},
      {"[]a]", "a", true},
      {"[a-]", "-", true},
      {"[", "[", true},
      {"[abc", "[abc", true},
      {"[abc", "a", false},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"a\\", "a\\", true},
      {"[\xe0-\xff]", "\xf0", true},
      {"part-0000[0-3]", "part-00002", true},
      {"**a**", "bab", true},
      {"*a", "aaab", false},
      {"*[ab]c", "xbc", true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(GlobMatch(c.pattern, c.name), c.matches) << c.pattern << " " << c.name;
  }
}

TEST(GlobMatch, ManyStarsAreNotExponential) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatch(pattern + "b", std::string(5000, 'a')));
}

TEST(ExpandGlob, ExpandsEveryComponent) {
  MemoryFileSystem fs;
  for (const char* path : {"/w/x1", "/w/x2", "/w/.x", "/w/d1/a.txt", "/w/d1/b.txt",
                           "/w/d2/a.txt", "/w/d2/c", "/other/a.txt"}) {
    const std::string p = path;
    ASSERT_TRUE(fs.MakeDirectory(p.substr(0, p.find_last_of('/'))).ok());
    ASSERT_TRUE(WriteFileAtomically(fs, p, "").ok());
  }
  using Paths = std::vector<std::string>;
  const auto expand = [&](std::string_view pattern) {
    return ExpandGlob(fs, "/w", pattern).value();
  };
  EXPECT_EQ(expand("x*"), (Paths{"x1", "x2"}));
  EXPECT_EQ(expand("*"), (Paths{"d1", "d2", "x1", "x2"}));
  EXPECT_EQ(expand("*/a.txt"), (Paths{"d1/a.txt", "d2/a.txt"}));
  EXPECT_EQ(expand("d?/*.txt"), (Paths{"d1/a.txt", "d1/b.txt", "d2/a.txt"}));
  EXPECT_EQ(expand("d[2]//c"), (Paths{"d2/c"}));
  EXPECT_EQ(expand("/o*/*"), (Paths{"/other/a.txt"}));
  EXPECT_EQ(expand("x1/*"), (Paths{}));
  EXPECT_EQ(expand("z*"), (Paths{}));
  EXPECT_EQ(expand("no/such/*"), (Paths{}));
}

}  // namespace
}  // namespace skep
