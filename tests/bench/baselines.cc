#include "tests/bench/baselines.h"

#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace skep {
namespace {

uint64_t PlainBitmask(uint32_t board, uint32_t columns, uint32_t left, uint32_t right) {
  if (columns == board) return 1;
  uint64_t count = 0;
  for (uint32_t free = board & ~(columns | left | right); free != 0; free &= free - 1) {
    const uint32_t queen = free & -free;
    count +=
        PlainBitmask(board, columns | queen, (left | queen) << 1, (right | queen) >> 1);
  }
  return count;
}

// The exact cover of 324 constraints by digits in cells.
class DancingLinks {
 public:
  DancingLinks() : nodes_(kColumns + 1), sizes_(kColumns + 1) {
    for (int i = 0; i <= kColumns; ++i) {
      nodes_[i] = {i - 1, i + 1, i, i, i, -1};
    }
    nodes_[0].left = kColumns;
    nodes_[kColumns].right = 0;
    for (int choice = 0; choice < 729; ++choice) AddChoice(choice);
  }

  std::string Solve(std::string_view puzzle) {
    solution_ = puzzle;
    for (int cell = 0; cell < 81; ++cell) {
      if (puzzle[cell] < '1' || puzzle[cell] > '9') continue;
      const int first = first_[9 * cell + puzzle[cell] - '1'];
      int node = first;
      do {
        if (covered_[nodes_[node].column]) return "";
        Cover(nodes_[node].column);
        node = nodes_[node].right;
      } while (node != first);
    }
    return Search() ? solution_ : "";
  }
  uint64_t guesses() const { return guesses_; }

 private:
  static constexpr int kColumns = 324;
  struct Node {
    int left, right, up, down, column, choice;
  };

  void AddChoice(int choice) {
    const int cell = choice / 9, digit = choice % 9, row = cell / 9, column = cell % 9;
    const int box = row / 3 * 3 + column / 3;
    const int constraints[] = {cell, 81 + 9 * row + digit, 162 + 9 * column + digit,
                               243 + 9 * box + digit};
    const int first = static_cast<int>(nodes_.size());
    first_[choice] = first;
    for (int i = 0; i < 4; ++i) {
      const int head = 1 + constraints[i], node = first + i;
      nodes_.push_back({first + (i + 3) % 4, first + (i + 1) % 4, nodes_[head].up, head,
                        head, choice});
      nodes_[nodes_[head].up].down = node;
      nodes_[head].up = node;
      ++sizes_[head];
    }
  }

  void Cover(int column) {
    covered_[column] = true;
    nodes_[nodes_[column].right].left = nodes_[column].left;
    nodes_[nodes_[column].left].right = nodes_[column].right;
    for (int i = nodes_[column].down; i != column; i = nodes_[i].down) {
      for (int j = nodes_[i].right; j != i; j = nodes_[j].right) {
        nodes_[nodes_[j].down].up = nodes_[j].up;
        nodes_[nodes_[j].up].down = nodes_[j].down;
        --sizes_[nodes_[j].column];
      }
    }
  }

  void Uncover(int column) {
    for (int i = nodes_[column].up; i != column; i = nodes_[i].up) {
      for (int j = nodes_[i].left; j != i; j = nodes_[j].left) {
        ++sizes_[nodes_[j].column];
        nodes_[nodes_[j].down].up = j;
        nodes_[nodes_[j].up].down = j;
      }
    }
    nodes_[nodes_[column].right].left = column;
    nodes_[nodes_[column].left].right = column;
    covered_[column] = false;
  }

  bool Search() {
    if (nodes_[0].right == 0) return true;
    int best = nodes_[0].right;
    for (int c = best; c != 0; c = nodes_[c].right) {
      if (sizes_[c] < sizes_[best]) best = c;
    }
    const bool guess = sizes_[best] > 1;
    Cover(best);
    for (int row = nodes_[best].down; row != best; row = nodes_[row].down) {
      guesses_ += guess;
      for (int j = nodes_[row].right; j != row; j = nodes_[j].right) {
        Cover(nodes_[j].column);
      }
      if (Search()) {
        const int choice = nodes_[row].choice;
        solution_[choice / 9] = static_cast<char>('1' + choice % 9);
        return true;
      }
      for (int j = nodes_[row].left; j != row; j = nodes_[j].left) {
        Uncover(nodes_[j].column);
      }
    }
    Uncover(best);
    return false;
  }

  std::vector<Node> nodes_;
  std::vector<int> sizes_;
  int first_[729];
  bool covered_[kColumns + 1] = {};
  std::string solution_;
  uint64_t guesses_ = 0;
};

class NaiveSudoku {
 public:
  std::string Solve(std::string_view puzzle) {
    solution_ = puzzle;
    for (int cell = 0; cell < 81; ++cell) {
      if (puzzle[cell] < '1' || puzzle[cell] > '9') {
        solution_[cell] = '0';
      } else if (!Put(cell, 1 << (puzzle[cell] - '1'))) {
        return "";
      }
    }
    return Search() ? solution_ : "";
  }
  uint64_t guesses() const { return guesses_; }

