// What grep writes for the lines of one split: selected lines, lines around them, the
// parts that match, each with its file's name and its number.
//
// Lines before and after a selected one may lie in other splits. Each split's task
// writes its own lines only, and is told what its neighbours need (GrepStart); a first
// stage finds out where the selected lines are (GrepSurvey), and PlanGrep makes the one
// of the other.

#ifndef SKEP_JOBS_GREP_PRINTER_H_
#define SKEP_JOBS_GREP_PRINTER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/api/job.h"
#include "jobs/kernels/line_matcher.h"

namespace skep {

struct GrepOptions {
  LineMatcherOptions matching;
  bool count = false;          // -c
  bool name_files = false;     // -H: decided by the planner without -H or -h
  bool number_lines = false;   // -n
  bool only_matching = false;  // -o
  bool with_match = false;     // -l: names of files
  bool without_match = false;  // -L
  bool silent = false;         // -q: only whether there is any
  bool byte_offsets = false;   // -b
  bool groups = false;         // -A, -B or -C, be it of 0 lines: "--" between groups
  uint64_t before = 0;         // -B
  uint64_t after = 0;          // -A
  uint64_t most = UINT64_MAX;  // -m: selected lines of a file

  // The answer is all there is: no lines are written.
  bool answers() const { return count || names_files() || silent; }
  bool names_files() const { return with_match || without_match; }
};
// InvalidArgument for flags that do not go together.
absl::StatusOr<GrepOptions> ReadGrepOptions(const Options& options);

// What the first stage finds in a split.
struct GrepSurvey {
  uint64_t lines = 0;
  std::vector<uint64_t> selected;  // lines, from 0: all up to GrepOptions.most, else
                                   // the first and the last

  std::string Encode() const;
};
absl::StatusOr<GrepSurvey> DecodeGrepSurvey(std::string_view bytes);

// What a split's task must know of those before and after it.
struct GrepStart {
  uint64_t lines_before = 0;     // in the file
  uint64_t budget = UINT64_MAX;  // selected lines that may still be written
  uint64_t after = 0;            // its first lines follow a selected one
  uint64_t tail = 0;             // its last lines precede a selected one
  bool printed = false;          // something was, before
  bool adjacent = false;         // and it was the line before

  void Append(std::string* bytes) const;
};
bool ReadGrepStart(std::string_view* bytes, GrepStart* start);

// One a split, in order; the surveys may lack (they are empty then) if lines are
// neither numbered, limited nor printed with context.
std::vector<GrepStart> PlanGrep(const GrepOptions& options,
                                const std::vector<InputSplit>& splits,
                                const std::vector<GrepSurvey>& surveys);

// Whether the split begins another file than the one before it.
bool BeginsFile(const std::vector<InputSplit>& splits, size_t i);

// Takes the blocks of a split in order. Not thread-safe.
class GrepPrinter {
 public:
  // `matcher` is borrowed.
  GrepPrinter(const LineMatcher& matcher, const GrepOptions& options,
              const GrepStart& start)
      : matcher_(matcher),
        options_(options),
        start_(start),
        number_(start.lines_before),
        after_(start.after),
        printed_(start.printed),
        adjacent_(start.adjacent) {}

  // `offset`: of the block in its file.
  void Add(std::string_view block, std::string_view file_name, uint64_t offset,
           std::string* out);
  // No more lines are selected, nor written for those that were.
  bool HasEnough() const {
    return selected_ >= start_.budget && after_ == 0 && start_.tail == 0;
  }
  // After the last block.
  void End(std::string_view file_name, std::string* out);

  uint64_t selected() const { return selected_; }

 private:
  struct Kept {
    std::string text;
    uint64_t number;
    uint64_t offset;
  };

  void Select(const LineMatcher::Line& line, uint64_t number);
  // Lines between selected ones. `next` is the number of the line behind them.
  void Skip(std::string_view lines, uint64_t next, bool selected_next);
  void Keep(std::string_view lines, uint64_t next);
  void PrintKept(uint64_t most);
  void Print(std::string_view line, uint64_t number, uint64_t offset, char mark);
  void PrintHead(uint64_t number, uint64_t offset, char mark);
  // In the file, of what is in the block.
  uint64_t OffsetOf(std::string_view text) const {
    return offset_ + static_cast<uint64_t>(text.data() - block_.data());
  }

  const LineMatcher& matcher_;
  const GrepOptions options_;
  const GrepStart start_;
  std::string_view file_name_;  // of this call
  std::string_view block_;
  uint64_t offset_ = 0;
  std::string* out_ = nullptr;

  uint64_t number_;  // lines of the file before the next block
  uint64_t after_;   // lines still to be printed behind the last selected one
  uint64_t selected_ = 0;
  bool printed_, adjacent_;
  std::deque<Kept> kept_;  // lines not printed so far: the last options_.before
};

}  // namespace skep

#endif  // SKEP_JOBS_GREP_PRINTER_H_
