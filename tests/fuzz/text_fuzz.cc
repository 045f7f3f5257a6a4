#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glog/logging.h"
#include "jobs/api/json_text.h"
#include "jobs/kernels/line_matcher.h"
#include "jobs/kernels/number_parser.h"
#include "jobs/kernels/quantile.h"
#include "jobs/kernels/sudoku.h"
#include "jobs/kernels/unicode_words.h"
#include "rpc/address.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/targets.h"
#include "tools/command_line.h"
#include "tools/top/http_get.h"
#include "tools/top/top_view.h"

namespace skep {
namespace {

// A text may be cut at a line end: the numbers are the same.
void CheckNumbers(std::string_view text) {
  ParsedNumbers whole;
  ParseNumbers(text, &whole);
  ParsedNumbers parts;
  const size_t cut = text.find('\n', text.size() / 2);
  if (cut == std::string_view::npos) return;
  ParseNumbers(text.substr(0, cut + 1), &parts);
  ParseNumbers(text.substr(cut + 1), &parts);
  CHECK(whole.integers == parts.integers);
  CHECK(whole.doubles == parts.doubles);
  CHECK_EQ(whole.nans, parts.nans);
  CHECK_EQ(whole.unparsable, parts.unparsable);
}

// A text may be cut at a line end: the words are the same. They are UTF-8.
void CheckWords(std::string_view text) {
  static UnicodeWords* const unicode =
      UnicodeWords::Create(/*fold_case=*/true).value().release();
  const auto words_of = [](std::string_view piece, std::string* words) {
    unicode->ForEach(piece, [words](std::span<const std::string_view> batch) {
      for (const std::string_view word : batch) words->append(word) += '\n';
    });
  };
  std::string whole, parts;
  words_of(text, &whole);
  const size_t cut = text.find('\n', text.size() / 2);
  if (cut != std::string_view::npos) {
    words_of(text.substr(0, cut + 1), &parts);
    words_of(text.substr(cut + 1), &parts);
    CHECK_EQ(whole, parts);
  }
  CHECK(nlohmann::json(whole).dump() != "");  // throws for what is no UTF-8
}

// The lines that an expression selects are those that RE2 selects, one by one.
void CheckGrep(uint8_t flags, std::string_view text) {
  constexpr size_t kLongest = 40;
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string expression(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  RE2::Options regex_options;
  regex_options.set_log_errors(false);
  regex_options.set_case_sensitive((flags & 1) == 0);
  const RE2 regex(expression, regex_options);
  if (expression.size() > kLongest || !regex.ok()) return;
  const auto matcher = LineMatcher::Create(
      expression, {.ignore_case = (flags & 1) != 0,
                   .path = (flags & 2) != 0 ? CpuPath::kScalar : BestCpuPath()});
  if (!matcher.ok()) return;  // too large
  std::vector<size_t> selected, expected;
  (*matcher)->ForEachLine(text, [&selected](const LineMatcher::Line& line) {
    selected.push_back(line.offset);
    return true;
  });
  for (size_t from = 0; from < text.size();) {
    const size_t line_end = std::min(text.find('\n', from), text.size());
    const std::string line(text.substr(from, line_end - from));
    if (RE2::PartialMatch(line, regex)) expected.push_back(from);
    from = line_end + 1;
  }
  CHECK(selected == expected) << expression;
}

}  // namespace

void FuzzText(std::string_view bytes) {
  FuzzInput input(bytes);
  const uint8_t which = input.Byte();
  const std::string text(input.Rest());
  switch (which % 10) {
    case 0: {
      const auto address = Address::Parse(text);
      if (address.ok()) CHECK(*Address::Parse(address->ToString()) == *address);
      break;
    }
    case 1:
      (void)ParseSize(text);
      (void)ParseQuantileDefinition(text);
      break;
    case 2:
      for (const Quantile& q : ParseQuantiles(text).value_or(std::vector<Quantile>())) {
        CHECK_LE(q.numerator, q.denominator);
      }
      break;
    case 3: {
      const auto json = nlohmann::json::parse(JsonString(text), nullptr, false);
      CHECK(json.is_string()) << JsonString(text);
      break;
    }
    case 4:
      CheckNumbers(text);
      break;
    case 5:
      (void)ParseMetrics(text);
      (void)ParseHttpResponse(text);
      break;
    case 9:
      CheckGrep(which / 10, text);
      break;
    case 8:
      CheckWords(text);
      break;
    case 6:
      (void)Nearest(text, {"run", "worker", "master"});
      break;
    default: {
      const SudokuResult result = SolveSudoku(text.substr(0, 81));
      if (result.solutions > 0) {
        CHECK(IsSudokuSolution(text.substr(0, 81), result.solution()));
      }
      const SudokuResult plain =
          SolveSudoku(text.substr(0, 81), {.path = CpuPath::kScalar});
      CHECK(plain.outcome == result.outcome && plain.solution() == result.solution());
    }
  }
}

}  // namespace skep
