// Sorting many keys of bytes: what `sort`, the shuffle and word counts stand on.
//
// Keys stay where they are. What moves is a SortItem: the key's first bytes as a number
// (base/key_prefix.h) and the caller's name for the key. Items are sorted by a radix
// sort from the top bits that differ (out of place, so it is stable; buckets that fit
// the first-level cache after one or two passes); then keys with equal prefixes are
// compared further on, a group at a time, from the first byte in which the group's keys
// differ. Long common prefixes (URLs, paths, numbers with leading zeros) cost one look
// for each key, not one for each comparison.

#ifndef SKEP_BASE_KEY_SORT_H_
#define SKEP_BASE_KEY_SORT_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/key_prefix.h"

namespace skep {

struct SortItem {
  uint64_t prefix;
  uint64_t id;  // the caller's: an index or an address
};

// What sorting did, for comparisons.
struct KeySortCost {
  uint64_t items_read = 0, items_written = 0;  // in all passes over prefixes
};

// Sorts by prefix; items of equal prefix keep their order. `scratch` has room for as
// many items; what it holds afterwards is unspecified. Adds to `cost`, if there is one.
void SortByPrefix(std::span<SortItem> items, SortItem* scratch,
                  KeySortCost* cost = nullptr);

// The same for items of half the size: 32 bits of a key above 32 bits for the caller.
void SortByUpperHalf(std::span<uint64_t> words, uint64_t* scratch);

// A part of a sequence of items.
struct ItemRange {
  size_t first;
  size_t size;
  size_t depth;  // the keys' bytes before it are equal
};

// Appends the ranges, of two items or more, of equal prefix.
void FindEqualPrefixes(std::span<const SortItem> items, size_t first, size_t depth,
                       std::vector<ItemRange>* ranges);

// Where the first difference is at or after `from`; else a.size(), the smaller of both.
inline size_t EndOfEqualBytes(std::string_view a, std::string_view b, size_t from) {
  for (; from + 8 <= a.size(); from += 8) {
    const uint64_t differences =
        LoadBig64(a.data() + from) ^ LoadBig64(b.data() + from);
    if (differences != 0) return from + std::countl_zero(differences) / 8;
  }
  while (from < a.size() && a[from] == b[from]) ++from;
  return from;
}

// Sorts items whose prefixes are sorted and whose keys agree where the prefixes do:
// the `ranges` are in order afterwards, equal keys in the order in which they were.
// `key_of(uint64_t id)` is a std::string_view that stays valid.
template <typename KeyOf>
void SortEqualPrefixes(std::span<SortItem> items, SortItem* scratch,
                       std::vector<ItemRange> ranges, KeyOf&& key_of,
                       KeySortCost* cost = nullptr) {
  constexpr size_t kFewItems = 8;
  while (!ranges.empty()) {
    const ItemRange range = ranges.back();
    ranges.pop_back();
    const std::span<SortItem> group = items.subspan(range.first, range.size);
    if (group.size() <= kFewItems) {
      // By insertion: std::stable_sort would allocate memory.
      for (size_t i = 1; i < group.size(); ++i) {
        const SortItem item = group[i];
        const std::string_view key = key_of(item.id).substr(range.depth);
        size_t to = i;
        for (; to > 0 && key < key_of(group[to - 1].id).substr(range.depth); --to) {
          group[to] = group[to - 1];
        }
        group[to] = item;
      }
      continue;
    }
    // The bytes in which all agree with the first.
    const std::string_view model = key_of(group[0].id);
    size_t same = model.size();
    for (const SortItem& item : group.subspan(1)) {
      const std::string_view key = key_of(item.id);
      const size_t end = std::min(same, key.size());
      same = EndOfEqualBytes(key.substr(0, end), model, range.depth);
    }
    // Keys that end there are equal, and first; the others go on.
    size_t ended = 0, going_on = 0;
    for (const SortItem& item : group) {
      const std::string_view key = key_of(item.id);
      if (key.size() == same) {
        group[ended++] = item;
      } else {
        scratch[going_on++] = {KeyPrefix(key.substr(same)), item.id};
      }
    }
    const std::span<SortItem> rest = group.subspan(ended);
    std::copy_n(scratch, going_on, rest.data());
    SortByPrefix(rest, scratch, cost);
    FindEqualPrefixes(rest, range.first + ended, same, &ranges);
  }
}

// Sorts items by the bytes of their keys; equal keys keep their order. Each item's
// prefix is KeyPrefix(key_of(id)).
template <typename KeyOf>
void SortByKey(std::span<SortItem> items, SortItem* scratch, KeyOf&& key_of,
               KeySortCost* cost = nullptr) {
  SortByPrefix(items, scratch, cost);
  std::vector<ItemRange> ranges;
  FindEqualPrefixes(items, 0, 0, &ranges);
  SortEqualPrefixes(items, scratch, std::move(ranges), key_of, cost);
}

}  // namespace skep

#endif  // SKEP_BASE_KEY_SORT_H_
