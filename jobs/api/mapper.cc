#include "jobs/api/mapper.h"

#include "base/coding.h"

namespace skep {

absl::StatusOr<uint64_t> SumCounts(Values& values) {
  uint64_t sum = 0;
  std::string_view value;
  while (values.Next(&value)) {
    std::string_view rest = value;
    uint64_t n;
    if (!GetVarint(&rest, &n) || !rest.empty()) {
      return DataLoss("a value of ", value.size(),
                      " bytes is not a count: records that are summed must come from "
                      "EmitCount");
    }
    sum += n;
  }
  return sum;
}

}  // namespace skep
