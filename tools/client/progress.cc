#include "tools/client/progress.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/plural.h"
#include "base/strings.h"

namespace skep {
namespace {

constexpr int kBarWidth = 24;

uint32_t Total(const TaskCounts& counts) {
  return counts.waiting() + counts.running() + counts.done();
}

std::string Describe(std::string_view what, const TaskCounts& counts) {
  std::string text = StrCat(what, " ", counts.done(), "/", Total(counts));
  if (counts.running() > 0) StrAppend(&text, ", ", counts.running(), " running");
  return text;
}

std::string Bar(double fraction) {
  const int full = static_cast<int>(fraction * kBarWidth);
  std::string bar(full, '=');
  if (full < kBarWidth) bar += '>';
  bar.resize(kBarWidth, ' ');
  return absl::StrFormat(" [%s] %3d%%", bar, static_cast<int>(fraction * 100));
}

}  // namespace

std::string_view StateName(JobState state) {
  switch (state) {
    case JOB_WAITING:
      return "waiting";
    case JOB_RUNNING:
      return "running";
    case JOB_PUBLISHING:
      return "publishing";
    case JOB_SUCCEEDED:
      return "succeeded";
    case JOB_FAILED:
      return "failed";
    case JOB_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

bool IsFinal(JobState state) {
  return state == JOB_SUCCEEDED || state == JOB_FAILED || state == JOB_CANCELLED;
}

std::string ProgressLine(const JobStatus& status, bool bar, std::string_view remark) {
  std::string line = StrCat(status.name(), ": ");
  if (!status.waiting_for().empty()) {
    StrAppend(&line, "waiting: ", status.waiting_for());
    return line;
  }
  if (status.stages().empty() || status.state() != JOB_RUNNING) {
    StrAppend(&line, StateName(status.state()));
    return line;
  }
  const StageProgress& stage = status.stages(status.stages_size() - 1);
  if (status.stages_size() > 1 || stage.name() != "main") {
    StrAppend(&line, "stage ", stage.name(), ", ");
  }
  StrAppend(&line, Describe("map", stage.maps()));
  const uint32_t reduces = Total(stage.reduces());
  if (reduces > 0) StrAppend(&line, "; ", Describe("reduce", stage.reduces()));
  if (!remark.empty()) StrAppend(&line, "; ", remark);
  if (bar) {
    const double all = std::max(1u, Total(stage.maps()) + reduces);
    StrAppend(&line, Bar((stage.maps().done() + stage.reduces().done()) / all));
  }
  return line;
}

std::string SummaryLine(const JobStatus& status, absl::Duration took) {
  std::string line = absl::StrFormat(
      "job %d %s %s in %.2f s", status.id(), status.name(),
      std::string(StateName(status.state())), absl::ToDoubleSeconds(took));
  const uint32_t again =
      status.attempts_failed() + status.attempts_lost() + status.maps_lost();
  if (again > 0) {
    StrAppend(&line,
              "; ran again: ", Counted(status.attempts_failed(), "failed attempt"),
              ", ", Counted(status.attempts_lost(), "lost attempt"), ", ",
              Counted(status.maps_lost(), "lost map output"));
  }
  return line;
}

void Progress::Update(const JobStatus& status, absl::Time now,
                      std::string_view remark) {
  if (style_ == Style::kNone || IsFinal(status.state())) return;
  if (style_ == Style::kTerminal) {
    if (now - last_ < kRedrawInterval) return;
    last_ = now;
    shown_ = ProgressLine(status, true, remark);
    // Erases what a longer line left.
    write_(StrCat("\r", shown_, "\x1b[K"));
    return;
  }
  const bool urgent = tell_waiting_ && !status.waiting_for().empty();
  if (!urgent && now - start_ < kQuietTime) return;
  if (now - last_ < kLineInterval) return;
  const std::string line = ProgressLine(status, false, remark);
  if (line == shown_) return;
  last_ = now;
  shown_ = line;
  write_(StrCat(line, "\n"));
}

void Progress::End() {
  if (style_ == Style::kTerminal && !shown_.empty()) write_("\r\x1b[K");
  shown_.clear();
}

}  // namespace skep
