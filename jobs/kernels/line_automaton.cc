#include "jobs/kernels/line_automaton.h"

#include <string.h>

#include <algorithm>
#include <map>
#include <utility>

#include "jobs/kernels/line_expression.h"

namespace skep {
namespace {

using Kind = ExpressionNode::Kind;
using Nodes = std::vector<int>;  // ascending

constexpr size_t kMaxStates = 512;
constexpr size_t kMaxTable = 1 << 16;  // what 16 bits can tell apart
constexpr size_t kMaxWork = 1 << 22;   // nodes visited, some 20 ms
constexpr size_t kChunk = 512;
constexpr size_t kBlock = 8;  // steps between two looks at whether something matched

// What stands on either side of a place.
enum class Beside { kUnknown, kLineEnd, kWordByte, kOtherByte };

void Set(std::vector<uint64_t>* bits, size_t i) { (*bits)[i / 64] |= 1ull << i % 64; }

}  // namespace

// The subset construction. A state is what stood before, and the nodes that are reached
// by it: those that read a byte, and those that want to know the next byte first.
class AutomatonBuilder {
 public:
  explicit AutomatonBuilder(const std::vector<ExpressionNode>& nodes)
      : nodes_(nodes), visited_(nodes.size()) {
    for (const ExpressionNode& node : nodes) {
      minds_line_begin_ |= node.kind == Kind::kLineBegin;
      minds_words_ |=
          node.kind == Kind::kWordBoundary || node.kind == Kind::kNoWordBoundary;
    }
  }

  std::optional<LineAutomaton> Build() {
    MakeColumns();
    if (StateOf(Beside::kLineEnd, {0}) == 0) {
      automaton_.matches_every_line_ = true;
      return std::move(automaton_);
    }
    const size_t columns = samples_.size();
    automaton_.start_ = static_cast<uint16_t>(columns);
    automaton_.next_.resize(columns);
    automaton_.matches_at_end_.resize(1);
    for (size_t state = 1; state < states_.size(); ++state) {
      for (const uint8_t byte : samples_) {
        const size_t to = Next(state, byte);
        if (states_.size() > kMaxStates || states_.size() * columns > kMaxTable ||
            work_ > kMaxWork) {
          return std::nullopt;
        }
        automaton_.next_.push_back(static_cast<uint16_t>(to * columns));
      }
      automaton_.matches_at_end_.push_back(
          HasMatch(Reached(states_[state], Beside::kLineEnd)));
    }
    return std::move(automaton_);
  }

 private:
  struct State {
    Beside before = Beside::kLineEnd;
    Nodes nodes = {};
    auto operator<=>(const State&) const = default;
  };

  Beside KindOf(uint8_t byte) const {
    if (byte == '\n') return Beside::kLineEnd;
    return minds_words_ && IsWordByte(byte) ? Beside::kWordByte : Beside::kOtherByte;
  }

  // Columns of bytes, and one byte of each: '\n' has its own.
  void MakeColumns() {
    std::array<size_t, 256> column{};
    const auto divide = [&column](const auto& in) {
      std::map<std::pair<size_t, bool>, size_t> known;
      for (size_t byte = 0; byte < 256; ++byte) {
        const std::pair<size_t, bool> key = {column[byte], in(byte)};
        column[byte] = known.emplace(key, known.size()).first->second;
      }
    };
    divide([](size_t byte) { return byte == '\n'; });
    if (minds_words_) {
      divide([](size_t byte) { return IsWordByte(static_cast<uint8_t>(byte)); });
    }
    for (const ExpressionNode& node : nodes_) {
      if (node.kind == Kind::kBytes) {
        divide([&node](size_t byte) { return node.bytes[byte]; });
      }
    }
    for (size_t byte = 0; byte < 256; ++byte) {
      automaton_.column_[byte] = static_cast<uint8_t>(column[byte]);
      // They are numbered in the order of their first bytes.
      if (column[byte] == samples_.size()) {
        samples_.push_back(static_cast<uint8_t>(byte));
      }
    }
  }

