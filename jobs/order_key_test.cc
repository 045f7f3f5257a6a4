#include "jobs/order_key.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<Number> Samples() {
  std::vector<Number> numbers;
  for (const double value :
       {0.0, -0.0, 0.5, 1.5, -1.5, 1e300, -1e300, 5e-324, -5e-324, 0x1p63, -0x1p63,
        0x1p64, 0x1p53, 0x1p62, kInfinity, -kInfinity}) {
    numbers.push_back(Number::Real(value));
  }
  for (const int64_t value :
       {INT64_MIN, INT64_MAX, int64_t{1} << 53, int64_t{1} << 62}) {
    for (int64_t near = -3; near <= 3; ++near) {
      int64_t sum;
      if (!__builtin_add_overflow(value, near, &sum)) {
        numbers.push_back(Number::Integer(sum));
      }
    }
  }
  Random random(11);
  for (int i = 0; i < 200; ++i) {
    numbers.push_back(
        Number::Integer(static_cast<int64_t>(random() >> random.Below(64))));
    numbers.push_back(
        Number::Integer(-static_cast<int64_t>(random() >> (1 + random.Below(63)))));
    numbers.push_back(Number::Integer(random() | uint64_t{1} << 63));
    const double real = std::bit_cast<double>(random());
    if (!std::isnan(real)) numbers.push_back(Number::Real(real));
  }
  return numbers;
}

OrderKey KeyOf(const Number& number) { return OrderKeyOf(number); }

TEST(OrderKey, ComparesAsNumbersDo) {
  const std::vector<Number> numbers = Samples();
  for (const Number& a : numbers) {
    for (const Number& b : numbers) {
      EXPECT_EQ(KeyOf(a) < KeyOf(b), a < b) << a.ToString() << " " << b.ToString();
      EXPECT_EQ(KeyOf(a) == KeyOf(b), a == b) << a.ToString() << " " << b.ToString();
    }
  }
}

TEST(OrderKey, KeepsTheNumber) {
  for (const Number& number : Samples()) {
    EXPECT_LT(KeyOf(number) >> kOrderKeyBits, 1);
    EXPECT_EQ(NumberOf(KeyOf(number)), number) << number.ToString();
  }
  EXPECT_EQ(NumberOf(OrderKeyOf(3.0)).ToString(), "3");
  EXPECT_EQ(NumberOf(OrderKeyOf(-0.0)).ToString(), "0");
  EXPECT_EQ(NumberOf(OrderKeyOf(INT64_MAX)).ToString(), "9223372036854775807");
  EXPECT_EQ(NumberOf(OrderKeyOf(UINT64_MAX)).ToString(), "18446744073709551615");
  EXPECT_EQ(NumberOf(OrderKeyOf(0x1p64)).ToString(), "18446744073709551616");
  EXPECT_EQ(NumberOf(OrderKeyOf(0.1)).ToString(), "0.1");
}

TEST(OrderKey, TravelsAsBytesInTheSameOrder) {
  const std::vector<Number> numbers = Samples();
  for (const Number& number : numbers) {
    std::string bytes;
    PutOrderKey(&bytes, KeyOf(number));
    ASSERT_EQ(bytes.size(), kOrderKeyBytes);
    std::string_view rest = bytes;
    OrderKey key;
    ASSERT_TRUE(GetOrderKey(&rest, &key));
    EXPECT_TRUE(key == KeyOf(number));
    EXPECT_TRUE(rest.empty());
    for (const Number& other : numbers) {
      std::string others;
      PutOrderKey(&others, KeyOf(other));
      EXPECT_EQ(bytes < others, number < other);
    }
  }
  std::string_view short_bytes = "123456789";
  OrderKey key;
  EXPECT_FALSE(GetOrderKey(&short_bytes, &key));
}

TEST(OrderKey, SmallIntegersEndInZeros) {
  EXPECT_GE(TrailingZeros(OrderKeyOf(int64_t{1023})), 16 + 52 - 9);
  EXPECT_GE(TrailingZeros(OrderKeyOf(int64_t{-1023})), 16 + 52 - 9);
  EXPECT_EQ(TrailingZeros(OrderKeyOf(int64_t{0})), 79);
  EXPECT_EQ(TrailingZeros(0), 80);
  EXPECT_EQ(TrailingZeros(OrderKeyOf((int64_t{1} << 53) + 1)), 0);
}

}  // namespace
}  // namespace skep
