#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/strings.h"
#include "rpc/http/stats_page.h"

namespace skep {
namespace {

// Bucket bounds per power of ten, from 10 us to 100 s: percentiles read from them are
// within a third.
constexpr double kSteps[] = {1, 1.5, 2, 3, 5, 7};
constexpr double kLeast = 1e-5, kMost = 100;

// In a label's value.
std::string Label(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

std::string NameOf(size_t code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

class Writer {
 public:
  void Family(const std::string& name, const char* type, const std::string& help) {
    StrAppend(&out_, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  }
  void Line(const std::string& name, const std::string& labels, double value) {
    out_ += name;
    if (!labels.empty()) StrAppend(&out_, "{", labels, "}");
    absl::StrAppendFormat(&out_, " %.15g\n", value);
  }
  void One(const std::string& name, const char* type, const std::string& help,
           double value) {
    Family(name, type, help);
    Line(name, "", value);
  }
  std::string Finish() { return std::move(out_); }

 private:
  std::string out_;
};

void WriteHistogram(const std::string& label, const Histogram& latency, Writer* out) {
  for (double ten = kLeast; ten < kMost * 0.99; ten *= 10) {
    for (const double step : kSteps) {
      const double bound = ten * step;
      out->Line(
          "skep_call_duration_seconds_bucket",
          absl::StrFormat("%s,le=\"%g\"", label, bound),
          static_cast<double>(latency.CountBelow(static_cast<uint64_t>(bound * 1e9))));
    }
  }
  out->Line("skep_call_duration_seconds_bucket", label + ",le=\"+Inf\"",
            static_cast<double>(latency.count()));
  out->Line("skep_call_duration_seconds_sum", label,
            static_cast<double>(latency.sum()) / 1e9);
  out->Line("skep_call_duration_seconds_count", label,
            static_cast<double>(latency.count()));
}

// A balancer's calls again, under names of their own: sums are not to count them twice.
void WriteMethods(const std::vector<StatsReport::Row>& methods, Writer* out) {
  if (methods.empty()) return;
  out->Family("skep_method_calls_total", "counter",
              "Calls of a method that ended, by status code.");
  for (const StatsReport::Row& row : methods) {
    for (size_t code = 0; code < kStatusCodes; ++code) {
      if (code > 0 && row.ended[code] == 0) continue;
      out->Line("skep_method_calls_total",
                StrCat("method=\"", Label(row.name), "\",code=\"", NameOf(code), "\""),
                static_cast<double>(row.ended[code]));
    }
  }
  out->Family("skep_method_duration_seconds", "summary",
              "How long calls of a method took.");
  for (const StatsReport::Row& row : methods) {
    const std::string label = StrCat("method=\"", Label(row.name), "\"");
    for (const double percent : {50.0, 90.0, 99.0}) {
      out->Line("skep_method_duration_seconds",
                absl::StrFormat("%s,quantile=\"%g\"", label, percent / 100),
                static_cast<double>(row.latency.Percentile(percent)) / 1e9);
    }
    out->Line("skep_method_duration_seconds_sum", label,
              static_cast<double>(row.latency.sum()) / 1e9);
    out->Line("skep_method_duration_seconds_count", label,
              static_cast<double>(row.latency.count()));
  }
}

void WriteProcess(const ProcessStats& process, Writer* out) {
  out->One("process_cpu_seconds_total", "counter",
           "User and system CPU time of the process.", process.cpu_seconds);
  out->One("process_resident_memory_bytes", "gauge", "Resident memory.",
           static_cast<double>(process.resident_bytes));
  out->One("process_open_fds", "gauge", "Open file descriptors.",
           process.open_descriptors);
  out->One("process_threads", "gauge", "Threads.", process.threads);
  out->One("process_start_time_seconds", "gauge",
           "When the process was started, since the Unix epoch.",
           process.start_unix_seconds);
}

}  // namespace

std::string StatsPrometheus(const StatsReport& report, const ProcessStats& process) {
  Writer out;
  out.One("skep_uptime_seconds", "gauge", "Since the server started.",
          absl::ToDoubleSeconds(report.now - report.started));
  out.One("skep_connections", "gauge", "Connections of clients.", report.connections);
  out.One("skep_unknown_calls_total", "counter", "Calls of what is not served here.",
          static_cast<double>(report.unknown));
  const auto label = [&report](const StatsReport::Row& row) {
    return StrCat(report.kind, "=\"", Label(row.name), "\"");
  };
  out.Family("skep_calls_pending", "gauge", "Calls begun and not ended.");
  for (const StatsReport::Row& row : report.rows) {
    out.Line("skep_calls_pending", label(row), static_cast<double>(row.pending));
  }
  out.Family("skep_calls_total", "counter", "Calls ended, by status code.");
  for (const StatsReport::Row& row : report.rows) {
    for (size_t code = 0; code < kStatusCodes; ++code) {
      if (code > 0 && row.ended[code] == 0) continue;
      out.Line("skep_calls_total", StrCat(label(row), ",code=\"", NameOf(code), "\""),
               static_cast<double>(row.ended[code]));
    }
  }
  if (report.kind == "backend") {
    out.Family("skep_backend_up", "gauge", "Whether it gets calls.");
    for (const StatsReport::Row& row : report.rows) {
      if (row.state.empty()) continue;
      out.Line("skep_backend_up", label(row), row.state == "up" ? 1 : 0);
    }
    out.Family("skep_backend_held_errors", "gauge",
               "Errors that count as pending calls for a while.");
    for (const StatsReport::Row& row : report.rows) {
      if (row.state.empty()) continue;
      out.Line("skep_backend_held_errors", label(row),
               static_cast<double>(row.held_errors));
    }
  }
  out.Family("skep_call_duration_seconds", "histogram", "How long calls took.");
  for (const StatsReport::Row& row : report.rows) {
    WriteHistogram(label(row), row.latency, &out);
  }
  WriteMethods(report.methods, &out);
  for (const StatsReport::Section& section : report.sections) {
    for (const StatsReport::Figure& figure : section.figures) {
      if (figure.metric.empty()) continue;
      out.One(figure.metric, figure.counter ? "counter" : "gauge",
              StrCat(section.title, ": ", figure.label, "."), figure.value);
    }
  }
  WriteProcess(process, &out);
  return out.Finish();
}

}  // namespace skep
