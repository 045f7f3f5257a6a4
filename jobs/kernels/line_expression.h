// Regular expressions in RE2's syntax, taken apart as far as they are about bytes: as a
// nondeterministic automaton (line_automaton.h runs it) and as the sequences of classes
// that every match holds (class_search.h finds them).
//
// Known are literals, '.', classes of ASCII and their negations, \d \w \s \b and the
// like, groups, '|', '*', '+', '?', '{n,m}', '^' and '$', case folded or not, in texts
// of UTF-8 with bytes among it that are none, as RE2 treats both. Not known are other
// letters in classes or folded, names and flags in groups, \A and \z, \pL, \Q: what has
// them stays RE2's.

#ifndef SKEP_JOBS_KERNELS_LINE_EXPRESSION_H_
#define SKEP_JOBS_KERNELS_LINE_EXPRESSION_H_

#include <bitset>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace skep {

using ByteSet = std::bitset<256>;

struct ExpressionNode {
  enum class Kind {
    kBytes,
    kSplit,  // goes on at either
    kLineBegin,
    kLineEnd,
    kWordBoundary,
    kNoWordBoundary,
    kMatch
  } kind;
  ByteSet bytes;   // kBytes: one of them is read; none is '\n'
  int next = -1;   // -1: nowhere
  int other = -1;  // kSplit
};

// Letters, digits and '_' of ASCII, which \b is about.
bool IsWordByte(unsigned char byte);

// Thompson's construction (K. Thompson, 1968). The automaton begins at node 0. Nothing
// for what is not known, or has more than some thousand nodes. The expression must be
// one that RE2 takes.
std::optional<std::vector<ExpressionNode>> ParseLineExpression(
    std::string_view expression, bool ignore_case);

// Classes, one for each byte of a piece of text.
struct ClassSequence {
  std::vector<ByteSet> classes;
  bool exact = false;  // a line matches if and only if it holds the sequence
  // And a match is the sequence where it first stands, all bytes of `before` right
  // before it, and of `after` right behind it, up to so many.
  bool whole = false;
  ByteSet before, after;
  size_t most_after = 0;
};

// For each alternative at the top of the expression, the sequence that is rarest in
// texts, by the frequencies of bytes, of those that every match of it holds; at most 16
// long. None if one of them has none, or the expression is not known.
std::vector<ClassSequence> RequiredClasses(std::string_view expression,
                                           bool ignore_case);

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_LINE_EXPRESSION_H_
