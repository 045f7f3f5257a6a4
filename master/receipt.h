// What goes into _SUCCESS: the proof that the output is whole, and of what.

#ifndef SKEP_MASTER_RECEIPT_H_
#define SKEP_MASTER_RECEIPT_H_

#include <string>
#include <vector>

#include "jobs/api/task.pb.h"

namespace skep {

// One JSON object: the job, its options, and each part file's name, bytes, records and
// digest. The same bytes for the same job, input and options, whatever the fleet: no
// times, no ids, no workers.
std::string MakeReceipt(const JobSpec& job, const std::vector<OutputFile>& parts);

}  // namespace skep

#endif  // SKEP_MASTER_RECEIPT_H_
