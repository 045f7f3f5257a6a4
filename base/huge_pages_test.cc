#include "base/huge_pages.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "gtest/gtest.h"

namespace skep {
namespace {

TEST(GrowingMemory, KeepsWhatItHoldsAndAddsZeros) {
  GrowingMemory memory;
  EXPECT_EQ(memory.data(), nullptr);
  size_t before = 0;
  for (size_t bytes = 4 << 10; bytes <= 16 << 20; bytes *= 4) {
    memory.Grow(bytes);
    auto* words = static_cast<uint64_t*>(memory.data());
    const size_t size = bytes / sizeof(uint64_t);
    for (size_t i = 0; i < before; ++i) ASSERT_EQ(words[i], i + 1);
    ASSERT_TRUE(std::all_of(words + before, words + size,
                            [](uint64_t word) { return word == 0; }));
    for (size_t i = before; i < size; ++i) words[i] = i + 1;
    if (bytes >= 2 << 20) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(words) % (2 << 20), 0u);
    }
    before = size;
  }
  GrowingMemory other = std::move(memory);
  EXPECT_EQ(static_cast<uint64_t*>(other.data())[before - 1], before);
  memory = std::move(other);
  EXPECT_EQ(static_cast<uint64_t*>(memory.data())[before - 1], before);
}

TEST(HugeVector, GrowsThroughBothKinds) {
  HugeVector<uint32_t> numbers;
  for (uint32_t i = 0; i < 5'000'000; ++i) numbers.push_back(i);
  for (uint32_t i = 0; i < 5'000'000; i += 997) ASSERT_EQ(numbers[i], i);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(numbers.data()) % (2 << 20), 0u);
  EXPECT_TRUE(HugeVector<char>().empty());
}

}  // namespace
}  // namespace skep
