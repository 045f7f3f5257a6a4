#include "base/checksum.h"

#include <string>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// The definition, byte by byte.
uint32_t ReferenceFrom(uint32_t adler, std::string_view bytes) {
  uint32_t a = adler & 0xffff, b = adler >> 16;
  for (const char c : bytes) {
    a = (a + static_cast<uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}
uint32_t Reference(std::string_view bytes) { return ReferenceFrom(1, bytes); }

std::string RandomBytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

TEST(Adler32, KnownValues) {
  EXPECT_EQ(Adler32(""), 1u);
  EXPECT_EQ(Adler32("Wikipedia"), 0x11E60398u);
}

TEST(Adler32, EqualsTheDefinitionAtEveryLength) {
  for (const Adler32Function adler32 : Adler32Functions()) {
    Random random(1);
    for (size_t size = 0; size < 300; ++size) {
      const std::string bytes = RandomBytes(random, size);
      ASSERT_EQ(adler32(1, bytes), Reference(bytes)) << size;
      const std::string ones(size, '\xff');
      ASSERT_EQ(adler32(0xfff0'fff0u, ones), ReferenceFrom(0xfff0'fff0u, ones)) << size;
    }
    // Sums as large as they get, around the bounds of the vector code's chunks.
    for (const size_t size :
         {5439, 5440, 5441, 5503, 5504, 5505, 5552, 5568, 10880, 11008, 100'000}) {
      const std::string ones(size, '\xff');
      EXPECT_EQ(adler32(0xfff0'fff0u, ones), ReferenceFrom(0xfff0'fff0u, ones)) << size;
      const std::string bytes = RandomBytes(random, size);
      EXPECT_EQ(adler32(1, bytes), ReferenceFrom(1, bytes)) << size;
    }
  }
}

TEST(Adler32, ExtendsOverPieces) {
  Random random(2);
  const std::string bytes = RandomBytes(random, 5000);
  for (size_t cut = 0; cut <= bytes.size(); cut += 617) {
    EXPECT_EQ(Adler32(Adler32(bytes.substr(0, cut)), bytes.substr(cut)),
              Adler32(bytes));
  }
}

TEST(PatchAdler32, EqualsRecomputing) {
  Random random(3);
  for (int round = 0; round < 1000; ++round) {
    std::string bytes = RandomBytes(random, 1 + random.Below(200'000));
    const uint32_t adler = Adler32(bytes);
    const size_t offset = random.Below(bytes.size());
    const size_t length = random.Below(std::min<size_t>(16, bytes.size() - offset) + 1);
    const std::string before = bytes.substr(offset, length);
    const std::string after = RandomBytes(random, length);
    bytes.replace(offset, length, after);
    ASSERT_EQ(PatchAdler32(adler, bytes.size(), offset, before, after), Adler32(bytes));
  }
}

}  // namespace
}  // namespace skep
