#include "jobs/kernels/required_literal.h"

#include <cctype>
#include <cstddef>
#include <utility>

namespace skep {
namespace {

// Reads an expression from left to right. Positions beyond the end mean "not known".
class Scanner {
 public:
  Scanner(std::string_view text, bool ignore_case)
      : text_(text), ignore_case_(ignore_case) {}

  std::vector<std::string> Scan() {
    UnwrapGroup();
    while (at_ < text_.size()) {
      if (text_[at_] == '|' ? !EndAlternative() : !ScanAtom()) return {};
    }
    if (!EndAlternative()) return {};
    return std::move(literals_);
  }

 private:
  // "(a|b)" is a|b.
  void UnwrapGroup() {
    while (text_.starts_with('(') && SkipGroup() && at_ == text_.size()) {
      text_ = text_.substr(1, text_.size() - 2);
      at_ = 0;
    }
    at_ = 0;
  }

  bool EndAlternative() {
    EndRun();
    ++at_;
    if (longest_.empty()) return false;
    literals_.push_back(std::exchange(longest_, {}));
    return true;
  }

  // One atom with what repeats it. False for what is not known.
  bool ScanAtom() {
    const char c = text_[at_];
    switch (c) {
      case ')':
      case '*':
      case '+':
      case '?':
      case '{':
        return false;  // no expression at all
      case '(':
        return SkipGroup() && SkipOpaque();
      case '[':
        return SkipClass() && SkipOpaque();
      case '.':
      case '^':
      case '$':
        ++at_;
        return SkipOpaque();
      case '\\':
        return ScanEscape();
      default:
        return ScanCharacter();
    }
  }

  bool ScanEscape() {
    if (at_ + 1 >= text_.size()) return false;
    const char c = text_[at_ + 1];
    if (std::ispunct(static_cast<unsigned char>(c))) {
      ++at_;
      return ScanCharacter();
    }
    // Classes and places that are one letter; the others have arguments.
    if (std::string_view("dDwWsSbB").find(c) == std::string_view::npos) return false;
    at_ += 2;
    return SkipOpaque();
  }

  // A character, all its bytes: a repetition repeats all of them.
  bool ScanCharacter() {
    size_t end = at_ + 1;
    while (end < text_.size() && (text_[end] & 0xc0) == 0x80) ++end;
    const std::string_view character = text_.substr(at_, end - at_);
    at_ = end;
    const char next = at_ < text_.size() ? text_[at_] : '\0';
    if (next == '{') return false;
    if (next == '*' || next == '?') return SkipOpaque();
    Add(character);
    if (next == '+') return SkipOpaque();
    return true;
  }

  void Add(std::string_view character) {
    if (!ignore_case_) {
      run_ += character;
      return;
    }
    const char lower =
        static_cast<char>(std::tolower(static_cast<unsigned char>(character[0])));
    // K and S have a third form each, the signs of Kelvin and long s.
    if (static_cast<unsigned char>(lower) >= 0x80 || lower == 'k' || lower == 's') {
      EndRun();
    } else {
      run_ += lower;
    }
  }

  // Something that matches who knows what: the run ends there.
  bool SkipOpaque() {
    EndRun();
    if (at_ < text_.size() && text_[at_] == '{') return false;
    while (at_ < text_.size() &&
           (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?')) {
      ++at_;
    }
    return true;
  }

  bool SkipGroup() {
    if (text_.substr(at_).starts_with("(?")) return false;
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\') {
        if (at_ + 1 < text_.size() && text_[at_ + 1] == 'Q') return false;
        at_ += 2;
      } else if (c == '[') {
        if (!SkipClass()) return false;
      } else {
        if (text_.substr(at_).starts_with("(?")) return false;
        if (c == '(') ++depth;
        if (c == ')') --depth;
        ++at_;
        if (depth == 0) return true;
      }
    }
    return false;
  }

  // Up to the end of [...]; a class with a [ within is not known.
  bool SkipClass() {
    ++at_;
    if (at_ < text_.size() && text_[at_] == '^') ++at_;
    if (at_ < text_.size() && text_[at_] == ']') ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '[') return false;
      at_ += c == '\\' ? 2 : 1;
      if (c == ']') return true;
    }
    return false;
  }

  void EndRun() {
    if (run_.size() > longest_.size()) longest_ = run_;
    run_.clear();
  }

  std::string_view text_;
  const bool ignore_case_;
  size_t at_ = 0;
  std::string run_, longest_;  // of this alternative
  std::vector<std::string> literals_;
};

}  // namespace

std::vector<std::string> RequiredLiterals(std::string_view expression,
                                          bool ignore_case) {
  return Scanner(expression, ignore_case).Scan();
}

}  // namespace skep
