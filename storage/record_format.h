// How a file of input is cut into records.

#ifndef SKEP_STORAGE_RECORD_FORMAT_H_
#define SKEP_STORAGE_RECORD_FORMAT_H_

#include <cstdint>

namespace skep {

struct RecordFormat {
  enum class Kind {
    kLines,  // each ends in '\n', which the last of a file may lack
    kFixed,  // each has record_size bytes
  };
  Kind kind = Kind::kLines;
  uint32_t record_size = 1;  // kFixed: at least 1
  uint64_t empty_files = 0;  // so many of them give a split of 0 bytes, the others none
};

}  // namespace skep

#endif  // SKEP_STORAGE_RECORD_FORMAT_H_
