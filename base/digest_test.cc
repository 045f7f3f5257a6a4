#include "base/digest.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(RecordDigest, DoesNotDependOnOrder) {
  RecordDigest ab, ba, both_halves, half;
  ab.Add("a", "1");
  ab.Add("b", "2");
  ba.Add("b", "2");
  ba.Add("a", "1");
  EXPECT_EQ(ab.value(), ba.value());
  both_halves.Add("a", "1");
  half.Add("b", "2");
  both_halves.Merge(half.value());
  EXPECT_EQ(ab.value(), both_halves.value());
}

TEST(RecordDigest, SeesEveryDifference) {
  const auto of = [](std::string_view key, std::string_view value) {
    RecordDigest digest;
    digest.Add(key, value);
    return digest.value();
  };
  EXPECT_FALSE(of("a", "bc") == of("ab", "c"));
  EXPECT_FALSE(of("", "a") == of("a", ""));
  RecordDigest once, twice;
  once.Add("a", "1");
  twice.Add("a", "1");
  twice.Add("a", "1");
  EXPECT_FALSE(once.value() == twice.value());
}

TEST(Digest128, IsXxh3) {
  EXPECT_EQ(DigestOf("").ToString(), "99aa06d3014798d86001c324468d497f");
}

TEST(DigestTest, StreamingEqualsWhole) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes.push_back(static_cast<char>(i * 31));
  StreamingDigest64 digest;
  EXPECT_EQ(digest.value(), Digest64(""));
  std::string_view rest = bytes;
  for (size_t n = 1; !rest.empty(); n = n * 3 + 1) {
    digest.Add(rest.substr(0, n));
    rest.remove_prefix(std::min(n, rest.size()));
    EXPECT_EQ(digest.value(),
              Digest64(std::string_view(bytes).substr(0, bytes.size() - rest.size())));
  }
}

}  // namespace
}  // namespace skep
