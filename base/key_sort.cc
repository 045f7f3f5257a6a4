#include "base/key_sort.h"

#include <bit>
#include <utility>

namespace skep {
namespace {

// Below this, insertion beats counting.
constexpr size_t kFewItems = 20;
// A pass with more buckets would miss the cache at nearly every write.
constexpr int kMaxDigitBits = 12;
// Up to so many items a pass has about as many buckets as items, and one insertion sort
// over all of them does the rest: there is no loop, and no mispredicted end of one, for
// each bucket.
constexpr size_t kLastPassItems = size_t{1} << kMaxDigitBits;
constexpr size_t kLargestLastBucket = 12;

void InsertionSort(std::span<SortItem> items) {
  for (size_t i = 1; i < items.size(); ++i) {
    const SortItem item = items[i];
    size_t to = i;
    for (; to > 0 && items[to - 1].prefix > item.prefix; --to)
      items[to] = items[to - 1];
    items[to] = item;
  }
}

// Sorts `items`; the result is left there or, if `to_other`, in `other`. Each pass
// moves them from one to the other. `top` is the highest bit that may differ.
void SortFrom(std::span<SortItem> items, SortItem* other, bool to_other, int top) {
  const auto finish = [&] {
    if (to_other) std::copy(items.begin(), items.end(), other);
  };
  if (items.size() <= kFewItems) {
    InsertionSort(items);
    return finish();
  }
  uint64_t differences = 0;
  for (const SortItem& item : items) differences |= item.prefix ^ items[0].prefix;
  if (differences == 0) return finish();
  top = 63 - std::countl_zero(differences);

  const bool last = items.size() <= kLastPassItems;
  const int size_bits = static_cast<int>(std::bit_width(items.size()));
  const int digit_bits =
      std::min({kMaxDigitBits, last ? size_bits : kMaxDigitBits - 1, top + 1});
  const int shift = top + 1 - digit_bits;
  const size_t buckets = size_t{1} << digit_bits;
  const auto digit = [&](const SortItem& item) {
    return item.prefix >> shift & (buckets - 1);
  };
  size_t ends[size_t{1} << kMaxDigitBits];
  std::fill_n(ends, buckets, 0);
  for (const SortItem& item : items) ++ends[digit(item)];
  size_t start = 0, largest = 0;
  for (size_t i = 0; i < buckets; ++i) {
    largest = std::max(largest, ends[i]);
    start += std::exchange(ends[i], start);
  }
  for (const SortItem& item : items) other[ends[digit(item)]++] = item;

  if (shift == 0 || largest <= kLargestLastBucket) {
    if (!to_other) std::copy_n(other, items.size(), items.data());
    if (shift > 0) InsertionSort({to_other ? other : items.data(), items.size()});
    return;
  }
  start = 0;
  for (size_t i = 0; i < buckets; ++i) {
    if (ends[i] > start) {
      SortFrom({other + start, ends[i] - start}, items.data() + start, !to_other,
               shift - 1);
    }
    start = ends[i];
  }
}

}  // namespace

void SortByPrefix(std::span<SortItem> items, SortItem* scratch) {
  SortFrom(items, scratch, false, 63);
}

void FindEqualPrefixes(std::span<const SortItem> items, size_t first, size_t depth,
                       std::vector<ItemRange>* ranges) {
  for (size_t i = 1; i < items.size(); ++i) {
    if (items[i].prefix != items[i - 1].prefix) continue;
    const size_t start = i - 1;
    while (i < items.size() && items[i].prefix == items[start].prefix) ++i;
    ranges->push_back({first + start, i - start, depth});
  }
}

}  // namespace skep
