#ifndef SKEP_TOOLS_COMMANDS_COMPARE_FLEET_H_
#define SKEP_TOOLS_COMMANDS_COMPARE_FLEET_H_

#include "absl/status/statusor.h"
#include "rpc/address.h"
#include "tools/compare/comparison.h"
#include "tools/security.h"

namespace skep {

// `skep compare FAMILY --master ADDRESS`: runs the family's jobs on that fleet.
absl::StatusOr<Comparison> CompareOnFleetOf(const Address& master,
                                            const SecurityFlags& security,
                                            const CompareFamily& family,
                                            const CompareOptions& options);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_COMPARE_FLEET_H_
