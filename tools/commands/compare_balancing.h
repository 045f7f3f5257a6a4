// `skep compare balancing`.

#ifndef SKEP_TOOLS_COMMANDS_COMPARE_BALANCING_H_
#define SKEP_TOOLS_COMMANDS_COMPARE_BALANCING_H_

#include <optional>

#include "tools/commands/commands.h"

namespace skep {

// None if something else is to be compared.
std::optional<int> RunCompareBalancing(const Args& args);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_COMPARE_BALANCING_H_
