// Finds matches of regular expressions (line_expression.h) by a table with the next
// state for each state and byte, in which a line end leads back to the start. So it
// runs over many lines as over one, and without RE2's price for each call, which in a
// text where most lines match is most of the time.
//
// All subsets of the nondeterministic automaton (M. Rabin, D. Scott, 1959), made
// beforehand; of up to some hundred states. Bytes that no part of the expression tells
// apart share a column of the table.
//
// A step waits for the one before it, five or six cycles. Lines do not wait for each
// other: several chunks of them are walked through in turn, which is four times as
// fast.

#ifndef SKEP_JOBS_KERNELS_LINE_AUTOMATON_H_
#define SKEP_JOBS_KERNELS_LINE_AUTOMATON_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace skep {

// Thread-safe once made.
class LineAutomaton {
 public:
  // Of an expression that RE2 takes, in which '^' and '$' are the ends of a line.
  // Nothing if it is not known or needs too many states.
  static std::optional<LineAutomaton> Create(std::string_view expression,
                                             bool ignore_case = false);

  // A place in the first line that holds a match, of the lines from `from` on, which is
  // the start of one; npos if none does. Of a text that may be empty: an empty line.
  size_t Find(std::string_view text, size_t from) const;

  // Sets for each line of the text that holds a match the bit of a place in it, the
  // lowest bits of the words first. The text is whole lines, the last one's end may be
  // missing.
  void FindLines(std::string_view text, std::vector<uint64_t>* places) const;

 private:
  friend class AutomatonBuilder;
  static constexpr size_t kWalks = 4;  // chunks of lines walked through in turn
  struct Walk;

  // Where the rows of these states begin; the start's is a row's length.
  static constexpr uint16_t kMatched = 0;

  // Goes on to the end of the line of the next match, or of the chunk.
  void Step(Walk* walk, const char* text, std::vector<uint64_t>* places) const;
  // All go on until one of them is near a match or the end of its chunk.
  void StepTogether(std::array<Walk, kWalks>* walks) const;

  uint16_t start_ = 0;
  bool matches_every_line_ = false;    // then there are no states
  std::array<uint8_t, 256> column_{};  // of a byte
  std::vector<uint16_t> next_;         // at state + column
  std::vector<bool> matches_at_end_;   // by state / start_
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_LINE_AUTOMATON_H_
