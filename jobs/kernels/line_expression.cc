#include "jobs/kernels/line_expression.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "jobs/kernels/expression_parser.h"
#include "jobs/kernels/string_search.h"

namespace skep {
namespace {

constexpr size_t kLongestSequence = 16;

// What every match of an alternative holds, of its parts in their order.
class SequenceFinder {
 public:
  ClassSequence Find(std::vector<ExpressionPart> parts) {
    NoteShape(parts);
    TrimRepeated(&parts);
    std::reverse(parts.begin(), parts.end());
    TrimRepeated(&parts);
    std::reverse(parts.begin(), parts.end());
    for (const ExpressionPart& part : parts) {
      if (part.empty_width) {
        exact_ = false;
      } else if (!part.bytes) {
        EndWindow();
      } else {
        Append(*part.bytes, part.least);
        if (part.least == part.most) continue;
        EndWindow();
        Append(*part.bytes, part.least);
      }
    }
    const bool exact = exact_;
    EndWindow();
    best_.exact = exact;
    best_.whole &= exact;
    return std::move(best_);
  }

 private:
  // Where nothing but the first and the last part may repeat, and the first cannot take
  // what the second one wants: each match is known from the sequence then.
  void NoteShape(const std::vector<ExpressionPart>& parts) {
    if (parts.empty()) return;
    const auto is_fixed = [](const ExpressionPart& part) {
      return part.least == part.most && part.least > 0;
    };
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].bytes || parts[i].empty_width) return;
      if (i > 0 && i + 1 < parts.size() && !is_fixed(parts[i])) return;
    }
    const ExpressionPart &first = parts.front(), &last = parts.back();
    if (parts.size() > 1 && !is_fixed(first)) {
      if (first.most >= 0 || last.least == 0 ||
          (*first.bytes & *parts[1].bytes).any()) {
        return;
      }
      best_.before = *first.bytes;
    }
    if (!is_fixed(last)) {
      best_.after = *last.bytes;
      best_.most_after = last.most < 0 ? SIZE_MAX : last.most - last.least;
    }
    best_.whole = true;
  }

  // At the ends of a match what repeats may as well stand there as seldom as it can.
  static void TrimRepeated(std::vector<ExpressionPart>* parts) {
    while (!parts->empty()) {
      ExpressionPart& first = parts->front();
      if (first.empty_width) return;
      if (first.least > 0) {
        if (first.bytes) first.most = first.least;
        return;
      }
      parts->erase(parts->begin());
    }
  }

  void Append(const ByteSet& bytes, int times) {
    for (int i = 0; i < times; ++i) {
      if (window_.size() == kLongestSequence) {
        exact_ = false;
        return;
      }
      window_.push_back(bytes);
    }
  }

  void EndWindow() {
    exact_ = false;
    double share = 1;
    for (const ByteSet& bytes : window_) share *= ByteShare(bytes);
    if (!window_.empty() && share < best_share_) {
      best_share_ = share;
      best_.classes = window_;
    }
    window_.clear();
  }

  std::vector<ByteSet> window_;
  bool exact_ = true;
  ClassSequence best_;
  double best_share_ = 2;
};

}  // namespace

bool IsWordByte(unsigned char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z') || byte == '_';
}

std::optional<std::vector<ExpressionNode>> ParseLineExpression(
    std::string_view expression, bool ignore_case) {
  return ExpressionParser(expression, ignore_case).Parse();
}

std::vector<ClassSequence> RequiredClasses(std::string_view expression,
                                           bool ignore_case) {
  ExpressionParser parser(expression, ignore_case);
  if (!parser.Parse()) return {};
  std::vector<ClassSequence> sequences;
  for (const std::vector<ExpressionPart>& parts : parser.alternatives()) {
    sequences.push_back(SequenceFinder().Find(parts));
    if (sequences.back().classes.empty()) return {};
  }
  return sequences;
}

}  // namespace skep
