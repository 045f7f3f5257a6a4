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

TEST(Buffer, HoldsNoMemoryWhenEmpty) {
  Buffer buffer;
  for (const size_t size : {1u, 5000u, 1u << 20, 1u << 24}) {
    buffer.Append(std::string(size, 'x'));
    EXPECT_GE(buffer.size() + buffer.room(), size);
    buffer.Consume(buffer.size());
    EXPECT_EQ(buffer.room(), 0u);
    buffer.Append("abc");
    EXPECT_EQ(buffer.view(), "abc");
    buffer.Consume(3);
  }
}

// Memory that goes round is one buffer's at a time.
TEST(Buffer, SharesMemoryWithNoOther) {
  Random random(8);
  Buffer buffers[5];
  std::string models[5];
  for (int i = 0; i < 20'000; ++i) {
    const size_t which = random.Below(5);
    if (random.Chance(0.5)) {
      models[which] += std::string(random.Below(9000), static_cast<char>(random()));
      buffers[which].Append(models[which].substr(buffers[which].size()));
    } else {
      buffers[which].Consume(buffers[which].size());
      models[which].clear();
    }
    for (size_t j = 0; j < 5; ++j) ASSERT_EQ(buffers[j].view(), models[j]);
  }
}

}  // namespace
}  // namespace skep