  bool HasMatch(const Nodes& nodes) const {
    return std::any_of(nodes.begin(), nodes.end(),
                       [&](int n) { return nodes_[n].kind == Kind::kMatch; });
  }

  // The nodes that can be reached without a byte, of those that are not passed by.
  Nodes Reached(const State& from, Beside after) {
    ++visit_;
    Nodes reached;
    std::vector<int> waiting = from.nodes;
    while (!waiting.empty()) {
      const int at = waiting.back();
      waiting.pop_back();
      if (at < 0 || std::exchange(visited_[at], visit_) == visit_) continue;
      ++work_;
      const ExpressionNode& node = nodes_[at];
      bool pass = false;
      switch (node.kind) {
        case Kind::kSplit:
          waiting.push_back(node.other);
          pass = true;
          break;
        case Kind::kLineBegin:
          pass = from.before == Beside::kLineEnd;
          break;
        case Kind::kLineEnd:
          pass = after == Beside::kLineEnd;
          if (after == Beside::kUnknown) reached.push_back(at);
          break;
        case Kind::kWordBoundary:
        case Kind::kNoWordBoundary:
          pass = after != Beside::kUnknown &&
                 ((from.before == Beside::kWordByte) != (after == Beside::kWordByte)) ==
                     (node.kind == Kind::kWordBoundary);
          if (after == Beside::kUnknown) reached.push_back(at);
          break;
        case Kind::kBytes:
        case Kind::kMatch:
          reached.push_back(at);
      }
      if (pass) waiting.push_back(node.next);
    }
    std::sort(reached.begin(), reached.end());
    return reached;
  }

  // The number of a state, 0 if something has matched.
  size_t StateOf(Beside before, Nodes from) {
    State state{before, std::move(from)};
    state.nodes = Reached(state, Beside::kUnknown);
    if (HasMatch(state.nodes)) return 0;
    if (before == Beside::kLineEnd && !minds_line_begin_) {
      state.before = Beside::kOtherByte;
    }
    const auto [it, added] = known_.emplace(state, states_.size());
    if (added) states_.push_back(std::move(state));
    return it->second;
  }

  size_t Next(size_t state, uint8_t byte) {
    const Nodes reading = Reached(states_[state], KindOf(byte));
    if (HasMatch(reading)) return 0;
    if (byte == '\n') return 1;
    Nodes to = {0};  // a match may begin anywhere
    for (const int at : reading) {
      const ExpressionNode& node = nodes_[at];
      if (node.kind == Kind::kBytes && node.bytes[byte]) to.push_back(node.next);
    }
    return StateOf(KindOf(byte), std::move(to));
  }

  const std::vector<ExpressionNode>& nodes_;
  bool minds_line_begin_ = false, minds_words_ = false;
  std::vector<uint8_t> samples_;  // by column
  std::map<State, size_t> known_;
  std::vector<State> states_ =
      std::vector<State>(1);  // 0: something has matched; 1: the start
  std::vector<uint64_t> visited_;
  uint64_t visit_ = 0;
  size_t work_ = 0;
  LineAutomaton automaton_;
};

std::optional<LineAutomaton> LineAutomaton::Create(std::string_view expression,
                                                   bool ignore_case) {
  const auto nodes = ParseLineExpression(expression, ignore_case);
  if (!nodes) return std::nullopt;
  return AutomatonBuilder(*nodes).Build();
}

size_t LineAutomaton::Find(std::string_view text, size_t from) const {
  if (from >= text.size() && !text.empty()) return text.npos;
  if (matches_every_line_) return from;
  const uint16_t* const next = next_.data();
  size_t state = start_;
  for (size_t i = from; i < text.size(); ++i) {
    state = next[state + column_[static_cast<uint8_t>(text[i])]];
    if (state == kMatched) return i;
  }
  // The last line has no end.
  if (text.ends_with('\n') || !matches_at_end_[state / start_]) return text.npos;
  return text.empty() ? 0 : text.size() - 1;
}

// A chunk of whole lines: where in it the walk is, and in which state.
struct LineAutomaton::Walk {
  const char* at = nullptr;
  const char* end = nullptr;
  size_t state = 0;
  bool near = false;  // a match is in the next block

