// The rows of sort and grep.

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/huge_pages.h"
#include "base/random.h"
#include "base/strings.h"
#include "glog/logging.h"
#include "jobs/kernels/line_matcher.h"
#include "jobs/kernels/record_sort.h"
#include "tests/bench/kernel_rows.h"

namespace skep {
namespace {

constexpr size_t kRecord = 100, kKey = 10;

// A text in a file, and a file for what is found in it; both go with this.
class GrepFiles {
 public:
  GrepFiles(std::string_view text, int times) {
    std::string name = (std::filesystem::temp_directory_path() / "skepXXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr) << name;
    folder_ = name;
    std::ofstream file(text_path(), std::ios::binary);
    for (int i = 0; i < times; ++i) file << text;
    CHECK(file.flush()) << text_path();
  }
  ~GrepFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string text_path() const { return folder_ + "/text"; }
  int OpenText() const { return open(text_path().c_str(), O_RDONLY | O_CLOEXEC); }
  int OpenFound() const {
    return open((folder_ + "/found").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                0600);
  }

 private:
  std::string folder_;
};

// As `grep` works: a file read in pieces, the lines written to another.
void SearchFile(const GrepFiles& files, const LineMatcher& matcher) {
  constexpr size_t kPiece = 256 << 10;
  std::vector<char> buffer(2 * kPiece);
  const int text = files.OpenText(), found = files.OpenFound();
  std::string out;
  size_t have = 0;
  while (true) {
    const ssize_t got = read(text, buffer.data() + have, kPiece);
    CHECK_GE(got, 0);
    have += static_cast<size_t>(got);
    const void* last = got == 0 ? nullptr : memrchr(buffer.data(), '\n', have);
    const size_t whole =
        last == nullptr ? have : static_cast<const char*>(last) - buffer.data() + 1;
    out.clear();
    matcher.ForEachLine({buffer.data(), whole}, [&out](const LineMatcher::Line& line) {
      out += line.text;
      out += '\n';
      return true;
    });
    CHECK_EQ(write(found, out.data(), out.size()), static_cast<ssize_t>(out.size()));
    if (got == 0) break;
    have -= whole;
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
  const auto records = std::make_shared<HugeVector<char>>(count * kRecord);
  const auto sorted = std::make_shared<HugeVector<char>>(count * kRecord);
  const auto sorter = std::make_shared<RecordSorter>();
  Random random(3);
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < kKey; ++j) {
      (*records)[i * kRecord + j] = static_cast<char>(random());
    }
  }
  const std::string name = StrCat(count / 1'000'000, " M records of 100 bytes");
  const double gigabytes = static_cast<double>(count * kRecord) / 1e9;
  std::vector<KernelRow> rows;
  rows.push_back(
      {.name = name + ", std::sort", .run = [=](CpuPath) {
         std::vector<const char*> order;
         for (size_t i = 0; i < count; ++i) {
           order.push_back(records->data() + i * kRecord);
         }
         std::sort(order.begin(), order.end(),
                   [](const char* a, const char* b) { return memcmp(a, b, kKey) < 0; });
         char* out = sorted->data();
         for (const char* record : order) {
           memcpy(out, record, kRecord);
           out += kRecord;
         }
       }});
  rows.push_back({.name = name + ", by radix",
                  .run =
                      [=](CpuPath) {
                        sorter->Sort({records->data(), records->size()}, kRecord, kKey,
                                     sorted->data());
                      },
                  .published = 1.75,
                  .published_by = "target",
                  .baseline = name + ", std::sort"});
  for (KernelRow& row : rows) {
    row.family = "Sort";
    row.unit = "GB/s";
    row.scale = gigabytes;
  }
  return rows;
}

std::vector<KernelRow> GrepRows(const KernelBenchOptions& options) {
  std::vector<KernelRow> rows;
  if (options.data.empty()) return rows;
  std::ostringstream text;
  text << std::ifstream(options.data + "/kjv.txt", std::ios::binary).rdbuf();
  const int times = options.full ? 60 : 15;
  const auto files = std::make_shared<const GrepFiles>(text.str(), times);
  const double gigabytes = static_cast<double>(text.str().size()) * times / 1e9;
  constexpr struct {
    const char* name;
    const char* flag;
    const char* pattern;
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
                   {"one of three, none", "-E", "(xyz|abcx|zzz)"}};
  for (const auto& search : kSearches) {
    const std::string flags = search.flag, pattern = search.pattern;
    const std::string peer = StrCat(search.name, ", grep ", flags);
    rows.push_back(
        {.name = peer, .seconds = [=] { return RunGrep(*files, flags, pattern); }});
    rows.push_back({.name = search.name,
                    .run =
                        [=](CpuPath path) {
                          const auto matcher = LineMatcher::Create(
                              pattern, {.fixed = flags.find('F') != flags.npos,
                                        .ignore_case = flags.find('i') != flags.npos,
                                        .whole_words = flags.find('w') != flags.npos,
                                        .path = path});
                          SearchFile(*files, **matcher);
                        },
                    .has_paths = true,
                    .published = 0,
                    .baseline = peer});
  }
  for (KernelRow& row : rows) {
    row.family = "Grep";
    row.unit = "GB/s";
    row.scale = gigabytes;
  }
  return rows;
}

}  // namespace skep
