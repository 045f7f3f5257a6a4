// RunWriter and RunReader together.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/byte_source.h"
#include "storage/faulty_file_system.h"
#include "storage/memory_file_system.h"
#include "storage/run_format.h"
#include "storage/run_reader.h"
#include "storage/run_writer.h"

namespace skep {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

class RunTest : public testing::Test {
 protected:
  std::string Write(const Pairs& pairs) {
    auto file = fs_.OpenToWrite("/run").value();
    RunWriter writer(*file);
    for (const auto& [key, value] : pairs) EXPECT_TRUE(writer.Add(key, value).ok());
    EXPECT_TRUE(writer.Finish().ok());
    stats_ = writer.stats();
    EXPECT_TRUE(file->Close().ok());
    return ReadFile(fs_, "/run").value();
  }

  static absl::StatusOr<Pairs> Read(std::string bytes, size_t max_read = ~size_t{0}) {
    RunReader reader(std::make_unique<StringSource>(std::move(bytes), max_read),
                     "some-run");
    Pairs pairs;
    Record record;
    while (reader.Next(&record)) pairs.emplace_back(record.key, record.value);
    EXPECT_FALSE(reader.Next(&record)) << "the end stays the end";
    if (!reader.status().ok()) return reader.status();
    return pairs;
  }

  Pairs RandomPairs(int count, int max_size) {
    Pairs pairs;
    for (int i = 0; i < count; ++i) {
      pairs.emplace_back(RandomBytes(max_size), RandomBytes(max_size));
    }
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  }

  std::string RandomBytes(int max_size) {
    std::string bytes(random_.Below(max_size + 1), '\0');
    const uint64_t range = random_.Chance(0.5) ? 256 : 3;
    for (char& c : bytes) c = static_cast<char>(random_.Below(range));
    return bytes;
  }