  size_t left() const { return static_cast<size_t>(end - at); }
};

void LineAutomaton::Step(Walk* walk, const char* text,
                         std::vector<uint64_t>* places) const {
  for (; walk->at < walk->end; ++walk->at) {
    walk->state = next_[walk->state + column_[static_cast<uint8_t>(*walk->at)]];
    if (walk->state != kMatched) continue;
    Set(places, static_cast<size_t>(walk->at - text));
    const void* line_end = memchr(walk->at, '\n', walk->left());
    walk->at = line_end == nullptr ? walk->end : static_cast<const char*>(line_end) + 1;
    walk->state = start_;
    return;
  }
  if (walk->end[-1] != '\n' && matches_at_end_[walk->state / start_]) {
    Set(places, static_cast<size_t>(walk->end - 1 - text));
  }
}

void LineAutomaton::StepTogether(std::array<Walk, kWalks>* walks) const {
  // A byte is left to each: Step() looks at the end of a line without '\n'.
  size_t blocks = SIZE_MAX;
  for (const Walk& walk : *walks) blocks = std::min(blocks, (walk.left() - 1) / kBlock);
  const uint16_t* const next = next_.data();
  const uint8_t* const column = column_.data();
  std::array<const char*, kWalks> at;
  std::array<size_t, kWalks> state, before;
  for (size_t i = 0; i < kWalks; ++i) {
    at[i] = (*walks)[i].at;
    state[i] = before[i] = (*walks)[i].state;
  }
  bool matched = false;
  for (; blocks > 0 && !matched; --blocks) {
    before = state;
#pragma GCC unroll 8
    for (size_t j = 0; j < kBlock; ++j) {
#pragma GCC unroll 8
      for (size_t i = 0; i < kWalks; ++i) {
        state[i] = next[state[i] + column[static_cast<uint8_t>(at[i][j])]];
      }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < kWalks; ++i) {
      at[i] += kBlock;
      matched |= state[i] == kMatched;
    }
  }
  for (size_t i = 0; i < kWalks; ++i) {
    const bool back = state[i] == kMatched;
    (*walks)[i].at = back ? at[i] - kBlock : at[i];
    (*walks)[i].state = back ? before[i] : state[i];
    (*walks)[i].near = back;
  }
}

void LineAutomaton::FindLines(std::string_view text,
                              std::vector<uint64_t>* places) const {
  places->assign((text.size() + 63) / 64, 0);
  const char* const end = text.data() + text.size();
  const char* cut = text.data();  // where no chunk has begun yet
  const auto next_line = [end](const char* at) {
    const void* line_end = memchr(at, '\n', static_cast<size_t>(end - at));
    return line_end == nullptr ? end : static_cast<const char*>(line_end) + 1;
  };
  if (matches_every_line_) {
    for (; cut != end; cut = next_line(cut)) Set(places, cut - text.data());
    return;
  }
  const auto begin_chunk = [&](Walk* walk) {
    if (cut == end) return false;
    walk->at = cut;
    cut = static_cast<size_t>(end - cut) <= kChunk ? end : next_line(cut + kChunk);
    walk->end = cut;
    walk->state = start_;
    return true;
  };
  std::array<Walk, kWalks> walks;
  size_t left = kWalks;
  while (left > 0 && begin_chunk(&walks[kWalks - left])) --left;
  bool all = left == 0;
  while (all) {
    StepTogether(&walks);
    for (Walk& walk : walks) {
      // One near its match or its end goes by itself.
      if (std::exchange(walk.near, false)) Step(&walk, text.data(), places);
      while (walk.left() > 0 && walk.left() <= kBlock) {
        Step(&walk, text.data(), places);
      }
      if (walk.left() == 0) all &= begin_chunk(&walk);
    }
  }
  for (Walk& walk : walks) {
    while (walk.left() > 0) Step(&walk, text.data(), places);
  }
}

}  // namespace skep
