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
  HugeVector<CountedView> all;
  all.reserve(table.size());
  HugeVector<SortItem> items;
  items.reserve(table.size());
  table.ForEach([&](std::string_view key, uint64_t count) {
    items.push_back({~count, all.size()});
    all.push_back({count, key});
  });
  HugeVector<SortItem> scratch(items.size());
  SortByPrefix(items, scratch.data());
  std::vector<ItemRange> same_count;
  FindEqualPrefixes(items, 0, 0, &same_count);
  SortEqualPrefixes(items, scratch.data(), std::move(same_count),
                    [&all](uint64_t i) { return all[i].key; });
  HugeVector<CountedView> sorted;
  sorted.reserve(all.size());
  for (const SortItem& item : items) sorted.push_back(all[item.id]);
  return sorted;
}

}  // namespace skep
