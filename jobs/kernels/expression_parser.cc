#include "jobs/kernels/expression_parser.h"

#include <string>

namespace skep {
namespace {

constexpr size_t kMaxNodes = 8192;
constexpr int kMaxDepth = 100;
constexpr int kMaxTimes = 1000;  // RE2's

bool IsAscii(char c) { return static_cast<int8_t>(c) >= 0; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsPunctuation(char c) {
  return c > ' ' && c < 0x7f && (!IsWordByte(static_cast<uint8_t>(c)) || c == '_');
}

ByteSet Range(uint8_t low, uint8_t high) {
  ByteSet bytes;
  for (size_t c = low; c <= high; ++c) bytes.set(c);
  return bytes;
}
ByteSet Only(char c) { return Range(static_cast<uint8_t>(c), static_cast<uint8_t>(c)); }
ByteSet Members(std::string_view all) {
  ByteSet bytes;
  for (const char c : all) bytes.set(static_cast<uint8_t>(c));
  return bytes;
}

ByteSet WordBytes() {
  return Range('0', '9') | Range('A', 'Z') | Range('a', 'z') | Only('_');
}

// Of \d, \s, \w and, negated, \D, \S, \W.
std::optional<ByteSet> PerlClass(char letter) {
  switch (letter | 0x20) {
    case 'd':
      return Range('0', '9');
    case 's':
      return Members("\t\n\f\r ");
    case 'w':
      return WordBytes();
    default:
      return std::nullopt;
  }
}

// "[:name:]".
std::optional<ByteSet> PosixClass(std::string_view name) {
  const ByteSet upper = Range('A', 'Z'), lower = Range('a', 'z'),
                digit = Range('0', '9'), graph = Range('!', '~');
  if (name == "alnum") return upper | lower | digit;
  if (name == "alpha") return upper | lower;
  if (name == "ascii") return Range(0, 0x7f);
  if (name == "blank") return Members("\t ");
  if (name == "cntrl") return Range(0, 0x1f) | Only(0x7f);
  if (name == "digit") return digit;
  if (name == "graph") return graph;
  if (name == "lower") return lower;
  if (name == "print") return graph | Only(' ');
  if (name == "punct") return graph & ~(upper | lower | digit);
  if (name == "space") return Members("\t\n\v\f\r ");
  if (name == "upper") return upper;
  if (name == "word") return WordBytes();
  if (name == "xdigit") return digit | Range('A', 'F') | Range('a', 'f');
  return std::nullopt;
}

// Characters that are written with a letter behind '\'.
std::optional<char> ControlCharacter(char letter) {
  switch (letter) {
    case 'a':
      return '\a';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::vector<ExpressionNode>> ExpressionParser::Parse() {
  Add(Kind::kSplit);
  const Piece all = Alternatives(0);
  if (!known_ || !rest_.empty()) return std::nullopt;
  nodes_[0].next = all.begin;
  nodes_[all.end].next = Add(Kind::kMatch);
  return std::move(nodes_);
}

int ExpressionParser::Add(Kind kind, int next, int other) {
  if (nodes_.size() >= kMaxNodes) known_ = false;
  nodes_.push_back({.kind = kind, .bytes = {}, .next = next, .other = other});
  return static_cast<int>(nodes_.size()) - 1;
}

ExpressionParser::Piece ExpressionParser::Empty() {
  const int node = Add(Kind::kSplit);
  return {node, node};
}

ExpressionParser::Piece ExpressionParser::Single(Kind kind, const ByteSet& bytes) {
  const int end = Add(Kind::kSplit);
  const int node = Add(kind, end);
  nodes_[node].bytes = bytes;
  return {node, end};
}

ExpressionParser::Piece ExpressionParser::Bytes(const ByteSet& bytes) {
  part_ = {.bytes = bytes};
  return Single(Kind::kBytes, bytes);
}

ExpressionParser::Piece ExpressionParser::EmptyWidth(Kind kind) {
  part_ = {.bytes = {}, .empty_width = true};
  return Single(kind);
}

void ExpressionParser::Append(Piece* all, Piece more) {
  nodes_[all->end].next = more.begin;
  all->end = more.end;
}

ExpressionParser::Piece ExpressionParser::Either(Piece one, Piece other) {
  const int end = Add(Kind::kSplit);
  nodes_[one.end].next = end;
  nodes_[other.end].next = end;
  return {Add(Kind::kSplit, one.begin, other.begin), end};
}

ExpressionParser::Piece ExpressionParser::Refuse() {
  known_ = false;
  return Empty();
}

bool ExpressionParser::Take(char c) {
  if (rest_.empty() || rest_[0] != c) return false;
  rest_.remove_prefix(1);
  return true;
}

ExpressionParser::Piece ExpressionParser::Alternatives(int depth) {
  Piece all = Sequence(depth);
  while (known_ && Take('|')) all = Either(all, Sequence(depth));
  return all;
}

ExpressionParser::Piece ExpressionParser::Sequence(int depth) {
  if (depth == 0) alternatives_.emplace_back();
  Piece all = Empty();
  while (known_ && !rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
    Append(&all, Repeated(depth));
    if (depth == 0) alternatives_.back().push_back(part_);
  }
  return all;
}

// An atom and what repeats it. Which of several matches is preferred does not matter.
ExpressionParser::Piece ExpressionParser::Repeated(int depth) {
  const std::string_view atom = rest_;
  Piece piece = Atom(depth);
  if (!known_ || rest_.empty()) return piece;
  const char how = rest_[0];
  if (how == '{') {
    piece = Times(atom, piece, depth);
  } else if (how == '*' || how == '+' || how == '?') {
    rest_.remove_prefix(1);
    const int end = Add(Kind::kSplit);
    const int split = Add(Kind::kSplit, piece.begin, end);
    nodes_[piece.end].next = how == '?' ? end : split;
    piece = {how == '+' ? piece.begin : split, end};
    part_.least = how == '+' ? 1 : 0;
    part_.most = how == '?' ? 1 : -1;
  } else {
    return piece;
  }
  Take('?');
  // "a**" and the like.
  if (!rest_.empty() && std::string_view("*+?{").find(rest_[0]) != rest_.npos) {
    return Refuse();
  }
  return piece;
}

// What stands behind the atom is {n}, {n,} or {n,m}. Each copy is parsed anew.
ExpressionParser::Piece ExpressionParser::Times(std::string_view atom, Piece first,
                                                int depth) {
  int least, most;
  if (!TakeCounts(&least, &most)) return Refuse();
  const std::string_view behind = rest_;
  auto copy = [&, used = false]() mutable {
    if (!std::exchange(used, true)) return first;
    rest_ = atom;
    // The alternatives within are those of its first copy.
    return Atom(depth);
  };
  Piece all = Empty();
  for (int i = 0; i < least && known_; ++i) Append(&all, copy());
  if (most < 0) {
    const Piece more = copy();
    const int end = Add(Kind::kSplit);
    const int split = Add(Kind::kSplit, more.begin, end);
    nodes_[more.end].next = split;
    Append(&all, {split, end});
  }
  // x{0,3} is (x(x(x)?)?)?: ways out after each.
  const int end = Add(Kind::kSplit);
  for (int i = least; i < most && known_; ++i) {
    const Piece more = copy();
    const int split = Add(Kind::kSplit, more.begin, end);
    Append(&all, {split, more.end});
  }
  Append(&all, {end, end});
  part_.least = least;
  part_.most = most;
  rest_ = behind;
  return all;
}

bool ExpressionParser::TakeCounts(int* least, int* most) {
  const auto number = [this](int* value) {
    *value = 0;
    const size_t before = rest_.size();
    while (!rest_.empty() && IsDigit(rest_[0]) && *value <= kMaxTimes) {
      *value = *value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return rest_.size() < before && *value <= kMaxTimes;
  };
  if (!Take('{') || !number(least)) return false;
  *most = *least;
  if (Take(',') && !number(most)) *most = -1;
  return Take('}');
}

ExpressionParser::Piece ExpressionParser::Atom(int depth) {
  part_ = {};
  const char c = rest_[0];
  rest_.remove_prefix(1);
  switch (c) {
    case '(':
      return Group(depth);
    case '[':
      return BracketClass();
    case '^':
      return EmptyWidth(Kind::kLineBegin);
    case '$':
      return EmptyWidth(Kind::kLineEnd);
    case '\\':
      return Escaped();
    case '.':
      return OneOf({.ascii = Range(0, 0x7f), .beyond = true});
    case '{':
    case '*':
    case '+':
    case '?':
      return Refuse();
    default:
      return Literal(c);
  }
}

ExpressionParser::Piece ExpressionParser::Group(int depth) {
  if (depth == kMaxDepth) return Refuse();
  if (Take('?') && !Take(':')) return Refuse();
  const Piece group = Alternatives(depth + 1);
  part_ = {};
  return Take(')') ? group : Refuse();
}

// A character, of one byte or of several.
ExpressionParser::Piece ExpressionParser::Literal(char c) {
  if (IsAscii(c)) return OneOf({.ascii = Only(c)});
  if (ignore_case_) return Refuse();
  Piece all = Single(Kind::kBytes, Only(c));
  while (!rest_.empty() && (rest_[0] & 0xc0) == 0x80) {
    Append(&all, Single(Kind::kBytes, Only(rest_[0])));
    rest_.remove_prefix(1);
  }
  return all;
}

ExpressionParser::Piece ExpressionParser::Escaped() {
  if (rest_.empty()) return Refuse();
  const char c = rest_[0];
  rest_.remove_prefix(1);
  if (c == 'b') return EmptyWidth(Kind::kWordBoundary);
  if (c == 'B') return EmptyWidth(Kind::kNoWordBoundary);
  if (IsPunctuation(c)) return OneOf({.ascii = Only(c)});
  if (const auto control = ControlCharacter(c)) return OneOf({.ascii = Only(*control)});
  rest_ = {rest_.data() - 2, rest_.size() + 2};
  Class members;
  return AddToClass(&members) ? OneOf(members) : Refuse();
}

// What stands behind "[".
ExpressionParser::Piece ExpressionParser::BracketClass() {
  Class members;
  const bool negated = Take('^');
  for (bool first = true; first || !Take(']'); first = false) {
    if (!AddToClass(&members)) return Refuse();
  }
  if (!negated) return OneOf(members);
  // What the negation folds to beyond ASCII would be left out of "beyond".
  if (ignore_case_ && !members.beyond && (members.ascii & Members("kKsS")).any()) {
    return Refuse();
  }
  if (ignore_case_) {
    for (size_t c = 'a'; c <= 'z'; ++c) {
      if (members.ascii[c] || members.ascii[c - 32]) {
        members.ascii.set(c).set(c - 32);
      }
    }
  }
  members.ascii = ~members.ascii & Range(0, 0x7f);
  members.beyond = !members.beyond;
  return OneOf(members);
}

// One member of a class: a byte, a range or a class with a name.
bool ExpressionParser::AddToClass(Class* members) {
  if (AddNamedClass(members)) return true;
  uint8_t low, high;
  if (!ClassByte(&low)) return false;
  high = low;
  if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
    rest_.remove_prefix(1);
    if (!ClassByte(&high) || high < low) return false;
  }
  members->ascii |= Range(low, high);
  return true;
}

bool ExpressionParser::AddNamedClass(Class* members) {
  if (rest_.starts_with("[:")) {
    const size_t end = rest_.find(":]");
    if (end == rest_.npos) return false;
    const auto bytes = PosixClass(rest_.substr(2, end - 2));
    if (!bytes) return false;
    members->ascii |= *bytes;
    rest_.remove_prefix(end + 2);
    return true;
  }
  if (rest_.size() < 2 || rest_[0] != '\\') return false;
  const auto bytes = PerlClass(rest_[1]);
  if (!bytes) return false;
  if ((rest_[1] & 0x20) != 0) {
    members->ascii |= *bytes;
  } else {
    // Folded, the letters' forms beyond ASCII are no word characters' negation.
    if (ignore_case_ && rest_[1] == 'W') return false;
    members->ascii |= ~*bytes & Range(0, 0x7f);
    members->beyond = true;
  }
  rest_.remove_prefix(2);
  return true;
}

bool ExpressionParser::ClassByte(uint8_t* byte) {
  if (rest_.empty() || !IsAscii(rest_[0]) || rest_.starts_with("[:")) return false;
  const bool escaped = Take('\\');
  if (rest_.empty()) return false;
  char c = rest_[0];
  if (escaped && !IsPunctuation(c)) {
    const auto control = ControlCharacter(c);
    if (!control) return false;
    c = *control;
  }
  *byte = static_cast<uint8_t>(c);
  rest_.remove_prefix(1);
  return true;
}

// A character of a class, never '\n'.
ExpressionParser::Piece ExpressionParser::OneOf(Class members) {
  ByteSet bytes = members.ascii;
  if (ignore_case_) {
    for (size_t c = 'a'; c <= 'z'; ++c) {
      if (bytes[c] || bytes[c - 32]) bytes.set(c).set(c - 32);
    }
  }
  bytes.reset('\n');
  const Piece ascii = Bytes(bytes);
  if (!members.beyond) {
    return ignore_case_ ? FoldedBeyondAscii(ascii, bytes) : ascii;
  }
  part_ = {};
  // UTF-8 as RE2 has it for all that is not ASCII: E0 and F0 may begin what is too
  // long, F4 what is too large.
  const ByteSet next = Range(0x80, 0xbf);
  Piece two = Single(Kind::kBytes, Range(0xc2, 0xdf));
  Piece three = Single(Kind::kBytes, Range(0xe0, 0xef));
  Piece four = Single(Kind::kBytes, Range(0xf0, 0xf4));
  const Piece last = Single(Kind::kBytes, next);
  Append(&four, Single(Kind::kBytes, next));
  nodes_[three.end].next = four.end;  // both want two more now
  Append(&four, Single(Kind::kBytes, next));
  nodes_[two.end].next = four.end;
  nodes_[four.end].next = last.begin;
  const int begin = Add(Kind::kSplit, three.begin, four.begin);
  const int all = Add(Kind::kSplit, two.begin, begin);
  return Either(ascii, {all, last.end});
}

// k and s have a third form each, the signs of Kelvin (E2 84 AA) and long s (C5 BF).
ExpressionParser::Piece ExpressionParser::FoldedBeyondAscii(Piece piece,
                                                            const ByteSet& bytes) {
  const auto add = [&](std::string_view character) {
    Piece other = Empty();
    for (const char c : character) Append(&other, Single(Kind::kBytes, Only(c)));
    piece = Either(piece, other);
    part_ = {};
  };
  if (bytes['k']) add("\xe2\x84\xaa");
  if (bytes['s']) add("\xc5\xbf");
  return piece;
}

}  // namespace skep
