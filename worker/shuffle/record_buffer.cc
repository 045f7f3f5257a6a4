#include "worker/shuffle/record_buffer.h"

#include <algorithm>

#include "base/key_prefix.h"

namespace skep {
namespace {

constexpr size_t kInitialRecords = 256;

bool Before(const RecordBuffer::Record& a, const RecordBuffer::Record& b) {
  if (a.partition != b.partition) return a.partition < b.partition;
  if (a.prefix != b.prefix) return a.prefix < b.prefix;
  const int order = a.key().compare(b.key());
  if (order != 0) return order < 0;
  return a.value() < b.value();
}

}  // namespace

bool RecordBuffer::Add(uint32_t partition, std::string_view key,
                       std::string_view value) {
  const size_t bytes = key.size() + value.size();
  if (!records_.empty()) {
    size_t growth = arena_.GrowthFor(bytes);
    // Doubling holds the old and the new vector for a moment.
    if (records_.size() == records_.capacity()) {
      growth += 2 * records_.capacity() * sizeof(Record);
    }
    // What costs nothing is taken whatever the budget: else one that is smaller than a
    // chunk would spill every record by itself.
    if (growth > 0 && memory() + growth > memory_bytes_) return false;
  } else if (records_.capacity() == 0) {
    records_.reserve(kInitialRecords);
  }
  char* const data = arena_.Allocate(bytes);
  key.copy(data, key.size());
  value.copy(data + key.size(), value.size());
  records_.push_back({KeyPrefix(key), data, partition,
                      static_cast<uint32_t>(key.size()),
                      static_cast<uint32_t>(value.size())});
  return true;
}

void RecordBuffer::Sort() { std::sort(records_.begin(), records_.end(), Before); }

void RecordBuffer::Clear() {
  std::vector<Record>().swap(records_);
  arena_.Clear();
}

}  // namespace skep
