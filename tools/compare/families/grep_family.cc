// Finding the lines that hold a string.

#include <string.h>

#include <memory>
#include <string_view>
#include <utility>

#include "base/cpu_path.h"
#include "base/status.h"
#include "base/strings.h"
#include "jobs/kernels/line_matcher.h"
#include "jobs/kernels/string_search.h"
#include "tools/compare/family.h"
#include "tools/gen/words.h"

namespace skep {
namespace {

using Find = size_t (*)(std::string_view text, std::string_view needle, size_t from);

// Lines that hold the needle: behind each find the search goes on with the next line.
uint64_t CountLines(std::string_view text, std::string_view needle, Find find) {
  uint64_t lines = 0;
  for (size_t at = 0; at < text.size(); ++lines) {
    at = find(text, needle, at);
    if (at == std::string_view::npos) break;
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  }
  return lines;
}

uint64_t CountByMatcher(std::string_view text, std::string_view needle, bool fixed) {
  const auto matcher = LineMatcher::Create(needle, {.fixed = fixed});
  uint64_t lines = 0;
  if (!matcher.ok()) return lines;
  (*matcher)->ForEachLine(text, [&lines](const LineMatcher::Line&) {
    ++lines;
    return true;
  });
  return lines;
}

struct GrepAlgorithm {
  const char* name;
  const char* what;
  uint64_t (*count)(std::string_view text, std::string_view needle);
  std::optional<CpuPath> path = std::nullopt;
};

const GrepAlgorithm kAlgorithms[] = {
    {"memmem", "the C library's",
     [](std::string_view text, std::string_view needle) {
       return CountLines(
           text, needle, [](std::string_view in, std::string_view what, size_t from) {
             const void* found =
                 memmem(in.data() + from, in.size() - from, what.data(), what.size());
             return found == nullptr ? std::string_view::npos
                                     : static_cast<const char*>(found) - in.data();
           });
     }},
    {"string_view", "std::string_view::find",
     [](std::string_view text, std::string_view needle) {
       return CountLines(text, needle,
                         [](std::string_view in, std::string_view what, size_t from) {
                           return in.find(what, from);
                         });
     }},
    {"vectors", "two bytes of the string in vectors, on the best path",
     [](std::string_view text, std::string_view needle) {
       return CountLines(text, needle,
                         [](std::string_view in, std::string_view what, size_t from) {
                           return FindString(in, what, from);
                         });
     },
     BestCpuPath()},
    {"vectors-scalar", "the same without vectors",
     [](std::string_view text, std::string_view needle) {
       return CountLines(text, needle,
                         [](std::string_view in, std::string_view what, size_t from) {
                           return FindString(in, what, from, CpuPath::kScalar);
                         });
     },
     CpuPath::kScalar},
    {"job", "what the job grep --fixed-strings does, lines and all",
     [](std::string_view text, std::string_view needle) {
       return CountByMatcher(text, needle, true);
     },
     BestCpuPath()},
    {"job-regex", "the same by a regular expression",
     [](std::string_view text, std::string_view needle) {
       return CountByMatcher(text, needle, false);
     },
     BestCpuPath()},
};

absl::StatusOr<std::string> MakeText(uint64_t size, uint64_t seed) {
  std::string text;
  SKEP_RETURN_IF_ERROR(
      GenerateWords({.bytes = size, .seed = seed}, [&text](std::string_view bytes) {
        text += bytes;
        return absl::OkStatus();
      }));
  return text;
}

// Words by their rank: the first stands in nearly every line, 5000 here and there.
std::string NeedleOf(const std::string& input) {
  if (input == "no-match") return "NOT THERE";
  std::string needle;
  SpellWord(input == "many" ? 1 : 5000, &needle);
  return needle;
}

absl::StatusOr<ComparedCase> MakeCase(const std::string& input, uint64_t size,
                                      uint64_t seed) {
  SKEP_ASSIGN_OR_RETURN(std::string made, MakeText(size, seed));
  const auto text = std::make_shared<const std::string>(std::move(made));
  const std::string needle = NeedleOf(input);
  ComparedCase all{.input = StrCat(text->size(), " bytes, ", input)};
  for (const GrepAlgorithm& algorithm : kAlgorithms) {
    all.algorithms.push_back(
        {.name = algorithm.name,
         .what = algorithm.what,
         .run =
             [text, needle, count = algorithm.count] {
               return ComparedRun{.answer = StrCat(count(*text, needle), " lines"),
                                  .rounds = 1,
                                  .bytes = text->size()};
             },
         .path = algorithm.path});
  }
  return all;
}

absl::StatusOr<FleetInput> MakeFleetInput(const std::string& input, uint64_t size,
                                          uint64_t seed) {
  FleetInput made{.flags = {{"pattern", NeedleOf(input)}}};
  SKEP_ASSIGN_OR_RETURN(made.bytes, MakeText(size, seed));
  made.what = StrCat(made.bytes.size(), " bytes, ", input);
  return made;
}

}  // namespace

CompareFamily GrepFamily() {
  return {.name = "grep",
          .what = "counting the lines that hold a string",
          .size_name = "bytes",
          .sizes = {1 << 16, 1 << 20, 1 << 24},
          .most = uint64_t{4} << 30,
          .inputs = {"few", "no-match", "many"},
          .by_default = {"memmem", "string_view", "vectors", "job", "job-regex"},
          .counts =
              "Rounds: passes over the text. Bytes moved: those of it; a search "
              "goes on behind the last one, so each is looked at in one.",
          .make = MakeCase,
          .on_fleet = {
              .job = "grep",
              .algorithms = {{.name = "string",
                              .what = "the pattern as a string",
                              .flags = {{"fixed-strings", "true"}}},
                             {.name = "regex", .what = "the pattern as an expression"}},
              .sizes = {1 << 20, 1 << 24},
              .make = MakeFleetInput}};
}

}  // namespace skep
