#include "jobs/kernels/line_automaton.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

namespace skep {
namespace {

using Bytes = std::bitset<256>;
using States = std::vector<int>;  // of the nondeterministic automaton, ascending

constexpr size_t kMaxStates = 128;
constexpr size_t kMaxNodes = 4096;  // each set of states is looked for among these
constexpr int kMaxDepth = 100;

struct Node {
  enum class Kind { kBytes, kSplit, kLineBegin, kLineEnd, kMatch } kind;
  Bytes bytes;     // kBytes
  int next = -1;   // -1: not known yet
  int other = -1;  // kSplit
};

// A piece of the automaton: where it begins, and the one node, a kSplit without an
// other way, by which it is left.
struct Piece {
  int begin;
  int end;
};

// Parses as RE2 would and stops at what is not simple.
class Parser {
 public:
  explicit Parser(std::string_view expression) : rest_(expression) {}

  // The nodes, of which the first is where to begin; none if it is not simple.
  std::vector<Node> Parse() {
    nodes_.push_back({.kind = Node::Kind::kSplit});
    const Piece all = Alternatives(0);
    if (!simple_ || !rest_.empty()) return {};
    nodes_[0].next = all.begin;
    nodes_[all.end].next = Add(Node::Kind::kMatch);
    return std::move(nodes_);
  }

 private:
  int Add(Node::Kind kind, int next = -1, int other = -1) {
    nodes_.push_back({.kind = kind, .next = next, .other = other});
    return static_cast<int>(nodes_.size()) - 1;
  }
  Piece Empty() {
    const int node = Add(Node::Kind::kSplit);
    return {node, node};
  }
  Piece Single(Node::Kind kind, const Bytes& bytes = {}) {
    const int end = Add(Node::Kind::kSplit);
    const int node = Add(kind, end);
    nodes_[node].bytes = bytes;
    return {node, end};
  }
  Piece Refuse() {
    simple_ = false;
    return Empty();
  }
  bool Take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Piece Alternatives(int depth) {
    Piece all = Sequence(depth);
    while (simple_ && Take('|')) {
      const Piece other = Sequence(depth);
      const int end = Add(Node::Kind::kSplit);
      nodes_[all.end].next = end;
      nodes_[other.end].next = end;
      all = {Add(Node::Kind::kSplit, all.begin, other.begin), end};
    }
    return all;
  }

  Piece Sequence(int depth) {
    Piece all = Empty();
    while (simple_ && !rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
      const Piece part = Repeated(Atom(depth));
      nodes_[all.end].next = part.begin;
      all.end = part.end;
    }
    return all;
  }

  Piece Repeated(Piece part) {
    while (simple_ && !rest_.empty()) {
      const char how = rest_[0];
      if (how != '*' && how != '+' && how != '?') break;
      rest_.remove_prefix(1);
      Take('?');  // which of several matches is preferred does not matter
      const int end = Add(Node::Kind::kSplit);
      const int split = Add(Node::Kind::kSplit, part.begin, end);
      nodes_[part.end].next = how == '?' ? end : split;
      part = {how == '+' ? part.begin : split, end};
    }
    return part;
  }

  Piece Atom(int depth) {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    switch (c) {
      case '(': {
        if (depth == kMaxDepth) return Refuse();
        if (Take('?') && !Take(':')) return Refuse();
        const Piece group = Alternatives(depth + 1);
        return Take(')') ? group : Refuse();
      }
      case '[':
        return Class();
      case '^':
        return Single(Node::Kind::kLineBegin);
      case '$':
        return Single(Node::Kind::kLineEnd);
      case '\\':
        return Escaped();
      case '.':
      case '{':
      case '}':
      case ']':
      case '*':
      case '+':
      case '?':
      case '\n':
        return Refuse();
      default:
        return Literal(c);
    }
  }

  static Bytes Only(char c) { return Bytes().set(static_cast<uint8_t>(c)); }
  static bool IsAscii(char c) { return static_cast<int8_t>(c) >= 0; }
  static bool IsPunctuation(char c) {
    return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
           !(c >= 'a' && c <= 'z');
  }

  // A character, of one byte or of several.
  Piece Literal(char c) {
    Piece all = Single(Node::Kind::kBytes, Only(c));
    while (!IsAscii(c) && !rest_.empty() && (rest_[0] & 0xc0) == 0x80) {
      const Piece part = Single(Node::Kind::kBytes, Only(rest_[0]));
      nodes_[all.end].next = part.begin;
      all.end = part.end;
      rest_.remove_prefix(1);
    }
    return all;
  }

  Piece Escaped() {
    if (rest_.empty() || !IsPunctuation(rest_[0])) return Refuse();
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return Single(Node::Kind::kBytes, Only(c));
  }

