#include "storage/block_compression.h"

#include <string>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

std::string Compressed(const std::string& raw) {
  std::string out(MaxCompressedSize(raw.size()), '\0');
  out.resize(CompressBlock(raw, out.data()));
  return out;
}

TEST(BlockCompression, RoundTrips) {
  for (const size_t size : {100, 10'000, 128 << 10, 5 << 20}) {
    std::string raw;
    for (size_t i = 0; raw.size() < size; ++i) raw += std::to_string(i % 777) + " ";
    raw.resize(size);
    const std::string stored = Compressed(raw);
    ASSERT_GT(stored.size(), 0);
    ASSERT_LT(stored.size(), raw.size());
    std::string back(size, '\0');
    ASSERT_TRUE(DecompressBlock(stored, size, back.data()).ok());
    EXPECT_TRUE(back == raw);
  }
}

TEST(BlockCompression, SaysWhatDoesNotShrink) {
  Random random(1);
  std::string noise(10'000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  EXPECT_EQ(Compressed(noise), "");
  EXPECT_EQ(Compressed(""), "");
  EXPECT_EQ(Compressed("a"), "");
}

TEST(BlockCompression, RefusesAnotherSizeAndDamage) {
  const std::string raw(10'000, 'x');
  std::string stored = Compressed(raw);
  std::string out(20'000, '\0');
  EXPECT_TRUE(absl::IsDataLoss(DecompressBlock(stored, raw.size() - 1, out.data())));
  EXPECT_TRUE(absl::IsDataLoss(DecompressBlock(stored, raw.size() + 1, out.data())));
  EXPECT_TRUE(absl::IsDataLoss(DecompressBlock(
      std::string_view(stored).substr(0, stored.size() - 1), raw.size(), out.data())));
  stored[0] ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(DecompressBlock(stored, raw.size(), out.data())));
}

}  // namespace
}  // namespace skep
