#include "jobs/key_windows.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/coding.h"
#include "jobs/kernels/rank_selection.h"
#include "jobs/kernels/selection.h"

namespace skep {
namespace {

constexpr OrderKey kEnd = OrderKey{1} << 64;
// With more windows, each number is looked up among them by itself.
constexpr size_t kFewWindows = 16;
constexpr size_t kPiece = 1024;

OrderKey KeyOfInteger(uint64_t ordered) {
  return OrderKeyOf(Int64FromOrdered(ordered));
}
OrderKey KeyOfReal(uint64_t ordered) { return OrderKeyOf(DoubleFromOrdered(ordered)); }

// The least 64-bit integer whose key is at least `wanted`; 2^64 if there is none. Of
// two with that key, the second: these are the zeros, and -0.0 is added as 0.0.
template <typename KeyOf>
OrderKey FirstAtLeast(OrderKey wanted, const KeyOf& key) {
  OrderKey first = 0, end = kEnd;
  while (first < end) {
    const OrderKey middle = first + (end - first) / 2;
    if (key(static_cast<uint64_t>(middle)) < wanted) {
      first = middle + 1;
    } else {
      end = middle;
    }
  }
  if (first + 1 < kEnd && key(static_cast<uint64_t>(first)) ==
                              key(static_cast<uint64_t>(first + 1))) {
    ++first;
  }
  return first;
}

// How many are less than `bound`, and how many are equal to it.
RankCounts CountAt(std::span<const uint64_t> ordered, OrderKey bound) {
  if (bound >= kEnd) return {ordered.size(), 0};
  return CountAround(ordered, static_cast<uint64_t>(bound));
}

}  // namespace

KeyWindows::KeyWindows(std::vector<KeyWindow> windows, size_t capacity, uint64_t seed)
    : windows_(std::move(windows)),
      tallies_(windows_.size()),
      integer_bounds_(BoundsOf(KeyOfInteger)),
      real_bounds_(BoundsOf(KeyOfReal)),
      gaps_(windows_.size() + 1) {
  for (size_t i = 0; i < windows_.size(); ++i) {
    samples_.emplace_back(capacity, seed + i);
  }
}

template <typename KeyOf>
std::vector<KeyWindows::Bounds> KeyWindows::BoundsOf(const KeyOf& key) const {
  std::vector<Bounds> all;
  for (const KeyWindow& window : windows_) {
    Bounds bounds{.at_low = FirstAtLeast(window.low, key),
                  .inside = FirstAtLeast(window.low + 1, key),
                  .at_high = FirstAtLeast(window.high, key),
                  .above = FirstAtLeast(window.high + 1, key)};
    if (window.low == window.high) bounds.at_high = bounds.above = bounds.inside;
    all.push_back(bounds);
  }
  return all;
}

void KeyWindows::Add(std::span<const int64_t> values) {
  AddAll(values, integer_bounds_, OrderedFromInt64, KeyOfInteger);
}

void KeyWindows::Add(std::span<const double> values) {
  // -0.0 plus 0.0 is 0.0.
  AddAll(
      values, real_bounds_, [](double value) { return OrderedFromDouble(value + 0.0); },
      KeyOfReal);
}

void KeyWindows::Add(std::span<const uint64_t> values) {
  for (const uint64_t value : values) AddOne(OrderKeyOf(value));
}

template <typename T, typename Order, typename KeyOf>
void KeyWindows::AddAll(std::span<const T> values, const std::vector<Bounds>& bounds,
                        const Order& order, const KeyOf& key) {
  if (windows_.size() > kFewWindows) {
    for (const T value : values) AddOne(OrderKeyOf(value));
    return;
  }
  std::array<uint64_t, kPiece> ordered;
  while (!values.empty()) {
    const auto piece = values.first(std::min(kPiece, values.size()));
    values = values.subspan(piece.size());
    std::transform(piece.begin(), piece.end(), ordered.begin(), order);
    for (size_t i = 0; i < windows_.size(); ++i) {
      AddPiece(std::span(ordered).first(piece.size()), bounds[i], i, key);
    }
  }
}

template <typename KeyOf>
void KeyWindows::AddPiece(std::span<const uint64_t> ordered, const Bounds& bounds,
                          size_t window, const KeyOf& key) {
  WindowTally& tally = tallies_[window];
  const auto sample = [&](std::span<const uint64_t> keys) {
    tally.inside += keys.size();
    samples_[window].AddMany(keys.size(), [&](size_t i) { return key(keys[i]); });
  };
  if (bounds.inside == 0 && bounds.at_high == kEnd) return sample(ordered);
  const RankCounts low = CountAt(ordered, bounds.at_low);
  tally.below += low.smaller;
  if (bounds.at_low < bounds.inside) tally.at_low += low.same;
  if (bounds.at_high < bounds.above) {
    tally.at_high += CountAt(ordered, bounds.at_high).same;
  }
  if (bounds.inside >= bounds.at_high) return;
  std::array<uint64_t, kPiece + 8> inside;
  // An open end wraps around, as the kernel's arithmetic does.
  const WindowCounts counts =
      CountAndCollect(ordered, static_cast<uint64_t>(bounds.inside - 1),
                      static_cast<uint64_t>(bounds.at_high), inside.data(), kPiece);
  sample(std::span(inside).first(counts.inside));
}

void KeyWindows::AddOne(OrderKey key) {
  const auto window =
      std::partition_point(windows_.begin(), windows_.end(),
                           [key](const KeyWindow& w) { return w.high < key; });
  const size_t i = window - windows_.begin();
  if (window == windows_.end() || key < window->low) {
    ++gaps_[i];
  } else if (key == window->low) {
    ++tallies_[i].at_low;
  } else if (key == window->high) {
    ++tallies_[i].at_high;
  } else {
    ++tallies_[i].inside;
    samples_[i].Add(key);
  }
  // What is added in pieces counts below each window by itself: so does this.
  for (size_t j = i + 1; windows_.size() <= kFewWindows && j < windows_.size(); ++j) {
    ++tallies_[j].below;
  }
}

std::vector<WindowTally> KeyWindows::Take() {
  uint64_t before = 0;
  for (size_t i = 0; i < windows_.size(); ++i) {
    WindowTally& tally = tallies_[i];
    tally.below += gaps_[i];
    if (windows_.size() > kFewWindows) {
      tally.below += before;
      before = tally.below + tally.at_low + tally.inside + tally.at_high;
    }
    tally.sample = samples_[i].keys();
    tally.stride = samples_[i].stride();
  }
  return std::move(tallies_);
}

void PutTallies(std::string* out, const std::vector<WindowTally>& tallies) {
  PutVarint(out, tallies.size());
  for (const WindowTally& tally : tallies) {
    for (const uint64_t n : {tally.below, tally.at_low, tally.inside, tally.at_high,
                             tally.stride, uint64_t{tally.sample.size()}}) {
      PutVarint(out, n);
    }
    for (const OrderKey key : tally.sample) PutOrderKey(out, key);
  }
}

bool GetTallies(std::string_view* in, std::vector<WindowTally>* tallies) {
  uint64_t count;
  if (!GetVarint(in, &count) || count > in->size()) return false;
  tallies->resize(count);
  for (WindowTally& tally : *tallies) {
    uint64_t size;
    for (uint64_t* n : {&tally.below, &tally.at_low, &tally.inside, &tally.at_high,
                        &tally.stride, &size}) {
      if (!GetVarint(in, n)) return false;
    }
    if (size > in->size() / kOrderKeyBytes) return false;
    tally.sample.resize(size);
    for (OrderKey& key : tally.sample) {
      if (!GetOrderKey(in, &key)) return false;
    }
  }
  return true;
}

}  // namespace skep
