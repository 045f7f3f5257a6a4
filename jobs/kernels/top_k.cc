#include "jobs/kernels/top_k.h"

#include <algorithm>
#include <utility>

#include "base/key_sort.h"

namespace skep {
namespace {

bool Before(const CountedKey& a, const CountedKey& b) {
  return ComesBefore(a.count, a.key, b.count, b.key);
}

}  // namespace

void TopK::Add(std::string_view key, uint64_t count) {
  if (heap_.size() < k_) {
    heap_.push_back({std::string(key), count});
    std::push_heap(heap_.begin(), heap_.end(), Before);
    return;
  }
  if (k_ == 0) return;
  const CountedKey& worst = heap_.front();
  if (!ComesBefore(count, key, worst.count, worst.key)) return;
  std::pop_heap(heap_.begin(), heap_.end(), Before);
  heap_.back().key.assign(key);
  heap_.back().count = count;
  std::push_heap(heap_.begin(), heap_.end(), Before);
}

std::vector<CountedKey> TopK::Take() {
  std::sort_heap(heap_.begin(), heap_.end(), Before);
  return std::exchange(heap_, {});
}

HugeVector<CountedView> SortByCount(const WordTable& table) {
  HugeVector<SortItem> items;
  items.reserve(table.size());
  table.ForEachPlace([&](size_t place, uint64_t count) {
    items.push_back({~count, place});
  });
  {
    HugeVector<SortItem> scratch(items.size());
    SortByPrefix(items, scratch.data());
    std::vector<ItemRange> same_count;
    FindEqualPrefixes(items, 0, 0, &same_count);
    SortEqualPrefixes(items, scratch.data(), std::move(same_count),
                      [&table](uint64_t place) { return table.KeyAt(place); });
  }
  // In the memory of the scratch where the system gives it back.
  HugeVector<CountedView> sorted;
  sorted.reserve(items.size());
  for (const SortItem& item : items) {
    sorted.push_back({table.CountAt(item.id), table.KeyAt(item.id)});
  }
  return sorted;
}

}  // namespace skep
