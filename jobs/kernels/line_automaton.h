// Finds matches of simple regular expressions without RE2's price for each call, which
// in a text where most lines match is most of the time.
//
// Thompson's construction, then all subsets (M. Rabin, D. Scott, 1959): a table with
// the next state for each state and byte, in which a line end leads back to the start.
// So it runs over many lines as over one. Simple are literals, classes without
// negation, groups, '|', '*', '+', '?', '^' and '$', of up to some hundred states; the
// rest is RE2's.

#ifndef SKEP_JOBS_KERNELS_LINE_AUTOMATON_H_
#define SKEP_JOBS_KERNELS_LINE_AUTOMATON_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace skep {

// Thread-safe once made.
class LineAutomaton {
 public:
  // Of an expression that RE2 takes, case-sensitive, in which '^' and '$' are the ends
  // of a line. Nothing if it is not simple.
  static std::optional<LineAutomaton> Create(std::string_view expression);

  // A place in the first line that holds a match, of the lines from `from` on, which is
  // the start of one; npos if none does.
  size_t Find(std::string_view text, size_t from) const;

 private:
  // Where the rows of these states begin.
  static constexpr uint16_t kMatched = 0;
  static constexpr uint16_t kStart = 256;

  bool matches_every_line_ = false;   // then there are no states
  std::vector<uint16_t> next_;        // at state + byte
  std::vector<bool> matches_at_end_;  // by state / 256
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_LINE_AUTOMATON_H_
