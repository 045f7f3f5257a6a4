// The rows of sort and grep.

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/huge_pages.h"
#include "base/random.h"
#include "base/strings.h"
#include "glog/logging.h"
#include "jobs/grep_printer.h"
#include "jobs/kernels/line_matcher.h"
#include "jobs/kernels/record_sort.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/kernel_rows.h"

namespace skep {
namespace {

constexpr size_t kRecord = 100, kKey = 10;

// A text in a file, and a file for what is found in it; both go with this.
class GrepFiles {
 public:
  GrepFiles(std::string_view text, int times)
      : size_(text.size() * times), text_(folder_.Write("text", text, times)) {}

  size_t size() const { return size_; }
  const std::string& text_path() const { return text_; }
  int OpenText() const { return open(text_.c_str(), O_RDONLY | O_CLOEXEC); }
  int OpenFound() const {
    return open(folder_.Path("found").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                0600);
  }

 private:
  const BenchFolder folder_;
  const size_t size_;
  const std::string text_;
};

// Of flags as "-Fi" or "-EC2".
GrepOptions OptionsOf(const std::string& flags, CpuPath path) {
  const auto has = [&flags](char flag) { return flags.find(flag) != flags.npos; };
  GrepOptions options;
  options.matching = {.fixed = has('F'),
                      .ignore_case = has('i'),
                      .invert = has('v'),
                      .whole_words = has('w'),
                      .number_lines = has('n'),
                      .path = path};
  options.count = has('c');
  options.number_lines = has('n');
  options.only_matching = has('o');
  options.with_match = has('l');
  options.groups = has('C');
  if (options.groups) options.before = options.after = 2;
  return options;
}

// As the job `grep` works: a file read in pieces, lines written to another.
void SearchFile(const GrepFiles& files, const std::string& pattern,
                const GrepOptions& options) {
  constexpr size_t kPiece = 256 << 10;
  const auto matcher = LineMatcher::Create(pattern, options.matching);
  CHECK(matcher.ok()) << matcher.status();
  GrepStart start;
  if (options.with_match) start.budget = 1;
  GrepPrinter printer(**matcher, options, start);
  std::vector<char> buffer(2 * kPiece);
  const int text = files.OpenText(), found = files.OpenFound();
  std::string out;
  size_t have = 0;
  uint64_t offset = 0;
  while (!printer.HasEnough()) {
    const ssize_t got = read(text, buffer.data() + have, kPiece);
    CHECK_GE(got, 0);
    have += static_cast<size_t>(got);
    const void* last = got == 0 ? nullptr : memrchr(buffer.data(), '\n', have);
    const size_t whole =
        last == nullptr ? have : static_cast<const char*>(last) - buffer.data() + 1;
    out.clear();
    printer.Add({buffer.data(), whole}, "text", offset, &out);
    CHECK_EQ(write(found, out.data(), out.size()), static_cast<ssize_t>(out.size()));
    if (got == 0) break;
    have -= whole;
    offset += whole;
    memmove(buffer.data(), buffer.data() + whole, have);
  }
  close(text);
  close(found);
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// CPU seconds, the system's included, of the system's grep.
double RunGrep(const GrepFiles& files, const std::string& flag,
               const std::string& pattern) {
  const std::string path = files.text_path();
  const char* const arguments[] = {"grep",          flag.c_str(), "-e",
                                   pattern.c_str(), path.c_str(), nullptr};
  const char* const environment[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int found = files.OpenFound();
  posix_spawn_file_actions_adddup2(&actions, found, STDOUT_FILENO);
  pid_t child = 0;
  const int error = posix_spawnp(&child, "grep", &actions, nullptr,
                                 const_cast<char* const*>(arguments),
                                 const_cast<char* const*>(environment));
  posix_spawn_file_actions_destroy(&actions);
  close(found);
  CHECK_EQ(error, 0) << "grep cannot be run";
  int status = 0;
  rusage usage;
  CHECK_EQ(wait4(child, &status, 0, &usage), child);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

}  // namespace

std::vector<KernelRow> SortRows(const KernelBenchOptions& options) {
  const size_t count = options.full ? 10'000'000 : 1'000'000;
  const Lazy<HugeVector<char>> records([count] {
    Random random(3);
    HugeVector<char> made(count * kRecord);
    for (size_t i = 0; i < count; ++i) {
      for (size_t j = 0; j < kKey; ++j) {
        made[i * kRecord + j] = static_cast<char>(random());
      }
    }
    return made;
  });
  // Touched before anything is measured, as the input is.
  const Lazy<std::shared_ptr<HugeVector<char>>> sorted(
      [count] { return std::make_shared<HugeVector<char>>(count * kRecord); });
  const auto sorter = std::make_shared<RecordSorter>();
  const std::string name = StrCat(count / 1'000'000, " M records of 100 bytes");
  std::vector<KernelRow> rows;
  rows.push_back(
      {.name = name + ", std::sort", .run = [=](CpuPath) {
         std::vector<const char*> order;
         for (size_t i = 0; i < count; ++i) {
           order.push_back(records->data() + i * kRecord);
         }
         std::sort(order.begin(), order.end(),
                   [](const char* a, const char* b) { return memcmp(a, b, kKey) < 0; });
         char* out = (*sorted)->data();
         for (const char* record : order) {
           memcpy(out, record, kRecord);
           out += kRecord;
         }
       }});
  rows.push_back({.name = name + ", by radix",
                  .run =
                      [=](CpuPath) {
                        sorter->Sort({records->data(), records->size()}, kRecord, kKey,
                                     (*sorted)->data());
                      },
                  .baselines = {name + ", std::sort"},
                  .asked = {{.figure = 1.75}}});
  for (KernelRow& row : rows) {
    row.unit = "GB/s";
    row.work = [=] {
      Use((*sorted)->data());
      return 1e-9 * static_cast<double>(records->size());
    };
  }
  return rows;
}

std::vector<KernelRow> GrepRows(const KernelBenchOptions& options) {
  std::vector<KernelRow> rows;
  if (options.data.empty()) return rows;
  constexpr int kFewTimes = 15;
  const auto times_of_text = [data = options.data](int times) {
    return Lazy<GrepFiles>(
        [data, times] { return GrepFiles(ReadData(data, "kjv.txt"), times); });
  };
  const auto all = times_of_text(options.full ? 60 : kFewTimes);
  const auto part = times_of_text(kFewTimes);
  constexpr struct {
    const char* name;
    const char* flag;
    const char* pattern;
    bool part = false;  // of a shorter text: what writes much takes long
  } kSearches[] = {{"string, no match", "-F", "nebuchadnezzarx"},
                   {"string, few", "-F", "Nebuchadnezzar"},
                   {"string, many", "-F", "the"},
                   {"any case, few", "-Fi", "aaron"},
                   {"expression, no match", "-E", "Neb[a-z]*zarx"},
                   {"expression, few", "-E", "hon[ea]y"},
                   {"expression, many", "-E", "[0-9]+:[0-9]+"},
                   {"classes, none", "-E", "[0-9][A-Z]"},
                   {"classes, few", "-E", "[A-Z][A-Z][A-Z][A-Z]"},
                   {"classes, half", "-E", "[0-9][0-9]"},
                   {"counted, few", "-E", "\\b[A-Z]{3}\\b"},
                   {"any byte, one letter", "-E", "e.h.e"},
                   {"words of any length, many", "-E", "\\w+ \\w+ing\\b"},
                   {"from the line's start, few", "-E", "^[0-9]+:1 [A-M]"},
                   {"to the line's end, few", "-E", "[aeiou][a-z]!$"},
                   {"long lines", "-E", "^.{75}"},
                   {"classes in any case, few", "-Ei", "q[^u][a-z]"},
                   {"whole words of classes, few", "-Ew", "[A-Z][A-Z]+"},
                   {"words, few", "-w", "Aaron"},
                   {"one of three, none", "-E", "(xyz|abcx|zzz)"},
                   {"a letter in any case, few", "-Fi", "x", true},
                   {"a letter in any case, nearly all", "-Fi", "e", true},
                   {"counted (-c), many", "-Fc", "the", true},
                   {"numbered (-n), few", "-Fn", "Nebuchadnezzar", true},
                   {"numbered (-n), many", "-Fn", "the", true},
                   {"other lines (-v), nearly all", "-Fv", "Nebuchadnezzar", true},
                   {"other lines (-v), half", "-Fv", "the", true},
                   {"with context (-C 2), few", "-FC2", "Nebuchadnezzar", true},
                   {"with context (-C 2), many", "-FC2", "hath", true},
                   {"matches (-o), many", "-Fo", "the", true},
                   {"matches (-o) of an expression, many", "-Eo", "[A-Z][a-z]+", true},
                   {"names of files (-l), none", "-Fl", "nebuchadnezzarx", true}};
  for (const auto& search : kSearches) {
    const auto files = search.part ? part : all;
    const auto work = [files] { return 1e-9 * static_cast<double>(files->size()); };
    const std::string flags = search.flag, pattern = search.pattern;
    const std::string peer = StrCat(search.name, ", grep ", flags);
    rows.push_back(
        {.name = peer, .seconds = [=] { return RunGrep(*files, flags, pattern); }});
    rows.push_back(
        {.name = search.name,
         .run =
             [=](CpuPath path) { SearchFile(*files, pattern, OptionsOf(flags, path)); },
         .has_paths = true,
         .baselines = {peer},
         .asked = {{.figure = 1, .over = peer}}});
    for (KernelRow* row : {&rows.end()[-2], &rows.back()}) row->work = work;
  }
  for (KernelRow& row : rows) row.unit = "GB/s";
  return rows;
}

}  // namespace skep