  MemoryFileSystem fs_;
  Random random_{1};
  RunStats stats_;
};

TEST_F(RunTest, RoundTrips) {
  for (const int count : {0, 1, 2, 100, 20'000}) {
    for (const int size : {0, 1, 10, 300}) {
      const Pairs pairs = RandomPairs(count, size);
      const std::string bytes = Write(pairs);
      const auto read = Read(bytes, 1 + random_.Below(100'000));
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_TRUE(*read == pairs);
    }
  }
}

TEST_F(RunTest, StatsAreExact) {
  const Pairs pairs = RandomPairs(5000, 50);
  const std::string bytes = Write(pairs);
  RecordDigest digest;
  uint64_t size = 0;
  for (const auto& [key, value] : pairs) {
    digest.Add(key, value);
    size += key.size() + value.size();
  }
  EXPECT_EQ(stats_.records, 5000);
  EXPECT_EQ(stats_.bytes, size);
  EXPECT_EQ(stats_.stored_bytes, bytes.size());
  EXPECT_EQ(stats_.digest, digest.value());
  Write({});
  EXPECT_EQ(stats_, (RunStats{.stored_bytes = kRunHeaderBytes}));
}

TEST_F(RunTest, TextIsCompressedAndNoiseIsStored) {
  Pairs text, noise;
  for (int i = 0; i < 50'000; ++i) {
    text.emplace_back(StrCat("word", 100'000 + i), "1");
    std::string bytes(20, '\0');
    for (char& c : bytes) c = static_cast<char>(random_());
    noise.emplace_back(std::move(bytes), "");
  }
  std::sort(noise.begin(), noise.end());
  Write(text);
  EXPECT_LT(stats_.stored_bytes, stats_.bytes / 2);
  Write(noise);
  EXPECT_LT(stats_.stored_bytes, stats_.bytes * 1.11) << "two bytes of sizes a record";
}

TEST_F(RunTest, LargeRecords) {
  const Pairs pairs = {{"a", std::string(3 << 20, 'x')},
                       {"b", ""},
                       {std::string(300 << 10, 'k'), std::string(200 << 10, 'v')}};
  EXPECT_TRUE(Read(Write(pairs)).value() == pairs);
  auto file = fs_.OpenToWrite("/large").value();
  RunWriter writer(*file);
  const absl::Status status = writer.Add("key", std::string(kMaxRecordBytes - 2, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST_F(RunTest, ReadsNothingBeyondItsEnd) {
  const std::string first = Write({{"a", "1"}});
  const std::string second = Write({{"b", "2"}});
  StringSource* source = new StringSource(first + second, 7);
  {
    RunReader reader(std::unique_ptr<ByteSource>(source), "first");
    Record record;
    EXPECT_TRUE(reader.Next(&record));
    EXPECT_FALSE(reader.Next(&record));
    std::string rest(100, '\0');
    rest.resize(ReadFully(*source, rest.data(), rest.size()).value());
    EXPECT_TRUE(rest == second);
  }
}

TEST_F(RunTest, DamageAtAnyByteIsDataLoss) {
  const Pairs pairs = RandomPairs(300, 10);
  const std::string bytes = Write(pairs);
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] ^= 1 << random_.Below(8);
    const absl::Status status = Read(damaged).status();
    ASSERT_TRUE(absl::IsDataLoss(status)) << at << " " << status;
    EXPECT_NE(status.ToString().find("some-run"), std::string::npos);
  }
}

TEST_F(RunTest, ACutAnywhereIsDataLoss) {
  const std::string bytes = Write(RandomPairs(300, 10));
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::Status status = Read(bytes.substr(0, size)).status();
    ASSERT_TRUE(absl::IsDataLoss(status)) << size << " " << status;
  }
}

TEST_F(RunTest, WhatStandsBeforeACutIsRead) {
  auto file = fs_.OpenToWrite("/run").value();
  RunWriter writer(*file);
  std::vector<size_t> ends;  // of blocks of one record
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(writer.Add(StrCat("key ", i), RandomBytes(50)).ok());
    ASSERT_TRUE(writer.Flush().ok());
    ASSERT_TRUE(file->Sync().ok());
    ends.push_back(ReadFile(fs_, "/run")->size());
  }
  ASSERT_TRUE(writer.Finish().ok());
  ASSERT_TRUE(file->Close().ok());
  const std::string whole = ReadFile(fs_, "/run").value();
  for (size_t size = 0; size < whole.size(); ++size) {
    RunReader reader(std::make_unique<StringSource>(whole.substr(0, size)), "cut");
    Record record;
    ptrdiff_t records = 0;
    while (reader.Next(&record)) ++records;
    EXPECT_EQ(records, std::upper_bound(ends.begin(), ends.end(), size) - ends.begin())
        << size;
    EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST_F(RunTest, BlocksCannotBeLeftOutRepeatedOrSwapped) {
  const std::string bytes = Write(RandomPairs(40'000, 20));
  std::vector<std::string> blocks;  // the last is the end block
  for (size_t at = 0; at < bytes.size();) {
    const size_t size =
        kRunHeaderBytes + RunBlockHeader::Decode(bytes.data() + at).stored_size;
    blocks.push_back(bytes.substr(at, size));
    at += size;
  }
  ASSERT_GE(blocks.size(), 4);
  const auto read = [](const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts) all += part;
    return Read(all).status();
  };
  EXPECT_TRUE(read(blocks).ok());
  auto missing = blocks;
  missing.erase(missing.begin() + 1);
  EXPECT_TRUE(absl::IsDataLoss(read(missing)));
  auto last_missing = blocks;
  last_missing.erase(last_missing.end() - 2);
  EXPECT_TRUE(absl::IsDataLoss(read(last_missing)));
  auto repeated = blocks;
  repeated.insert(repeated.begin() + 1, blocks[1]);
  EXPECT_TRUE(absl::IsDataLoss(read(repeated)));
  auto swapped = blocks;
  std::swap(swapped[0], swapped[1]);
  EXPECT_TRUE(absl::IsDataLoss(read(swapped)));
}

TEST_F(RunTest, ErrorsOfFileAndSourceComeThrough) {
  FaultyFileSystem faulty(fs_);
  faulty.SetFreeBytes(100'000);
  auto file = faulty.OpenToWrite("/full").value();
  RunWriter writer(*file);
  absl::Status status;
  for (int i = 0; i < 100'000 && status.ok(); ++i) {
    std::string key;
    PutBig64(&key, i);
    PutBig64(&key, random_());
    status = writer.Add(key, key);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;

  Write({{"a", "1"}});
  faulty.Fail(FaultyFileSystem::kRead, "/run", Unavailable("injected"));
  auto input = faulty.OpenToRead("/run").value();
  RunReader reader(std::make_unique<FileRangeSource>(*input, 0, 1000), "some-run");
  Record record;
  EXPECT_FALSE(reader.Next(&record));
  EXPECT_EQ(reader.status(), Unavailable("injected"));
}

#ifndef NDEBUG
TEST_F(RunTest, DisorderIsABug) {
  auto file = fs_.OpenToWrite("/run").value();
  RunWriter writer(*file);
  ASSERT_TRUE(writer.Add("b", "1").ok());
  EXPECT_DEATH(writer.Add("a", "2").IgnoreError(), "InOrder");
  EXPECT_DEATH(writer.Add("b", "0").IgnoreError(), "InOrder");
}
#endif

}  // namespace
}  // namespace skep
