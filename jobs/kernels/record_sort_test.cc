#include "jobs/kernels/record_sort.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "base/strings.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

std::string StableSorted(std::string_view records, size_t record_size,
                         size_t key_size) {
  std::vector<std::string_view> all;
  for (size_t i = 0; i < records.size(); i += record_size) {
    all.push_back(records.substr(i, record_size));
  }
  std::stable_sort(all.begin(), all.end(), [&](std::string_view a, std::string_view b) {
    return a.substr(0, key_size) < b.substr(0, key_size);
  });
  std::string sorted;
  for (const std::string_view record : all) sorted += record;
  return sorted;
}

void ExpectSorted(RecordSorter& sorter, std::string_view input, size_t record_size,
                  size_t key_size, std::string_view what) {
  const std::string expected = StableSorted(input, record_size, key_size);
  // At every alignment: whole lines are written differently from their ends.
  for (const size_t offset : {0, 1, 63}) {
    const auto out = std::make_unique<char[]>(input.size() + offset);
    sorter.Sort(input, record_size, key_size, out.get() + offset);
    ASSERT_TRUE(std::string_view(out.get() + offset, input.size()) == expected)
        << what << ": " << input.size() / record_size << " records of " << record_size
        << ", keys of " << key_size << ", offset " << offset;
  }
}

TEST(RecordSorter, AgreesWithAStableSort) {
  Random random(1);
  RecordSorter sorter;  // its memory grows and shrinks in use
  struct Shape {
    size_t count, record_size, key_size, letters;
  };
  for (const Shape& shape :
       {Shape{0, 100, 10, 256}, Shape{1, 100, 10, 256}, Shape{2, 100, 10, 256},
        Shape{5000, 100, 10, 256}, Shape{5000, 100, 10, 2}, Shape{5000, 100, 10, 1},
        Shape{20'000, 100, 100, 2}, Shape{3000, 1, 1, 256}, Shape{3000, 7, 7, 3},
        Shape{700, 64, 8, 256}, Shape{300, 1000, 3, 4}, Shape{5, 20'000, 20'000, 1},
        Shape{64, 6400, 9, 2}}) {
    std::string records(shape.count * shape.record_size, ' ');
    for (char& c : records) c = static_cast<char>(random.Below(shape.letters));
    const std::string sorted = StableSorted(records, shape.record_size, shape.key_size);
    std::string falling;
    for (size_t i = sorted.size(); i > 0; i -= shape.record_size) {
      falling += sorted.substr(i - shape.record_size, shape.record_size);
    }
    for (const std::string& input : {records, sorted, falling}) {
      ExpectSorted(sorter, input, shape.record_size, shape.key_size,
                   StrCat(shape.letters, " letters"));
    }
  }
}

// Keys of every kind that takes another way: all bits differ, or every second one; a
// bit that no sample shows; most prefixes alike, or a few; values that fall into one
// bucket. What follows the key tells equal ones apart.
TEST(RecordSorter, KeysOfEveryKind) {
  constexpr size_t kCount = 9'001, kRecord = 24;
  struct Kind {
    const char* name;
    std::function<std::string(uint64_t i, Random& random)> key;
  };
  const auto big = [](uint64_t value) {
    std::string bytes(8, ' ');
    StoreBig64(value, bytes.data());
    return bytes;
  };
  const Kind kinds[] = {
      {"random", [&](uint64_t, Random& random) { return big(random()); }},
      {"every second bit",
       [&](uint64_t, Random& random) { return big(random() & 0x5555555555555555); }},
      {"decimal",
       [](uint64_t, Random& random) {
         return StrCat(1'000'000'000 + random.Below(1'000'000'000));
       }},
      {"each twice",
       [&](uint64_t i, Random&) { return big(i / 2 * 0x9E3779B97F4A7C15); }},
      {"falling", [&](uint64_t i, Random&) { return big(~i); }},
      {"upper 40 bits alike for eight",
       [&](uint64_t i, Random& random) {
         return big((i / 8 * 0x9E3779B97F4A7C15 & ~0xffffff) | random.Below(1 << 24));
       }},
      {"a bit of one key alone",
       [&](uint64_t i, Random& random) {
         return big(random() >> 8 | (i == 5'432 ? uint64_t{1} << 63 : 0));
       }},
      {"long common prefix",
       [](uint64_t, Random& random) { return StrCat("12345678", random.Below(1000)); }},
      {"few", [&](uint64_t, Random& random) { return big(random.Below(3)); }},
      {"nearly all in one bucket",
       [&](uint64_t i, Random& random) { return big(random() >> (i % 8 ? 30 : 0)); }},
  };
  RecordSorter sorter;
  for (const Kind& kind : kinds) {
    Random random(3);
    std::string records;
    for (uint64_t i = 0; i < kCount; ++i) {
      std::string record = kind.key(i, random);
      record.resize(kRecord - 8, '.');
      records += record + big(i);
    }
    for (const size_t key_size : {3, 8, 14}) {
      ExpectSorted(sorter, records, kRecord, key_size, kind.name);
    }
  }
}

}  // namespace
}  // namespace skep
