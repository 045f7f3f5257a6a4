#ifndef SKEP_TOOLS_COMMANDS_COMPARE_ALGORITHMS_H_
#define SKEP_TOOLS_COMMANDS_COMPARE_ALGORITHMS_H_

#include <optional>
#include <string>

#include "tools/commands/commands.h"

namespace skep {

// `skep compare FAMILY`: the exit code; nothing if the first argument is no family of
// algorithms (tools/compare/family.h).
std::optional<int> RunCompareAlgorithms(const Args& args);

// "average, median": for help and errors.
std::string CompareFamilyNames();

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_COMPARE_ALGORITHMS_H_