 private:
  int Left(int cell) const {
    return 0x1ff & ~(rows_[cell / 9] | columns_[cell % 9] | boxes_[BoxOf(cell)]);
  }
  static int BoxOf(int cell) { return cell / 27 * 3 + cell % 9 / 3; }
  bool Put(int cell, int digit) {
    if ((Left(cell) & digit) == 0) return false;
    Flip(cell, digit);
    return true;
  }
  void Flip(int cell, int digit) {
    rows_[cell / 9] ^= digit;
    columns_[cell % 9] ^= digit;
    boxes_[BoxOf(cell)] ^= digit;
  }

  bool Search() {
    int best = -1, fewest = 10;
    for (int cell = 0; cell < 81; ++cell) {
      if (solution_[cell] != '0') continue;
      const int left = std::popcount(static_cast<unsigned>(Left(cell)));
      if (left < fewest) {
        best = cell;
        fewest = left;
      }
    }
    if (best < 0) return true;
    for (int left = Left(best); left != 0; left &= left - 1) {
      guesses_ += fewest > 1;
      const int digit = left & -left;
      Flip(best, digit);
      solution_[best] =
          static_cast<char>('1' + std::countr_zero(static_cast<unsigned>(digit)));
      if (Search()) return true;
      Flip(best, digit);
      solution_[best] = '0';
    }
    return false;
  }

  int rows_[9] = {}, columns_[9] = {}, boxes_[9] = {};
  std::string solution_;
  uint64_t guesses_ = 0;
};

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

template <typename Visit>
void ForEachPlainWord(std::string_view text, Visit&& visit) {
  for (size_t at = 0; at < text.size();) {
    if (IsBlank(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && !IsBlank(text[end])) ++end;
    visit(text.substr(at, end - at));
    at = end;
  }
}

}  // namespace

uint64_t PlainWholeQueens(int n) { return PlainBitmask((1u << n) - 1, 0, 0, 0); }

uint64_t PlainQueens(int n) {
  uint64_t half = 0;
  for (int column = 0; column < n / 2; ++column) {
    const uint32_t queen = 1u << column;
    half += PlainBitmask((1u << n) - 1, queen, queen << 1, queen >> 1);
  }
  if (n % 2 == 0) return 2 * half;
  // The first queen in the middle column, and all of the rest.
  const uint32_t middle = 1u << (n / 2);
  return 2 * half + PlainBitmask((1u << n) - 1, middle, middle << 1, middle >> 1);
}

std::string DancingLinksSolution(std::string_view puzzle, uint64_t* guesses) {
  static const DancingLinks& empty = *new DancingLinks;
  DancingLinks links = empty;
  std::string solution = links.Solve(puzzle);
  if (guesses != nullptr) *guesses += links.guesses();
  return solution;
}

std::string NaiveSolution(std::string_view puzzle, uint64_t* guesses) {
  NaiveSudoku sudoku;
  std::string solution = sudoku.Solve(puzzle);
  if (guesses != nullptr) *guesses += sudoku.guesses();
  return solution;
}

std::unordered_map<std::string, uint64_t> PlainWordCount(std::string_view text) {
  std::unordered_map<std::string, uint64_t> counts;
  ForEachPlainWord(text, [&](std::string_view word) { ++counts[std::string(word)]; });
  return counts;
}

std::vector<std::pair<std::string_view, uint64_t>> SortedWordCount(
    std::string_view text) {
  std::vector<std::string_view> words;
  ForEachPlainWord(text, [&](std::string_view word) { words.push_back(word); });
  std::sort(words.begin(), words.end());
  std::vector<std::pair<std::string_view, uint64_t>> counts;
  for (const std::string_view word : words) {
    if (counts.empty() || counts.back().first != word) counts.emplace_back(word, 0);
    ++counts.back().second;
  }
  return counts;
}

size_t PlainUnicodeWordCount(std::string_view text) {
  UErrorCode code = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), code));
  const icu::Normalizer2* const nfc = icu::Normalizer2::getNFCInstance(code);
  const auto units = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  breaks->setText(units);
  std::unordered_map<std::string, uint64_t> counts;
  int32_t begin = breaks->first();
  for (int32_t end = breaks->next(); end != icu::BreakIterator::DONE;
       begin = end, end = breaks->next()) {
    if (breaks->getRuleStatus() < UBRK_WORD_NONE_LIMIT) continue;
    icu::UnicodeString word(units, begin, end - begin);
    std::string key;
    nfc->normalize(word.foldCase(), code).toUTF8String(key);
    ++counts[key];
  }
  return counts.size();
}

uint64_t ReadMemory(std::span<const uint64_t> words) {
  uint64_t sums[4] = {};
  for (size_t i = 0; i + 4 <= words.size(); i += 4) {
    for (int j = 0; j < 4; ++j) sums[j] += words[i + j];
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

int64_t PlainParse(std::string_view text) {
  uint64_t sum = 0;
  const char* at = text.data();
  while (at < text.data() + text.size()) {
    char* end;
    sum += static_cast<uint64_t>(std::strtoll(at, &end, 10));
    at = end + 1;
  }
  return static_cast<int64_t>(sum);
}

}  // namespace skep
