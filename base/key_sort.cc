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

uint64_t PrefixOf(const SortItem& item) { return item.prefix; }
uint64_t PrefixOf(uint64_t word) { return word >> 32; }

template <typename Item>
void InsertionSort(std::span<Item> items) {
  for (size_t i = 1; i < items.size(); ++i) {
    const Item item = items[i];
    size_t to = i;
    for (; to > 0 && PrefixOf(items[to - 1]) > PrefixOf(item); --to)
      items[to] = items[to - 1];
    items[to] = item;
  }
}

// Sorts `items`; the result is left there or, if `to_other`, in `other`. Each pass
// moves them from one to the other.
template <typename Item>
void SortFrom(std::span<Item> items, Item* other, bool to_other, KeySortCost* cost) {
  // Passes that read all, and that read and write all.
  const auto count = [&](uint64_t reads, uint64_t moves) {
    if (cost == nullptr) return;
    cost->items_read += (reads + moves) * items.size();
    cost->items_written += moves * items.size();
  };
  const auto finish = [&] {
    if (!to_other) return;
    std::copy(items.begin(), items.end(), other);
    count(0, 1);
  };
  if (items.size() <= kFewItems) {
    InsertionSort(items);
    count(0, 1);
    return finish();
  }
  uint64_t differences = 0;
  for (const Item& item : items) differences |= PrefixOf(item) ^ PrefixOf(items[0]);
  count(1, 0);
  if (differences == 0) return finish();
  const int top = 63 - std::countl_zero(differences);

  const bool last = items.size() <= kLastPassItems;
  const int size_bits = static_cast<int>(std::bit_width(items.size()));
  const int digit_bits =
      std::min({kMaxDigitBits, last ? size_bits : kMaxDigitBits - 1, top + 1});
  const int shift = top + 1 - digit_bits;
  const size_t buckets = size_t{1} << digit_bits;
  const auto digit = [&](const Item& item) {
    return PrefixOf(item) >> shift & (buckets - 1);
  };
  size_t ends[size_t{1} << kMaxDigitBits];
  std::fill_n(ends, buckets, 0);
  for (const Item& item : items) ++ends[digit(item)];
  size_t start = 0, largest = 0;
  for (size_t i = 0; i < buckets; ++i) {
    largest = std::max(largest, ends[i]);
    start += std::exchange(ends[i], start);
  }
  for (const Item& item : items) other[ends[digit(item)]++] = item;
  count(1, 1);  // counted into buckets, and moved

  if (shift == 0 || largest <= kLargestLastBucket) {
    if (!to_other) std::copy_n(other, items.size(), items.data());
    if (shift > 0) {
      InsertionSort(std::span(to_other ? other : items.data(), items.size()));
    }
    count(0, (to_other ? 0 : 1) + (shift > 0 ? 1 : 0));
    return;
  }
  start = 0;
  for (size_t i = 0; i < buckets; ++i) {
    if (ends[i] > start) {
      SortFrom(std::span(other + start, ends[i] - start), items.data() + start,
               !to_other, cost);
    }
    start = ends[i];
  }
}

}  // namespace

void SortByPrefix(std::span<SortItem> items, SortItem* scratch, KeySortCost* cost) {
  SortFrom(items, scratch, false, cost);
}

void SortByUpperHalf(std::span<uint64_t> words, uint64_t* scratch) {
  SortFrom(words, scratch, false, nullptr);
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
