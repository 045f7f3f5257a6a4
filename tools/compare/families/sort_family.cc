// Sorting lines by their bytes. An answer is a digest of the sorted lines.

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>

#include "base/key_prefix.h"
#include "base/key_sort.h"
#include "base/random.h"
#include "base/status.h"
#include "base/strings.h"
#include "tools/compare/counted_item.h"
#include "tools/compare/family.h"

namespace skep {
namespace {

using Lines = std::vector<std::string_view>;

// Into the order of their bytes. `key_of` is asked for lines by their index.
template <typename KeyOf>
void SortByRadix(Lines& lines, const KeyOf& key_of, KeySortCost* cost) {
  std::vector<SortItem> items(lines.size()), scratch(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) items[i] = {KeyPrefix(lines[i]), i};
  SortByKey(std::span(items), scratch.data(), key_of, cost);
  Lines sorted(lines.size());
  for (size_t i = 0; i < items.size(); ++i) sorted[i] = lines[items[i].id];
  lines.swap(sorted);
}

void SortByRadix(Lines& lines) {
  SortByRadix(
      lines, [&lines](uint64_t id) { return lines[id]; }, nullptr);
}

// What sorting did: rounds, and bytes read and written.
using CountedLines = std::vector<CountedItem<std::string_view>>;
template <void (*kSort)(CountedLines&)>
ComparedRun SortCounted(Lines& lines) {
  ItemCost cost;
  CountedLines items = CountedItems(lines, &cost);
  kSort(items);
  ComparedRun run{.rounds = cost.rounds(), .bytes = cost.bytes()};
  for (size_t i = 0; i < items.size(); ++i) lines[i] = items[i].value();
  return run;
}

ComparedRun SortByRadixCounted(Lines& lines) {
  KeySortCost cost;
  uint64_t line_bytes = 0;
  SortByRadix(
      lines,
      [&](uint64_t id) {
        line_bytes += lines[id].size();
        return lines[id];
      },
      &cost);
  // Items are made of the first bytes of lines, and lines are put into their order.
  const uint64_t items = cost.items_read + cost.items_written + 2 * lines.size();
  return {.rounds = (cost.items_written + lines.size() - 1) / lines.size(),
          .bytes = items * sizeof(SortItem) + line_bytes + 8 * lines.size() +
                   sizeof(std::string_view) * 2 * lines.size()};
}

struct SortAlgorithm {
  const char* name;
  const char* what;
  void (*sort)(Lines& lines);
  ComparedRun (*counted)(Lines& lines);  // the same, telling what it did
};

constexpr SortAlgorithm kAlgorithms[] = {
    {"std-sort", "std::sort of views",
     [](Lines& lines) { std::sort(lines.begin(), lines.end()); },
     SortCounted<[](CountedLines& lines) { std::sort(lines.begin(), lines.end()); }>},
    {"std-stable-sort", "std::stable_sort of views",
     [](Lines& lines) { std::stable_sort(lines.begin(), lines.end()); },
     SortCounted<[](CountedLines& lines) {
       std::stable_sort(lines.begin(), lines.end());
     }>},
    {"radix", "prefixes of 8 bytes by radix, then what is equal", SortByRadix,
     SortByRadixCounted},
};

std::string MakeText(const std::string& input, uint64_t size, uint64_t seed) {
  std::string text;
  Random random(seed);
  for (uint64_t i = 0; i < size; ++i) {
    if (input == "long-prefix") text += "https://example.org/a/common/prefix/";
    const uint64_t letters = input == "short" ? 1 + random.Below(6) : 99;
    for (uint64_t j = 0; j < letters; ++j) {
      text += static_cast<char>('a' + random.Below(26));
    }
    text += '\n';
  }
  return text;
}

// Depends on the order (FNV-1a over the bytes with their ends).
uint64_t DigestOf(const Lines& lines) {
  uint64_t digest = 14695981039346656037u;
  for (const std::string_view line : lines) {
    for (const char c : line)
      digest = (digest ^ static_cast<uint8_t>(c)) * 1099511628211u;
    digest = (digest ^ '\n') * 1099511628211u;
  }
  return digest;
}

absl::StatusOr<ComparedCase> MakeCase(const std::string& input, uint64_t size,
                                      uint64_t seed) {
  if (size == 0) return InvalidArgument("nothing to sort: give a size above 0");
  const auto text = std::make_shared<const std::string>(MakeText(input, size, seed));
  const auto lines = std::make_shared<Lines>();
  for (std::string_view rest = *text; !rest.empty();) {
    const size_t end = rest.find('\n');
    lines->push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  ComparedCase all{.input = StrCat(size, " ", input, " lines")};
  for (const SortAlgorithm& algorithm : kAlgorithms) {
    all.algorithms.push_back(
        {.name = algorithm.name,
         .what = algorithm.what,
         // The copy of the views and the digest are a part of each.
         .run =
             [text, lines, sort = algorithm.sort] {
               Lines copy = *lines;
               sort(copy);
               return ComparedRun{.answer = StrCat(DigestOf(copy))};
             },
         .in_full =
             [text, lines, counted = algorithm.counted] {
               Lines copy = *lines;
               ComparedRun run = counted(copy);
               run.answer = StrCat(DigestOf(copy));
               return run;
             }});
  }
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& input, uint64_t size,
                                          uint64_t seed) {
  return FleetInput{.what = StrCat(size, " ", input, " lines"),
                    .bytes = MakeText(input, size, seed)};
}

}  // namespace

CompareFamily SortFamily() {
  return {
      .name = "sort",
      .what = "sorting lines in memory",
      .size_name = "lines",
      .sizes = {1 << 10, 1 << 14, 1 << 18},
      .most = uint64_t{1} << 25,
      .inputs = {"records", "short", "long-prefix"},
      .by_default = {"std-sort", "std-stable-sort", "radix"},
      .counts =
          "Rounds: comparisons a line, rounded up; of radix, passes that move all "
          "items. Bytes moved: views or items and the bytes of lines that are read, "
          "and what is written; a comparison reads one line as far as it looks.",
      .make = MakeCase,
      .on_fleet = {.job = "sort",
                   .algorithms = {{.name = "bytes", .what = "lines by their bytes"},
                                  {.name = "stable",
                                   .what = "and equal lines in their order",
                                   .flags = {{"stable", "true"}}}},
                   .sizes = {1 << 14, 1 << 18},
                   .make = MakeFleetInput}};
}

}  // namespace skep
