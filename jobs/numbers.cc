#include "jobs/numbers.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/coding.h"
#include "base/plural.h"
#include "base/status.h"
#include "jobs/api/json_text.h"

namespace skep {
namespace {

// Of what was left out: enough to see the pattern.
constexpr size_t kMaxExamples = 10;
// Of the binary formats.
constexpr uint32_t kRecordBytes = 8;

absl::Status CheckFormat(const std::string& value) {
  if (value == "text" || value == "i64" || value == "u64" || value == "f64") {
    return absl::OkStatus();
  }
  return InvalidArgument("give text, i64, u64 or f64");
}

}  // namespace

void TakeNumbers(Job& job) {
  job.AddFlag({.name = "format",
               .type = Flag::Type::kString,
               .default_value = "text",
               .value_name = "FORMAT",
               .help = "text: numbers between white space or commas, exact if whole "
                       "and from -2^63 to 2^64 - 1, others as doubles; i64, u64 or "
                       "f64: binary, 8 bytes each, little endian",
               .check = CheckFormat})
      .AddFlag({.name = "strict",
                .type = Flag::Type::kBool,
                .help =
                    "Fail on NaN and on text that is no number, instead of leaving it "
                    "out and saying so"})
      .Input([](const Options& options) -> absl::StatusOr<InputFormat> {
        if (options.GetString("format") == "text") return InputFormat{};
        return InputFormat{.kind = InputFormat::Kind::kFixed,
                           .record_size = kRecordBytes};
      });
}

absl::Status NumberReader::Read(const Block& block, const Options& options) {
  if (!started_) first_offset_ = block.file_offset;
  started_ = true;
  parsed_.ClearNumbers();
  const std::string& format = options.GetString("format");
  if (format == "i64") {
    SKEP_RETURN_IF_ERROR(DecodeIntegers(block.bytes, &parsed_));
  } else if (format == "u64") {
    SKEP_RETURN_IF_ERROR(DecodeUnsigned(block.bytes, &parsed_));
  } else if (format == "f64") {
    SKEP_RETURN_IF_ERROR(DecodeDoubles(block.bytes, &parsed_));
  } else {
    ParseNumbers(block.bytes, &parsed_);
  }
  numbers_ += parsed_.integers.size() + parsed_.large.size() + parsed_.doubles.size();
  return absl::OkStatus();
}

std::string NumberReader::Report() const {
  NumberReport report{.lines = parsed_.line_ends,
                      .numbers = numbers_,
                      .nans = parsed_.nans,
                      .unparsable = parsed_.unparsable};
  for (const NumberProblem& problem : parsed_.problems) {
    report.Example(
        problem.line > 0 ? problem.line
                         : (first_offset_ + problem.offset) / kRecordBytes,
        problem.is_nan ? "NaN" : StrCat("\"", problem.token, "\" is not a number"));
  }
  return report.Encode();
}

void NumberReport::Example(uint64_t place, std::string what) {
  if (examples.size() < kMaxExamples) examples.emplace_back(place, std::move(what));
}

std::string NumberReport::Encode() const {
  std::string bytes;
  for (const uint64_t count : {lines, numbers, nans, unparsable}) {
    PutVarint(&bytes, count);
  }
  for (const auto& [place, what] : examples) {
    PutVarint(&bytes, place);
    PutBytes(&bytes, what);
  }
  return bytes;
}

absl::StatusOr<NumberReport> NumberReport::Decode(std::string_view bytes) {
  NumberReport report;
  bool good = GetVarint(&bytes, &report.lines) && GetVarint(&bytes, &report.numbers) &&
              GetVarint(&bytes, &report.nans) && GetVarint(&bytes, &report.unparsable);
  while (good && !bytes.empty()) {
    uint64_t place;
    std::string_view what;
    good = GetVarint(&bytes, &place) && GetBytes(&bytes, &what);
    if (good) report.examples.emplace_back(place, what);
  }
  if (!good) return Internal("numbers: a task's report is malformed");
  return report;
}

absl::StatusOr<InputAccount> CollectInput(
    const PlanInput& input, const std::vector<std::string_view>& reports) {
  if (reports.size() != input.splits.size()) {
    return Internal("numbers: ", reports.size(), " reports of ", input.splits.size(),
                    " splits");
  }
  const bool text = input.options.GetString("format") == "text";
  InputAccount account;
  // Lines of a file before the split at hand: splits are in the order of the file.
  std::map<std::string, uint64_t> lines_before;
  for (size_t i = 0; i < reports.size(); ++i) {
    SKEP_ASSIGN_OR_RETURN(const NumberReport report, NumberReport::Decode(reports[i]));
    const InputFile& file = input.splits[i].file();
    uint64_t& lines = lines_before[file.path()];
    for (const auto& [place, what] : report.examples) {
      if (account.examples.size() == kMaxExamples) break;
      account.examples.push_back(
          text ? StrCat(file.name(), ":", lines + place, ": ", what)
               : StrCat(file.name(), ": record ", place, ": ", what));
    }
    lines += report.lines;
    account.numbers += report.numbers;
    account.nans += report.nans;
    account.unparsable += report.unparsable;
  }
  const uint64_t bad = account.nans + account.unparsable;
  if (bad > 0 && input.options.GetBool("strict")) {
    return InvalidArgument(account.examples[0],
                           bad > 1 ? StrCat(" (and ", bad - 1, " more like it)") : "",
                           "; without --strict they are left out");
  }
  if (account.numbers == 0) {
    return FailedPrecondition(
        "there are no numbers in the input",
        bad > 0 ? StrCat(": ", Counted(bad, "value was", "values were"),
                         " left out, the first: ", account.examples[0])
                : "");
  }
  return account;
}

std::vector<std::string> InputAccount::Notes() const {
  const uint64_t bad = nans + unparsable;
  if (bad == 0) return {};
  std::vector<std::string> notes = {StrCat(Counted(bad, "value was", "values were"),
                                           " left out: ", unparsable, " not a number, ",
                                           nans, " NaN")};
  notes.insert(notes.end(), examples.begin(), examples.end());
  if (bad > examples.size()) {
    notes.push_back(StrCat("... and ", bad - examples.size(), " more"));
  }
  return notes;
}

std::string InputAccount::Json() const {
  return StrCat("\"unparsable\":", unparsable, ",\"nan\":", nans);
}

std::string JsonOf(const Number& number) {
  return number.is_integer ? number.ToString() : JsonNumber(number.real);
}

}  // namespace skep
