// Sorting records of one size in memory, as the sort benchmarks have them.
//
// Memory is the limit, so little is moved until all is known. One pass over the records
// takes the first bytes of their keys; bits in which no two keys differ are left out,
// the next ones choose a bucket, and 32 more stand above the record's number in a word
// of 8 bytes. Buckets of words fit the first- or second-level cache, are sorted there
// (base/key_sort.h), and what is still equal is compared by whole keys. Then every
// record is copied once to its place. Records lie anywhere by then, so the copying asks
// for each some dozens of records before it is needed.
//
// Keys of which a sample says that those bits do not tell them apart (long common
// prefixes, few values) take words of 16 bytes instead, at half to two thirds of the
// speed.

#ifndef SKEP_JOBS_KERNELS_RECORD_SORT_H_
#define SKEP_JOBS_KERNELS_RECORD_SORT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/huge_pages.h"
#include "base/key_sort.h"

namespace skep {

// Keeps its memory, 16 bytes a record (32 where keys are much alike, 48 where a sample
// of them misled), for the next time: memory that is new costs as much as sorting. Not
// thread-safe.
class RecordSorter {
 public:
  // Writes the records, ordered by their first `key_size` bytes, to `out`, which has
  // room for as many bytes and does not overlap them. Equal keys keep their order.
  // Requires 1 <= key_size <= record_size, and that records.size() is a multiple of
  // record_size.
  void Sort(std::string_view records, size_t record_size, size_t key_size, char* out);

 private:
  struct Records;
  class KeyBits;
  class Prefixes;

  static std::optional<KeyBits> BitsOfSample(const Records& records, int bucket_bits);
  void SortWords(const Records& records, const KeyBits& bits, int bucket_bits,
                 char* out);
  std::vector<size_t> ReadKeys(const Records& records, KeyBits bits, int bucket_bits);
  void SortEqualWords(const Records& records, std::span<uint64_t> words);
  void SortItems(const Records& records, char* out);

  HugeVector<uint64_t> words_, scratch_words_;
  HugeVector<SortItem> items_, scratch_items_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_RECORD_SORT_H_
