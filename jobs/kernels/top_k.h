// The k largest of counted keys, in a defined order: by count, largest first; equal
// counts by key, in ascending order of bytes.

#ifndef SKEP_JOBS_KERNELS_TOP_K_H_
#define SKEP_JOBS_KERNELS_TOP_K_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/huge_pages.h"
#include "base/word_table.h"

namespace skep {

struct CountedKey {
  std::string key;
  uint64_t count = 0;

  bool operator==(const CountedKey&) const = default;
};

// Whether (count, key) comes before the other in the order above.
inline bool ComesBefore(uint64_t count, std::string_view key, uint64_t other_count,
                        std::string_view other_key) {
  return count != other_count ? count > other_count : key < other_key;
}

// Keeps the k best seen in a heap: O(log k) for one that enters, a comparison for one
// that does not. Keys must be distinct. The result does not depend on the order of the
// additions, so the top of a whole is the top of the tops of its parts. Not
// thread-safe.
class TopK {
 public:
  explicit TopK(size_t k) : k_(k) {}

  void Add(std::string_view key, uint64_t count);

  // What was kept, best first; leaves this empty.
  std::vector<CountedKey> Take();

 private:
  size_t k_;
  std::vector<CountedKey> heap_;  // the worst on top
};

// A key of a table, with its count.
struct CountedView {
  uint64_t count;
  std::string_view key;
};

// All keys of the table, best first: by radix on the counts, then on the keys of each
// count (base/key_sort.h). The views are valid until it is changed.
HugeVector<CountedView> SortByCount(const WordTable& table);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_TOP_K_H_
