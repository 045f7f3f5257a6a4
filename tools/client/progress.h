// Tells a waiting person how a job goes, on stderr: one line that redraws itself on a
// terminal; in a pipe a line now and then. Pure text; the caller has the clock.

#ifndef SKEP_TOOLS_CLIENT_PROGRESS_H_
#define SKEP_TOOLS_CLIENT_PROGRESS_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "master/job_status.pb.h"

namespace skep {

// "wordcount: map 12/64, 4 running; reduce 0/8 [=====>      ] 17%". `remark`, if any,
// stands before the bar.
std::string ProgressLine(const JobStatus& status, bool bar,
                         std::string_view remark = "");

// "job 7 wordcount succeeded in 1.24 s; 2 attempts were run again"
std::string SummaryLine(const JobStatus& status, absl::Duration took);

// "succeeded"
std::string_view StateName(JobState state);
bool IsFinal(JobState state);

class Progress {
 public:
  enum class Style { kNone, kLines, kTerminal };
  // A job shorter than this is not reported on; then a line at most this often.
  static constexpr absl::Duration kQuietTime = absl::Seconds(2);
  static constexpr absl::Duration kLineInterval = absl::Seconds(5);
  static constexpr absl::Duration kRedrawInterval = absl::Milliseconds(100);

  // `tell_waiting`: what a job waits for is told at once, other news after kQuietTime.
  Progress(Style style, absl::Time start, std::function<void(std::string_view)> write,
           bool tell_waiting = false)
      : style_(style),
        start_(start),
        write_(std::move(write)),
        tell_waiting_(tell_waiting) {}

  void Update(const JobStatus& status, absl::Time now, std::string_view remark = "");
  // Clears the terminal's line.
  void End();

 private:
  const Style style_;
  const absl::Time start_;
  const std::function<void(std::string_view)> write_;
  const bool tell_waiting_;
  absl::Time last_ = absl::InfinitePast();
  std::string shown_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_CLIENT_PROGRESS_H_
