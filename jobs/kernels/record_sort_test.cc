#include "jobs/kernels/record_sort.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
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
      const std::string expected =
          StableSorted(input, shape.record_size, shape.key_size);
      // At every alignment: whole lines are written differently from their ends.
      for (const size_t offset : {0, 1, 63}) {
        const auto out = std::make_unique<char[]>(input.size() + offset);
        sorter.Sort(input, shape.record_size, shape.key_size, out.get() + offset);
        ASSERT_TRUE(std::string_view(out.get() + offset, input.size()) == expected)
            << shape.count << " records of " << shape.record_size << ", keys of "
            << shape.key_size << ", offset " << offset;
      }
    }
  }
}

}  // namespace
}  // namespace skep
