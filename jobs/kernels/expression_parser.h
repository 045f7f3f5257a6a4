// The parser of line_expression.cc.

#ifndef SKEP_JOBS_KERNELS_EXPRESSION_PARSER_H_
#define SKEP_JOBS_KERNELS_EXPRESSION_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "jobs/kernels/line_expression.h"

namespace skep {

// A part of a concatenation, and how often it may stand there.
struct ExpressionPart {
  std::optional<ByteSet> bytes;  // one byte of these; nothing for whatever else it is
  bool empty_width = false;      // '^', '\b' and the like
  int least = 1;
  int most = 1;  // -1: any number
};

// Parses as RE2 would and stops at what is not known.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view expression, bool ignore_case)
      : rest_(expression), ignore_case_(ignore_case) {}

  // To be called once.
  std::optional<std::vector<ExpressionNode>> Parse();

  // After Parse: the alternatives at the top.
  const std::vector<std::vector<ExpressionPart>>& alternatives() const {
    return alternatives_;
  }

 private:
  using Kind = ExpressionNode::Kind;

  // A piece of the automaton: where it begins, and the one node, a kSplit without any
  // other way, by which it is left.
  struct Piece {
    int begin;
    int end;
  };
  // What stands in "[...]".
  struct Class {
    ByteSet ascii;
    bool beyond = false;  // every other character, too
  };

  int Add(Kind kind, int next = -1, int other = -1);
  Piece Empty();
  Piece Single(Kind kind, const ByteSet& bytes = {});
  Piece Bytes(const ByteSet& bytes);  // one of them
  Piece EmptyWidth(Kind kind);
  void Append(Piece* all, Piece more);
  Piece Either(Piece one, Piece other);
  Piece Refuse();
  bool Take(char c);

  Piece Alternatives(int depth);
  Piece Sequence(int depth);
  Piece Repeated(int depth);
  Piece Times(std::string_view atom, Piece first, int depth);
  bool TakeCounts(int* least, int* most);
  Piece Atom(int depth);
  Piece Group(int depth);
  Piece Literal(char c);
  Piece Escaped();
  Piece BracketClass();
  bool AddToClass(Class* members);
  bool AddNamedClass(Class* members);
  bool ClassByte(uint8_t* byte);
  Piece OneOf(Class members);
  Piece FoldedBeyondAscii(Piece piece, const ByteSet& bytes);

  std::string_view rest_;
  const bool ignore_case_;
  bool known_ = true;
  std::vector<ExpressionNode> nodes_;
  ExpressionPart part_;  // the last atom
  std::vector<std::vector<ExpressionPart>> alternatives_;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_EXPRESSION_PARSER_H_
