#include "base/key_sort.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace skep {
namespace {

// Ids in the order of their keys, equal keys in that of the ids.
std::vector<uint64_t> SortedIds(const std::vector<std::string>& keys) {
  std::vector<SortItem> items, scratch(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) items.push_back({KeyPrefix(keys[i]), i});
  SortByKey(items, scratch.data(),
            [&](uint64_t i) { return std::string_view(keys[i]); });
  std::vector<uint64_t> ids;
  for (const SortItem& item : items) ids.push_back(item.id);
  return ids;
}

std::vector<uint64_t> ExpectedIds(const std::vector<std::string>& keys) {
  std::vector<uint64_t> ids(keys.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](uint64_t a, uint64_t b) {
    return std::string_view(keys[a]) < std::string_view(keys[b]);
  });
  return ids;
}

TEST(SortByPrefix, IsAStableSortWhateverThePrefixes) {
  Random random(1);
  const std::vector<std::function<uint64_t(size_t)>> shapes = {
      [&](size_t) { return random(); },
      [&](size_t) { return random.Below(3); },
      [&](size_t) { return random() >> random.Below(64); },
      [&](size_t) { return random() << random.Below(64); },
      [](size_t i) { return i; },
      [](size_t i) { return ~i; },
      [](size_t) { return uint64_t{7}; },
      // One bucket takes nearly all, pass after pass.
      [&](size_t i) {
        return i % 100 == 0 ? random() : uint64_t{1} << random.Below(8);
      },
      [&](size_t i) { return uint64_t{1} << (i % 64); },
  };
  for (size_t shape = 0; shape < shapes.size(); ++shape) {
    for (const size_t size : {0, 1, 2, 19, 20, 21, 100, 4095, 4096, 4097, 60000}) {
      std::vector<SortItem> items;
      for (size_t i = 0; i < size; ++i) items.push_back({shapes[shape](i), i});
      std::vector<SortItem> expected = items, scratch(size);
      std::stable_sort(
          expected.begin(), expected.end(),
          [](const SortItem& a, const SortItem& b) { return a.prefix < b.prefix; });
      std::vector<uint64_t> words, scratch_words(size);
      for (const SortItem& item : items) {
        words.push_back(item.prefix >> 32 << 32 | item.id);
      }
      SortByUpperHalf(words, scratch_words.data());
      ASSERT_TRUE(std::is_sorted(words.begin(), words.end()))
          << "shape " << shape << " of " << size;
      SortByPrefix(items, scratch.data());
      for (size_t i = 0; i < size; ++i) {
        ASSERT_EQ(items[i].id, expected[i].id) << "shape " << shape << " of " << size;
        ASSERT_EQ(items[i].prefix, expected[i].prefix);
      }
    }
  }
}

TEST(SortByKey, RandomKeysOfEverySize) {
  Random random(2);
  for (const size_t size : {0, 1, 2, 8, 9, 50, 5000}) {
    for (const uint64_t letters : {1, 2, 256}) {
      for (const size_t longest : {1, 9, 40}) {
        std::vector<std::string> keys(size);
        for (std::string& key : keys) {
          key.resize(random.Below(longest + 1));
          // From NUL on: a key that ends is not one that goes on with zeros.
          for (char& c : key) c = static_cast<char>(random.Below(letters));
        }
        ASSERT_EQ(SortedIds(keys), ExpectedIds(keys))
            << size << " keys of " << letters << " letters, up to " << longest;
      }
    }
  }
}

TEST(SortByKey, LongCommonPrefixes) {
  Random random(3);
  const std::string common(10'000, 'c');
  std::vector<std::string> keys;
  for (int i = 0; i < 2000; ++i) {
    keys.push_back(common.substr(0, random.Below(2) == 0 ? 10'000 : 5'000) +
                   std::to_string(random.Below(1000)));
  }
  for (int i = 0; i < 200; ++i) keys.push_back(common);
  EXPECT_EQ(SortedIds(keys), ExpectedIds(keys));
}

// Each key is the beginning of the next: a group loses few keys at a time.
TEST(SortByKey, ChainsOfPrefixes) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < 3000; ++i) keys.push_back(std::string(i * 7919 % 3000, 'a'));
  EXPECT_EQ(SortedIds(keys), ExpectedIds(keys));
  for (std::string& key : keys) std::fill(key.begin(), key.end(), '\0');
  EXPECT_EQ(SortedIds(keys), ExpectedIds(keys));
}

TEST(EndOfEqualBytes, IsTheFirstDifference) {
  const std::string a(40, 'a');
  for (size_t size = 0; size <= a.size(); ++size) {
    const std::string_view shorter = std::string_view(a).substr(0, size);
    for (size_t from = 0; from <= size; ++from) {
      EXPECT_EQ(EndOfEqualBytes(shorter, a, from), size);
      for (size_t at = from; at < size; ++at) {
        std::string b = a;
        b[at] = 'b';
        ASSERT_EQ(EndOfEqualBytes(shorter, b, from), at);
      }
    }
  }
}

}  // namespace
}  // namespace skep
