// What a regular expression cannot match without: searching for a plain string is many
// times as fast as running an automaton, so that most lines need none.

#ifndef SKEP_JOBS_KERNELS_REQUIRED_LITERAL_H_
#define SKEP_JOBS_KERNELS_REQUIRED_LITERAL_H_

#include <string>
#include <string_view>
#include <vector>

namespace skep {

// Strings of which every match of the expression (RE2's syntax), in one line, holds
// one: the longest found for each alternative; none if an alternative has none. It
// looks at the top level of the expression and of a group that is all of it: what
// stands in other groups, in classes and optional parts counts for nothing, and flags
// or a syntax that it does not know end in none. With `ignore_case` the strings are in
// lower case, and of letters whose only other case is A-Z's.
std::vector<std::string> RequiredLiterals(std::string_view expression,
                                          bool ignore_case);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_REQUIRED_LITERAL_H_
