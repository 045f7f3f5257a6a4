#include "storage/merger.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/byte_source.h"
#include "storage/memory_file_system.h"
#include "storage/run_reader.h"
#include "storage/run_writer.h"

namespace skep {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// Gives records from a buffer that it overwrites, as a run reader does: a view that is
// used too late is seen.
class PairStream final : public RecordStream {
 public:
  explicit PairStream(Pairs pairs, absl::Status end = absl::OkStatus())
      : pairs_(std::move(pairs)), end_(std::move(end)) {}

  bool Next(Record* record) override {
    std::fill(key_.begin(), key_.end(), '~');
    std::fill(value_.begin(), value_.end(), '~');
    if (next_ == pairs_.size()) {
      status_ = end_;
      return false;
    }
    key_ = pairs_[next_].first;
    value_ = pairs_[next_].second;
    ++next_;
    *record = {key_, value_};
    return true;
  }
  absl::Status status() const override { return status_; }

 private:
  const Pairs pairs_;
  const absl::Status end_;
  absl::Status status_;
  size_t next_ = 0;
  std::string key_, value_;
};

std::string RandomBytes(Random& random, int max_size) {
  std::string bytes(random.Below(max_size + 1), '\0');
  for (char& c : bytes) c = "\0a\xff"[random.Below(3)];
  return bytes;
}

// `runs` runs of random lengths, some empty, with many duplicates and shared prefixes.
std::vector<Pairs> RandomRuns(Random& random, int runs, int max_records) {
  std::vector<Pairs> result(runs);
  for (Pairs& run : result) {
    for (uint64_t i = random.Below(max_records + 1); i > 0; --i) {
      run.emplace_back(RandomBytes(random, 12), RandomBytes(random, 2));
    }
    std::stable_sort(run.begin(), run.end());
  }
  return result;
}

std::vector<std::unique_ptr<RecordStream>> Streams(const std::vector<Pairs>& runs) {
  std::vector<std::unique_ptr<RecordStream>> streams;
  for (const Pairs& run : runs) streams.push_back(std::make_unique<PairStream>(run));
  return streams;
}

Pairs Sorted(const std::vector<Pairs>& runs) {
  Pairs all;
  for (const Pairs& run : runs) all.insert(all.end(), run.begin(), run.end());
  std::stable_sort(all.begin(), all.end());
  return all;
}

TEST(Merger, IsASort) {
  Random random(1);
  for (const int runs : {0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 100, 1000}) {
    for (const int records : {0, 1, 3, 40}) {
      const std::vector<Pairs> input = RandomRuns(random, runs, records);
      Merger merger(Streams(input));
      Pairs output;
      Record record;
      while (merger.Next(&record)) output.emplace_back(record.key, record.value);
      EXPECT_FALSE(merger.Next(&record));
      EXPECT_TRUE(merger.status().ok());
      ASSERT_TRUE(output == Sorted(input))
          << runs << " runs, " << records << " records";
    }
  }
}

TEST(Merger, MergesRuns) {
  Random random(2);
  MemoryFileSystem fs;
  const std::vector<Pairs> input = RandomRuns(random, 20, 5000);
  std::vector<std::unique_ptr<RecordStream>> streams;
  for (const Pairs& run : input) {
    auto file = fs.OpenToWrite("/run").value();
    RunWriter writer(*file);
    for (const auto& [key, value] : run) ASSERT_TRUE(writer.Add(key, value).ok());
    ASSERT_TRUE(writer.Finish().ok());
    streams.push_back(std::make_unique<RunReader>(
        std::make_unique<StringSource>(ReadFile(fs, "/run").value()), "run"));
  }
  Merger merger(std::move(streams));
  Pairs output;
  Record record;
  while (merger.Next(&record)) output.emplace_back(record.key, record.value);
  EXPECT_TRUE(merger.status().ok()) << merger.status();
  EXPECT_TRUE(output == Sorted(input));
}

TEST(Merger, FailsWithTheStreamThatFails) {
  for (const int failing : {0, 1, 2}) {
    std::vector<std::unique_ptr<RecordStream>> streams;
    for (int i = 0; i < 3; ++i) {
      streams.push_back(
          i == failing ? std::make_unique<PairStream>(Pairs{{"a", ""}, {"b", ""}},
                                                      DataLoss("damaged"))
                       : std::make_unique<PairStream>(Pairs{{"a", ""}, {"z", ""}}));
    }
    Merger merger(std::move(streams));
    Record record;
    int records = 0;
    while (merger.Next(&record)) ++records;
    EXPECT_EQ(records, 4) << "nothing that comes after what may be missing";
    EXPECT_EQ(merger.status(), DataLoss("damaged"));
    EXPECT_FALSE(merger.Next(&record)) << "and stays failed";
  }
}

TEST(Groups, GroupEqualKeys) {
  Random random(3);
  for (int round = 0; round < 50; ++round) {
    const std::vector<Pairs> input = RandomRuns(random, 5, 100);
    std::map<std::string, std::vector<std::string>> expected;
    for (const auto& [key, value] : Sorted(input)) expected[key].push_back(value);
    // Readers that stop in the middle of a group do not disturb the next.
    const uint64_t most = random.Below(4);
    Merger merger(Streams(input));
    Groups groups(merger);
    auto next = expected.begin();
    while (groups.NextGroup()) {
      ASSERT_NE(next, expected.end());
      ASSERT_EQ(groups.key(), next->first);
      std::vector<std::string> values;
      for (std::string_view value; values.size() < most && groups.NextValue(&value);) {
        values.emplace_back(value);
      }
      next->second.resize(std::min<size_t>(next->second.size(), most));
      ASSERT_EQ(values, next->second);
      ++next;
    }
    EXPECT_EQ(next, expected.end());
    EXPECT_FALSE(groups.NextGroup());
    EXPECT_TRUE(groups.status().ok());
  }
}

TEST(Groups, AnEndedGroupStaysEnded) {
  PairStream stream({{"a", "1"}, {"b", "2"}});
  Groups groups(stream);
  std::string_view value;
  EXPECT_FALSE(groups.NextValue(&value)) << "no group yet";
  ASSERT_TRUE(groups.NextGroup());
  EXPECT_TRUE(groups.NextValue(&value));
  EXPECT_EQ(value, "1");
  EXPECT_FALSE(groups.NextValue(&value));
  EXPECT_FALSE(groups.NextValue(&value));
  ASSERT_TRUE(groups.NextGroup());
  EXPECT_EQ(groups.key(), "b");
}

TEST(Groups, ErrorsComeThrough) {
  PairStream stream({{"a", "1"}, {"a", "2"}}, DataLoss("damaged"));
  Groups groups(stream);
  std::string_view value;
  ASSERT_TRUE(groups.NextGroup());
  while (groups.NextValue(&value)) {
  }
  EXPECT_FALSE(groups.NextGroup());
  EXPECT_EQ(groups.status(), DataLoss("damaged"));
}

}  // namespace
}  // namespace skep
