#include "storage/compression.h"

#include <zlib.h>
#include <zstd.h>

#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

std::string Gzip(std::string_view text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = out.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// With a checksum, as the zstd command writes it.
std::string Zstd(std::string_view text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const size_t size =
      ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size());
  EXPECT_FALSE(ZSTD_isError(size));
  ZSTD_freeCCtx(context);
  out.resize(size);
  return out;
}

// A frame of user data, which decompressors pass over.
std::string SkippableFrame() {
  return std::string("\x51\x2a\x4d\x18\x03\0\0\0abc", 11);
}

std::string RandomText(Random& random, size_t size) {
  std::string text;
  while (text.size() < size) text += StrCat("word", random.Below(1000), "\n");
  text.resize(size);
  return text;
}

absl::StatusOr<std::string> Text(const std::string& file, size_t max_input = ~size_t{0},
                                 size_t max_output = 5000) {
  const auto source =
      Decompress(SniffCompression(file),
                 std::make_unique<StringSource>(file, max_input), "some-file");
  std::string text;
  std::string buffer(max_output, '\0');
  while (true) {
    SKEP_ASSIGN_OR_RETURN(const size_t got, source->Read(buffer.data(), max_output));
    if (got == 0) return text;
    text.append(buffer, 0, got);
  }
}

class CompressionTest : public testing::TestWithParam<std::string> {
 protected:
  std::string Pack(std::string_view text) const {
    return GetParam() == "gzip" ? Gzip(text) : Zstd(text);
  }
  Random random_{1};
};

INSTANTIATE_TEST_SUITE_P(All, CompressionTest, testing::Values("gzip", "zstd"),
                         [](const auto& info) { return info.param; });

TEST_P(CompressionTest, RoundTrips) {
  for (const size_t size : {0, 1, 2, 100, 4999, 5000, 5001, 1'000'000}) {
    const std::string text = RandomText(random_, size);
    EXPECT_TRUE(Text(Pack(text)).value() == text) << size;
  }
}

TEST_P(CompressionTest, AtEveryGranularity) {
  const std::string text = RandomText(random_, 3000);
  const std::string file = Pack(text) + Pack("") + Pack(text);
  for (const size_t input : {1, 2, 3, 17, 100'000}) {
    for (const size_t output : {1, 2, 3, 17, 3000, 100'000}) {
      const auto read = Text(file, input, output);
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_TRUE(*read == text + text) << input << " " << output;
    }
  }
}

TEST_P(CompressionTest, ConcatenatedFilesAreTheConcatenation) {
  std::string file, text;
  for (int i = 0; i < 50; ++i) {
    const std::string part =
        RandomText(random_, random_.Below(3) * random_.Below(5000));
    file += Pack(part);
    text += part;
  }
  EXPECT_TRUE(Text(file).value() == text);
}

TEST_P(CompressionTest, AFileCutAnywhereIsDataLoss) {
  const std::string first = Pack(RandomText(random_, 500));
  const std::string file = first + Pack(RandomText(random_, 500));
  for (size_t size = kSniffBytes; size < file.size(); ++size) {
    const auto text = Text(file.substr(0, size));
    if (size == first.size()) {
      EXPECT_TRUE(text.ok());
      continue;
    }
    ASSERT_TRUE(absl::IsDataLoss(text.status())) << size << " " << text.status();
    EXPECT_NE(text.status().ToString().find("some-file"), std::string::npos);
    EXPECT_NE(text.status().ToString().find("byte "), std::string::npos);
  }
}

TEST_P(CompressionTest, ADamagedByteNeverGivesOtherText) {
  const std::string text = RandomText(random_, 2000);
  const std::string file = Pack(text);
  int refused = 0;
  for (size_t at = 0; at < file.size(); ++at) {
    std::string damaged = file;
    damaged[at] ^= 1 << random_.Below(8);
    if (SniffCompression(damaged) == COMPRESSION_NONE) continue;
    const auto read = Text(damaged);
    // A gzip header has bytes without meaning: its time stamp and system.
    if (read.ok()) {
      EXPECT_TRUE(*read == text) << at;
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(file.size()) - 20);
}

TEST_P(CompressionTest, GarbageAfterTheEndIsDataLoss) {
  const auto text = Text(Pack("text\n") + "garbage");
  EXPECT_TRUE(absl::IsDataLoss(text.status())) << text.status();
}

TEST(Gzip, PaddingWithZerosIsNone) {
  EXPECT_EQ(Text(Gzip("text\n") + std::string(10'000, '\0')).value(), "text\n");
  EXPECT_TRUE(absl::IsDataLoss(
      Text(Gzip("text\n") + std::string(10, '\0') + Gzip("more\n")).status()));
}

TEST(Zstd, SkippableFramesAreSkipped) {
  const std::string skip = SkippableFrame();
  EXPECT_EQ(Text(skip + Zstd("one ") + skip + Zstd("two") + skip).value(), "one two");
}

TEST(Zstd, AHugeWindowIsRefusedWithAdvice) {
  // Magic, a header without content size, a window of 2^31 bytes (RFC 8878, 3.1.1.1.2).
  const auto text = Text(std::string("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9));
  EXPECT_TRUE(absl::IsInvalidArgument(text.status())) << text.status();
  EXPECT_NE(text.status().ToString().find("--long"), std::string::npos);
}

TEST(Sniff, GoesByContent) {
  EXPECT_EQ(SniffCompression(Gzip("x")), COMPRESSION_GZIP);
  EXPECT_EQ(SniffCompression(Zstd("x")), COMPRESSION_ZSTD);
  EXPECT_EQ(SniffCompression(SkippableFrame()), COMPRESSION_ZSTD);
  for (const char* text :
       {"", "a", "\x1f\x8b", "\x1f\x8b\x08", "plain text", "(\xb5/"}) {
    EXPECT_EQ(SniffCompression(text), COMPRESSION_NONE) << text;
  }
  EXPECT_EQ(SniffCompression("\x1f\x8b\x07...."), COMPRESSION_NONE);
  EXPECT_EQ(SniffCompression("\x1f\x8b\x08\xff"), COMPRESSION_NONE);
}

TEST(Plain, IsGivenAsItIs) { EXPECT_EQ(Text("plain text").value(), "plain text"); }

}  // namespace
}  // namespace skep