  // What stands behind "[".
  Piece Class() {
    Bytes bytes;
    if (rest_.empty() || rest_[0] == '^' || rest_[0] == ']') return Refuse();
    while (!Take(']')) {
      uint8_t low, high;
      if (!ClassByte(&low)) return Refuse();
      high = low;
      if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
        rest_.remove_prefix(1);
        if (!ClassByte(&high) || high < low) return Refuse();
      }
      for (int c = low; c <= high; ++c) bytes.set(static_cast<size_t>(c));
    }
    bytes.reset('\n');
    return Single(Node::Kind::kBytes, bytes);
  }
  bool ClassByte(uint8_t* byte) {
    if (rest_.empty() || !IsAscii(rest_[0]) || rest_[0] == '[') return false;
    if (Take('\\') && (rest_.empty() || !IsPunctuation(rest_[0]))) return false;
    *byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
  bool simple_ = true;
  std::vector<Node> nodes_;
};

// The nodes that can be reached without a byte: the kBytes, kLineEnd and kMatch ones.
class Closure {
 public:
  explicit Closure(const std::vector<Node>& nodes)
      : nodes_(nodes), seen_(nodes.size()) {}

  bool at_line_begin = false;
  bool at_line_end = false;
  bool met_line_begin = false;

  void Add(int node) {
    std::vector<int> waiting = {node};
    while (!waiting.empty()) {
      const int at = waiting.back();
      waiting.pop_back();
      if (at < 0 || seen_[static_cast<size_t>(at)]) continue;
      seen_[static_cast<size_t>(at)] = true;
      const Node& n = nodes_[static_cast<size_t>(at)];
      switch (n.kind) {
        case Node::Kind::kSplit:
          waiting.push_back(n.next);
          waiting.push_back(n.other);
          break;
        case Node::Kind::kLineBegin:
          met_line_begin = true;
          if (at_line_begin) waiting.push_back(n.next);
          break;
        case Node::Kind::kLineEnd:
          if (at_line_end) waiting.push_back(n.next);
          [[fallthrough]];
        case Node::Kind::kBytes:
        case Node::Kind::kMatch:
          states_.push_back(at);
      }
    }
  }
  States Take() {
    std::sort(states_.begin(), states_.end());
    return std::move(states_);
  }

 private:
  const std::vector<Node>& nodes_;
  std::vector<bool> seen_;
  States states_;
};

bool HasMatch(const std::vector<Node>& nodes, const States& states) {
  return std::any_of(states.begin(), states.end(), [&](int s) {
    return nodes[static_cast<size_t>(s)].kind == Node::Kind::kMatch;
  });
}

}  // namespace

std::optional<LineAutomaton> LineAutomaton::Create(std::string_view expression) {
  const std::vector<Node> nodes = Parser(expression).Parse();
  if (nodes.empty() || nodes.size() > kMaxNodes) return std::nullopt;
  LineAutomaton automaton;
  // State 1 is the start, 0 that of a match; each is a set of nodes.
  std::map<States, size_t> known;
  std::vector<States> sets(1);
  const auto state_of = [&](States set) -> size_t {
    if (HasMatch(nodes, set)) return 0;
    const auto [it, added] = known.emplace(set, sets.size());
    if (added) sets.push_back(std::move(set));
    return it->second;
  };
  Closure start(nodes);
  start.at_line_begin = true;
  start.Add(0);
  if (state_of(start.Take()) == 0) {
    automaton.matches_every_line_ = true;
    return automaton;
  }
  for (size_t state = 1; state < sets.size(); ++state) {
    if (sets.size() > kMaxStates) return std::nullopt;
    const States from = sets[state];
    automaton.next_.resize((state + 1) * 256);
    automaton.matches_at_end_.resize(state + 1);
    Closure end(nodes);
    end.at_line_end = true;
    for (const int s : from) {
      const Node& node = nodes[static_cast<size_t>(s)];
      if (node.kind == Node::Kind::kLineEnd) end.Add(node.next);
    }
    // "$^": whether the line is empty is not known any more.
    if (end.met_line_begin) return std::nullopt;
    automaton.matches_at_end_[state] = HasMatch(nodes, end.Take());
    for (size_t byte = 0; byte < 256; ++byte) {
      size_t to = 0;
      if (byte == '\n') {
        to = automaton.matches_at_end_[state] ? 0 : 1;
      } else {
        Closure closure(nodes);
        for (const int s : from) {
          const Node& node = nodes[static_cast<size_t>(s)];
          if (node.kind == Node::Kind::kBytes && node.bytes[byte])
            closure.Add(node.next);
        }
        closure.Add(0);
        to = state_of(closure.Take());
        if (sets.size() > kMaxStates) return std::nullopt;
      }
      automaton.next_[state * 256 + byte] = static_cast<uint16_t>(to * 256);
    }
  }
  return automaton;
}

size_t LineAutomaton::Find(std::string_view text, size_t from) const {
  if (from >= text.size()) return std::string_view::npos;
  if (matches_every_line_) return from;
  const uint16_t* const next = next_.data();
  size_t state = kStart;
  for (size_t i = from; i < text.size(); ++i) {
    state = next[state + static_cast<uint8_t>(text[i])];
    if (state == kMatched) return i;
  }
  // The last line has no end.
  const bool in_line = text.back() != '\n';
  return in_line && matches_at_end_[state / 256] ? text.size() - 1 : text.npos;
}

}  // namespace skep
