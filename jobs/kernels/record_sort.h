// Sorting records of one size in memory, as the sort benchmarks have them.
//
// Keys are sorted by base/key_sort.h; then every record is copied once to its place.
// Records lie anywhere by then, so the copying asks for each a dozen records before it
// is needed.

#ifndef SKEP_JOBS_KERNELS_RECORD_SORT_H_
#define SKEP_JOBS_KERNELS_RECORD_SORT_H_

#include <cstddef>
#include <string_view>

#include "base/huge_pages.h"
#include "base/key_sort.h"

namespace skep {

// Keeps its memory, 32 bytes a record, for the next time: memory that is new costs as
// much as sorting. Not thread-safe.
class RecordSorter {
 public:
  // Writes the records, ordered by their first `key_size` bytes, to `out`, which has
  // room for as many bytes and does not overlap them. Equal keys keep their order.
  // Requires 1 <= key_size <= record_size, and that records.size() is a multiple of
  // record_size.
  void Sort(std::string_view records, size_t record_size, size_t key_size, char* out);

 private:
  HugeVector<SortItem> items_, scratch_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_RECORD_SORT_H_
