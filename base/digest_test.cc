#include "base/digest.h"

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

}  // namespace
}  // namespace skep
