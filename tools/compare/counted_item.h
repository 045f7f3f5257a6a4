// What a standard algorithm does to its items: it is run once more, outside the
// measurements, over items that count how often they are compared and moved.
//
//   ItemCost cost;
//   std::vector<CountedItem<uint64_t>> items = CountedItems(keys, &cost);
//   std::sort(items.begin(), items.end());      // cost: what std::sort(keys) does

#ifndef SKEP_TOOLS_COMPARE_COUNTED_ITEM_H_
#define SKEP_TOOLS_COMPARE_COUNTED_ITEM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace skep {

struct ItemCost {
  uint64_t comparisons = 0;
  uint64_t moves = 0;           // and copies
  uint64_t bytes_compared = 0;  // of one of both, beyond the item itself
  size_t item_bytes = 0;
  size_t items = 0;

  // A comparison reads one item, the other being at hand; a move writes one.
  uint64_t bytes() const { return (comparisons + moves) * item_bytes + bytes_compared; }
  // How often each item was compared.
  uint64_t rounds() const { return items == 0 ? 0 : (comparisons + items - 1) / items; }
};

// The bytes behind an item that a comparison looks at.
inline uint64_t BytesCompared(uint64_t /*a*/, uint64_t /*b*/) { return 0; }
inline uint64_t BytesCompared(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  const auto differ = std::mismatch(a.begin(), a.begin() + most, b.begin());
  return std::min<uint64_t>(differ.first - a.begin() + 1, most);
}

template <typename T>
class CountedItem {
 public:
  CountedItem(const T& value, ItemCost* cost) : value_(value), cost_(cost) {}
  CountedItem(const CountedItem& from) : value_(from.value_), cost_(from.cost_) {
    ++cost_->moves;
  }
  CountedItem& operator=(const CountedItem& from) {
    value_ = from.value_;
    cost_ = from.cost_;
    ++cost_->moves;
    return *this;
  }
  friend bool operator<(const CountedItem& a, const CountedItem& b) {
    ++a.cost_->comparisons;
    a.cost_->bytes_compared += BytesCompared(a.value_, b.value_);
    return a.value_ < b.value_;
  }
  const T& value() const { return value_; }

 private:
  T value_;
  ItemCost* cost_;
};

// The items; writing them there is not yet a part of the cost.
template <typename T>
std::vector<CountedItem<T>> CountedItems(const std::vector<T>& values, ItemCost* cost) {
  std::vector<CountedItem<T>> items;
  items.reserve(values.size());
  for (const T& value : values) items.emplace_back(value, cost);
  cost->items = values.size();
  cost->item_bytes = sizeof(T);
  return items;
}

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_COUNTED_ITEM_H_
