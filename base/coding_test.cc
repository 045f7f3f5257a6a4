#include "base/coding.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(Varint, RoundTripsAtEveryWidth) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const int64_t delta : {-1, 0, 1}) {
      const uint64_t value = (uint64_t{1} << bit) + delta;
      std::string bytes;
      PutVarint(&bytes, value);
      std::string_view in = bytes;
      uint64_t decoded = 0;
      ASSERT_TRUE(GetVarint(&in, &decoded));
      EXPECT_EQ(decoded, value);
      EXPECT_TRUE(in.empty());
      for (size_t cut = 0; cut < bytes.size(); ++cut) {
        std::string_view part = std::string_view(bytes).substr(0, cut);
        EXPECT_FALSE(GetVarint(&part, &decoded));
      }
    }
  }
}

TEST(Varint, RefusesMoreThan64Bits) {
  const std::string bytes(10, '\xff');
  std::string_view in = bytes;
  uint64_t value;
  EXPECT_FALSE(GetVarint(&in, &value));
}

TEST(Bytes, RefusesALengthBeyondTheInput) {
  std::string bytes;
  PutBytes(&bytes, "hello");
  std::string_view in = bytes, out;
  ASSERT_TRUE(GetBytes(&in, &out));
  EXPECT_EQ(out, "hello");
  in = std::string_view(bytes).substr(0, 4);
  EXPECT_FALSE(GetBytes(&in, &out));
}

TEST(Ordered, KeepsTheOrderOfDoubles) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> ascending = {-inf, -1e300, -1.0, -5e-324, -0.0,
                                         0.0,  5e-324, 1.0,  1e300,   inf};
  for (size_t i = 0; i < ascending.size(); ++i) {
    const double back = DoubleFromOrdered(OrderedFromDouble(ascending[i]));
    EXPECT_EQ(std::bit_cast<uint64_t>(back), std::bit_cast<uint64_t>(ascending[i]));
    if (i > 0) {
      EXPECT_LT(OrderedFromDouble(ascending[i - 1]), OrderedFromDouble(ascending[i]));
    }
  }
}

TEST(Ordered, KeepsTheOrderOfIntegers) {
  const std::vector<int64_t> ascending = {INT64_MIN, -1, 0, 1, INT64_MAX};
  for (size_t i = 0; i < ascending.size(); ++i) {
    EXPECT_EQ(Int64FromOrdered(OrderedFromInt64(ascending[i])), ascending[i]);
    if (i > 0) {
      EXPECT_LT(OrderedFromInt64(ascending[i - 1]), OrderedFromInt64(ascending[i]));
    }
  }
}

}  // namespace
}  // namespace skep
