#include "jobs/kernels/top_k.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/word_table.h"
#include "gtest/gtest.h"
#include "jobs/kernels/tokenizer.h"

namespace skep {
namespace {

TEST(TopK, OrderAndTies) {
  TopK top(3);
  for (const char* key : {"d", "a", "c", "b"}) top.Add(key, 5);
  top.Add("z", 6);
  top.Add("y", 4);
  const std::vector<CountedKey> expected = {{"z", 6}, {"a", 5}, {"b", 5}};
  EXPECT_EQ(top.Take(), expected);
  EXPECT_TRUE(top.Take().empty());
}

TEST(TopK, FewerKeysThanAskedForAndNone) {
  TopK ten(10);
  ten.Add("only", 1);
  EXPECT_EQ(ten.Take(), (std::vector<CountedKey>{{"only", 1}}));
  TopK none(0);
  none.Add("x", 1);
  EXPECT_TRUE(none.Take().empty());
}

TEST(TopK, KeysAreComparedAsUnsignedBytes) {
  TopK top(2);
  top.Add("\xc3\xa4", 1);
  top.Add("z", 1);
  EXPECT_EQ(top.Take(), (std::vector<CountedKey>{{"z", 1}, {"\xc3\xa4", 1}}));
}

TEST(TopK, TopOfTheTopsOfParts) {
  Random random(8);
  std::vector<CountedKey> all;
  TopK whole(20), merged(20);
  for (int part = 0; part < 10; ++part) {
    TopK top(20);
    for (int i = 0; i < 200; ++i) {
      const std::string key = std::to_string(part * 200 + i);
      const uint64_t count = random.Below(30);
      all.push_back({key, count});
      whole.Add(key, count);
      top.Add(key, count);
    }
    for (const CountedKey& kept : top.Take()) merged.Add(kept.key, kept.count);
  }
  std::sort(all.begin(), all.end(), [](const CountedKey& a, const CountedKey& b) {
    return ComesBefore(a.count, a.key, b.count, b.key);
  });
  all.resize(20);
  EXPECT_EQ(whole.Take(), all);
  EXPECT_EQ(merged.Take(), all);
}

TEST(SortByCount, OrdersTiesByWholeKeys) {
  Random random(12);
  WordTable table;
  TopK top(100'000);
  for (int i = 0; i < 20'000; ++i) {
    std::string key(random.Below(20), 'a');
    for (char& c : key)
      c = static_cast<char>(random.Below(4) == 0 ? random.Below(256) : 0);
    table.Add(key, random.Below(3));
  }
  table.ForEach([&top](std::string_view key, uint64_t count) { top.Add(key, count); });
  const std::vector<CountedKey> expected = top.Take();
  const auto sorted = SortByCount(table);
  ASSERT_EQ(sorted.size(), expected.size());
  for (size_t i = 0; i < sorted.size(); ++i) {
    ASSERT_EQ(sorted[i].key, expected[i].key) << i;
    ASSERT_EQ(sorted[i].count, expected[i].count) << i;
  }
}

// By `tr`, `sort` and `uniq`.
std::map<std::string, uint64_t> CountByShell(const std::string& text) {
  const std::string file = testing::TempDir() + "/words.bin";
  std::ofstream(file, std::ios::binary) << text;
  FILE* const pipe = popen(
      ("export LC_ALL=C; tr -s ' \\t\\n\\v\\f\\r' '\\n' <" + file + " | sort | uniq -c")
          .c_str(),
      "r");
  std::string output(2 * text.size() + 1000, '\0');
  output.resize(fread(output.data(), 1, output.size(), pipe));
  EXPECT_EQ(pclose(pipe), 0);
  std::map<std::string, uint64_t> counts;
  for (size_t at = 0; at < output.size();) {
    size_t end = 0;
    const uint64_t count = std::stoull(output.substr(at, 20), &end);
    const size_t line_end = output.find('\n', at);
    const std::string word = output.substr(at + end + 1, line_end - at - end - 1);
    if (!word.empty()) counts[word] = count;
    at = line_end + 1;
  }
  return counts;
}

// Random bytes with NULs and what is no UTF-8, words of all sizes up to 1 MiB, the last
// of which no line end ends.
TEST(WordCount, EqualsTheShellsOnEveryPath) {
  Random random(8);
  std::string text;
  for (int i = 0; i < 30'000; ++i) {
    text += random.Below(3) == 0 ? "ab \n"[random.Below(4)]
                                 : static_cast<char>(random.Below(256));
  }
  for (size_t size = 1; size <= 1 << 20; size *= 2) {
    for (const char letter : {'w', '\xc3'}) {
      text.append("\n").append(size, letter).append(" ").append(size - 1, letter);
    }
  }
  const std::map<std::string, uint64_t> expected = CountByShell(text);
  for (const CpuPath path : SupportedCpuPaths()) {
    WordTable table({.path = path});
    ForEachWords(
        text, [&](auto words) { table.AddEach(words); }, path);
    std::map<std::string, uint64_t> counts;
    table.ForEach([&](std::string_view key, uint64_t count) {
      counts[std::string(key)] = count;
    });
    EXPECT_TRUE(counts == expected) << CpuPathName(path);
  }
}

// The known answers for the King James Bible.
TEST(WordCount, KingJamesBible) {
  const char* folder = std::getenv("SKEP_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "SKEP_TEST_DATA is not set";
  std::ifstream file(std::string(folder) + "/kjv.txt", std::ios::binary);
  ASSERT_TRUE(file);
  std::stringstream contents;
  contents << file.rdbuf();
  std::string text = std::move(contents).str();
  for (const CpuPath path : SupportedCpuPaths()) {
    WordTable table({.seed = 42, .path = path});
    uint64_t words = 0;
    ForEachWords(
        text,
        [&](std::span<const std::string_view> batch) {
          table.AddEach(batch);
          words += batch.size();
        },
        path);
    EXPECT_EQ(words, 820736u);
    EXPECT_EQ(table.size(), 33388u);
    TopK top(3);
    table.ForEach([&](std::string_view key, uint64_t count) { top.Add(key, count); });
    EXPECT_EQ(top.Take(),
              (std::vector<CountedKey>{{"the", 62051}, {"and", 38572}, {"of", 34393}}));
  }
  FoldAsciiCase(text, text.data());
  WordTable folded;
  ForEachWord(text, [&](std::string_view word) { folded.Add(word, 1); });
  EXPECT_EQ(folded.size(), 32163u);
  EXPECT_EQ(folded.Get("the"), 63911u);
  EXPECT_EQ(folded.Get("for"), 8810u);
}

}  // namespace
}  // namespace skep
