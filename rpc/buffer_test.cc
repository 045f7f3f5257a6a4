#include "rpc/buffer.h"

#include <cstring>
#include <string>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// Against a std::string that does the same.
TEST(Buffer, HoldsWhatWasAppendedAndNotConsumed) {
  Random random(7);
  Buffer buffer;
  std::string model;
  for (int i = 0; i < 20'000; ++i) {
    if (random.Chance(0.5)) {
      const std::string bytes(random.Below(300), static_cast<char>(random()));
      if (random.Chance(0.5)) {
        buffer.Append(bytes);
      } else {
        buffer.Reserve(bytes.size() + random.Below(50));
        ASSERT_GE(buffer.room(), bytes.size());
        std::memcpy(buffer.Tail(), bytes.data(), bytes.size());
        buffer.Commit(bytes.size());
      }
      model += bytes;
    } else {
      const size_t count =
          random.Chance(0.1) ? model.size() : random.Below(model.size() + 1);
      buffer.Consume(count);
      model.erase(0, count);
    }
    ASSERT_EQ(buffer.view(), model);
    ASSERT_EQ(buffer.empty(), model.empty());
  }
}

TEST(Buffer, GivesLargeMemoryBackWhenEmpty) {
  Buffer buffer;
  buffer.Append(std::string(Buffer::kKeptBytes * 4, 'x'));
  buffer.Consume(buffer.size());
  EXPECT_LE(buffer.room(), Buffer::kKeptBytes);
  buffer.Append("abc");
  EXPECT_EQ(buffer.view(), "abc");
}

}  // namespace
}  // namespace skep
