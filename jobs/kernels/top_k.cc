#include "jobs/kernels/top_k.h"

#include <algorithm>
#include <utility>

#include "base/key_prefix.h"

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

std::vector<CountedView> SortByCount(const WordTable& table) {
  std::vector<CountedView> all;
  all.reserve(table.size());
  table.ForEach([&all](std::string_view key, uint64_t count) {
    all.push_back({count, KeyPrefix(key), key});
  });
  std::sort(all.begin(), all.end(), [](const CountedView& a, const CountedView& b) {
    if (a.count != b.count) return a.count > b.count;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return a.key < b.key;
  });
  return all;
}

}  // namespace skep
