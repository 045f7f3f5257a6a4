#include "tools/commands/compare_algorithms.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/shorten.h"
#include "base/status.h"
#include "base/strings.h"
#include "rpc/address.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/compare_fleet.h"
#include "tools/commands/format_flag.h"
#include "tools/compare/comparison.h"
#include "tools/exit_code.h"
#include "tools/output_file.h"
#include "tools/security.h"
#include "tools/standard_error.h"

namespace skep {
namespace {

struct Flags {
  CompareOptions options;
  int64_t rounds = 11;
  int64_t seed = 1;
  bool json = false;
  std::string html;
  std::optional<Address> master;  // nothing: kernels, here
  SecurityFlags security;
};

// More rounds change the medians no more.
constexpr int64_t kMostRounds = 1000;

// The parts between commas; an empty one is refused, and one that was there before.
absl::Status SplitList(const std::string& text, std::vector<std::string>* parts) {
  parts->clear();
  for (size_t at = 0;;) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (comma == at) return InvalidArgument("give names or sizes with commas between");
    std::string part = text.substr(at, comma - at);
    if (std::find(parts->begin(), parts->end(), part) != parts->end()) {
      return InvalidArgument("'", Shorten(part), "' stands there twice");
    }
    parts->push_back(std::move(part));
    if (comma == text.size()) return absl::OkStatus();
    at = comma + 1;
  }
}

absl::Status ParseSizes(const std::string& text, uint64_t most,
                        std::vector<uint64_t>* sizes) {
  std::vector<std::string> parts;
  SKEP_RETURN_IF_ERROR(SplitList(text, &parts));
  sizes->clear();
  for (const std::string& part : parts) {
    SKEP_ASSIGN_OR_RETURN(const uint64_t size, ParseSize(part));
    if (size < 1 || size > most) {
      return InvalidArgument("'", part, "' is not from 1 to ", most);
    }
    sizes->push_back(size);
  }
  return absl::OkStatus();
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    StrAppend(&text, text.empty() ? "" : ",", name);
  }
  return text;
}

std::vector<std::string> NamesOf(const FleetFamily& family) {
  std::vector<std::string> names;
  for (const FleetAlgorithm& algorithm : family.algorithms) {
    names.push_back(algorithm.name);
  }
  return names;
}

absl::Status CompareFamilyAs(const CompareFamily& family, const Flags& flags,
                             const std::string& command) {
  SKEP_RETURN_IF_ERROR(CheckOutputFile("--html", flags.html));
  SKEP_ASSIGN_OR_RETURN(const Comparison comparison,
                        flags.master ? CompareOnFleetOf(*flags.master, flags.security,
                                                        family, flags.options)
                                     : Compare(family, flags.options));
  std::fputs(
      (flags.json ? ComparisonJson(comparison) : ComparisonText(comparison)).c_str(),
      stdout);
  std::fflush(stdout);  // before what is said of the report
  if (flags.html.empty()) return absl::OkStatus();
  SKEP_RETURN_IF_ERROR(
      WriteOutputFile("--html", flags.html, ComparisonHtml(comparison, command)));
  WriteError(StrCat("skep: the report is in ", flags.html, "\n"));
  return absl::OkStatus();
}

}  // namespace

std::string CompareFamilyNames() {
  std::string names;
  for (const CompareFamily& family : CompareFamilies()) {
    StrAppend(&names, names.empty() ? "" : ", ", family.name);
  }
  return names;
}

std::optional<int> RunCompareAlgorithms(const Args& args) {
  const CompareFamily* family = args.empty() ? nullptr : FindCompareFamily(args[0]);
  if (family == nullptr) return std::nullopt;
  Flags flags;
  FormatFlags format;
  CommandLine line(StrCat("compare ", family->name),
                   StrCat("Measures algorithms for ", family->what,
                          ", interleaved, on one core, after their answers have "
                          "been seen to agree. The first is what the others are "
                          "compared with."));
  line.Example(StrCat("skep compare ", family->name, " --algorithms ",
                      Joined(family->by_default), " --html report.html"));
  line.ParsedFlag("algorithms", "Which, the first as the reference", "NAME,...",
                  Joined(family->by_default), [&flags](const std::string& text) {
                    return SplitList(text, &flags.options.algorithms);
                  });
  std::string sizes;
  for (const uint64_t size : family->sizes) {
    StrAppend(&sizes, sizes.empty() ? "" : ",", size);
  }
  line.ParsedFlag("sizes",
                  StrCat("How many ", family->size_name, ": ", family->size_example),
                  "N,...", sizes, [&flags, family](const std::string& text) {
                    return ParseSizes(text, family->most, &flags.options.sizes);
                  });
  line.Flag("input", &flags.options.input,
            StrCat("What they look like: ", Joined(family->inputs)), "KIND");
  line.Flag("rounds", &flags.rounds, "Each measures every algorithm once", "N", 1,
            kMostRounds);
  line.Flag("seed", &flags.seed, "Of the input", "N");
  AddFormatFlags(line, &format);
  line.Flag("html", &flags.html, "Also write a report with plots", "FILE");
  line.Heading(StrCat("On a fleet, as jobs: ", Joined(NamesOf(family->on_fleet))));
  line.ParsedFlag("master", "Submit them to the fleet of this master", "HOST:PORT", "",
                  [&flags](const std::string& text) -> absl::Status {
                    SKEP_ASSIGN_OR_RETURN(flags.master, Address::Parse(text));
                    return absl::OkStatus();
                  });
  AddSecurityFlags(line, &flags.security);
  if (const auto code = line.Parse({args.begin() + 1, args.end()})) return *code;
  if (!flags.master && (flags.security.plaintext || !flags.security.tls.empty())) {
    return ReportError(InvalidArgument(
        "--tls and --plaintext have no effect without --master: kernels run here"));
  }
  if (const absl::Status good = format.Check(); !good.ok()) return ReportError(good);
  flags.json = format.WantsJson();
  flags.options.rounds = static_cast<int>(std::min<int64_t>(flags.rounds, 1'000'000));
  flags.options.seed = static_cast<uint64_t>(flags.seed);
  std::string command = "skep compare";
  for (const std::string& arg : args) StrAppend(&command, " ", arg);
  const absl::Status status = CompareFamilyAs(*family, flags, command);
  return status.ok() ? kOk : ReportError(status);
}

}  // namespace skep
