// `skep gen words|numbers|sudoku`: inputs for the jobs, to standard output.

#include <charconv>
#include <functional>

#include "base/status.h"
#include "tools/client/result.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"
#include "tools/gen/numbers.h"
#include "tools/gen/puzzles.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

// A reader that has seen enough (`skep gen words | head`) ends the generator quietly.
int ToStandardOutput(const std::function<absl::Status(const Sink&)>& generate) {
  StandardOutput out;
  const absl::Status status = generate([&out](std::string_view bytes) -> absl::Status {
    SKEP_RETURN_IF_ERROR(out.Write(bytes));
    return out.closed() ? Cancelled("the reader is gone") : absl::OkStatus();
  });
  return status.ok() || out.closed() ? kOk : ReportError(status);
}

absl::Status ParseUnsigned(const std::string& text, uint64_t* value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  if (error == std::errc() && stop == end) return absl::OkStatus();
  return InvalidArgument("'", text, "' is not a whole number");
}

void CountFlags(CommandLine& line, uint64_t* count, uint64_t* seed) {
  if (count != nullptr) {
    line.ParsedFlag("count", "How many", "N", StrCat(*count),
                    [count](const auto& text) { return ParseUnsigned(text, count); });
  }
  line.ParsedFlag("seed", "Another text for another number", "N", StrCat(*seed),
                  [seed](const auto& text) { return ParseUnsigned(text, seed); });
}

// Takes one of two names.
std::function<absl::Status(const std::string&)> Choice(const char* no, const char* yes,
                                                       bool* is_yes) {
  return [=](const std::string& text) -> absl::Status {
    if (text != no && text != yes) return InvalidArgument("give ", no, " or ", yes);
    *is_yes = text == yes;
    return absl::OkStatus();
  };
}

int GenWords(const Args& args) {
  WordsOptions options;
  bool uniform = false;
  CommandLine line("gen words",
                   "Writes a text of made-up words, as many bytes as wanted.");
  line.Example("skep gen words --vocabulary 4000000 --bytes 400M > text");
  line.ParsedFlag("distribution", "How often words occur: zipf or uniform", "NAME",
                  "zipf", Choice("zipf", "uniform", &uniform));
  line.ParsedFlag("s",
                  "The exponent of Zipf's law: the word of rank r is drawn with "
                  "probability proportional to 1 / r^S",
                  "S", "1", [&options](const std::string& text) -> absl::Status {
                    const char* const end = text.data() + text.size();
                    const auto [stop, error] =
                        std::from_chars(text.data(), end, options.exponent);
                    if (error == std::errc() && stop == end) return absl::OkStatus();
                    return InvalidArgument("'", text, "' is not a number");
                  });
  line.ParsedFlag("vocabulary", "Different words to draw from", "N",
                  StrCat(options.vocabulary), [&options](const std::string& text) {
                    return ParseUnsigned(text, &options.vocabulary);
                  });
  line.SizeFlag("bytes", &options.bytes, "The size of the text; it ends at a line end");
  CountFlags(line, nullptr, &options.seed);
  if (const auto code = line.Parse(args)) return *code;
  if (uniform && options.exponent != WordsOptions().exponent) {
    return ReportError(InvalidArgument("--s is of --distribution zipf"));
  }
  if (uniform) options.distribution = WordsOptions::Distribution::kUniform;
  return ToStandardOutput(
      [&options](const Sink& sink) { return GenerateWords(options, sink); });
}

int GenNumbers(const Args& args) {
  NumbersOptions options;
  bool f64 = false;
  CommandLine line("gen numbers",
                   "Writes random numbers: all 64-bit integers are equally likely, or "
                   "doubles in [0, 1).");
  line.Example(
      "skep gen numbers --count 1000000 --type f64 --format binary > numbers.f64");
  line.ParsedFlag("type", "i64 or f64", "NAME", "i64", Choice("i64", "f64", &f64));
  line.ParsedFlag("format", "text, one a line, or binary, 8 bytes each, little-endian",
                  "NAME", "text", Choice("text", "binary", &options.binary));
  CountFlags(line, &options.count, &options.seed);
  if (const auto code = line.Parse(args)) return *code;
  if (f64) options.type = NumbersOptions::Type::kF64;
  return ToStandardOutput(
      [&options](const Sink& sink) { return GenerateNumbers(options, sink); });
}

// "24" or "17..30".
absl::Status ParseClues(const std::string& text, PuzzlesOptions* options) {
  const size_t dots = text.find("..");
  uint64_t least = 0, most = 0;
  SKEP_RETURN_IF_ERROR(ParseUnsigned(text.substr(0, dots), &least));
  SKEP_RETURN_IF_ERROR(
      ParseUnsigned(dots == std::string::npos ? text : text.substr(dots + 2), &most));
  if (least > most || most > 81) {
    return InvalidArgument("give a number of clues up to 81, or a range like 24..30");
  }
  options->min_clues = static_cast<int>(least);
  options->max_clues = static_cast<int>(most);
  return absl::OkStatus();
}

int GenSudoku(const Args& args) {
  PuzzlesOptions options;
  CommandLine line("gen sudoku", "Writes random Sudoku puzzles, one a line.");
  line.Example("skep gen sudoku --clues 17..30 --unique --count 1000 > puzzles");
  line.ParsedFlag("clues", "How many each has: a number, or a range like 17..30", "N",
                  StrCat(options.min_clues, "..", options.max_clues),
                  [&options](const auto& text) { return ParseClues(text, &options); });
  line.Flag("unique", &options.unique,
            "Exactly one solution; below 22 clues these are images of eight published "
            "puzzles");
  CountFlags(line, &options.count, &options.seed);
  if (const auto code = line.Parse(args)) return *code;
  return ToStandardOutput(
      [&options](const Sink& sink) { return GeneratePuzzles(options, sink); });
}

}  // namespace

int RunGen(const Args& args) {
  if (!args.empty()) {
    const Args rest(args.begin() + 1, args.end());
    if (args[0] == "words") return GenWords(rest);
    if (args[0] == "numbers") return GenNumbers(rest);
    if (args[0] == "sudoku") return GenSudoku(rest);
  }
  std::string what;
  CommandLine line("gen",
                   "Writes inputs for the jobs to standard output: `skep gen words`, "
                   "`skep gen numbers`, `skep gen sudoku`; each has --help. The same "
                   "flags give the same bytes on every machine.");
  line.Example("skep gen words --bytes 10M | skep run wordcount --top 10 -");
  line.Positional("WHAT", &what, "words, numbers or sudoku", true,
                  {"words", "numbers", "sudoku"});
  if (const auto code = line.Parse(args)) return *code;
  return ReportError(InvalidArgument("there is no `skep gen ", what,
                                     "`: use words, numbers or sudoku"));
}

}  // namespace skep
