#include "storage/byte_source.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"

namespace skep {

absl::StatusOr<size_t> ReadFully(ByteSource& source, char* out, size_t size) {
  size_t done = 0;
  while (done < size) {
    SKEP_ASSIGN_OR_RETURN(const size_t got, source.Read(out + done, size - done));
    if (got == 0) break;
    done += got;
  }
  return done;
}

absl::StatusOr<size_t> FileRangeSource::Read(char* out, size_t size) {
  const size_t wanted = std::min<uint64_t>(size, left_);
  if (wanted == 0) return 0;
  SKEP_ASSIGN_OR_RETURN(const size_t got, file_.ReadAt(offset_, wanted, out));
  offset_ += got;
  left_ = got < wanted ? 0 : left_ - got;  // short: the file ends here
  return got;
}

absl::StatusOr<size_t> StringSource::Read(char* out, size_t size) {
  const size_t n = std::min({size, max_read_, bytes_.size() - position_});
  std::memcpy(out, bytes_.data() + position_, n);
  position_ += n;
  return n;
}

}  // namespace skep
