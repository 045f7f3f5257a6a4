#include "rpc/http/stats_page.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/strings.h"

namespace skep {
namespace {

// Bucket bounds per power of ten, from 10 us to 100 s: percentiles read from them are
// within a third.
constexpr double kSteps[] = {1, 1.5, 2, 3, 5, 7};
constexpr double kLeast = 1e-5, kMost = 100;

std::string Html(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

// In a label's value.
std::string Label(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

std::string NameOf(size_t code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

std::string Micros(uint64_t nanoseconds) {
  return absl::StrFormat("%.1f", static_cast<double>(nanoseconds) / 1e3);
}

std::string Errors(const StatsReport::Row& row) {
  std::string text;
  for (size_t code = 1; code < kStatusCodes; ++code) {
    if (row.ended[code] == 0) continue;
    StrAppend(&text, text.empty() ? "" : ", ", NameOf(code), " ", row.ended[code]);
  }
  return text;
}

constexpr char kStyle[] =
    "body{font:14px sans-serif;margin:2em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.3em .8em;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child,td.t,th.t{text-align:left}"
    "th{background:#f3f3f3}";

std::string CallTable(const StatsReport& report) {
  const bool backends = report.kind == "backend";
  std::string out =
      StrCat("<table><tr><th>", Html(report.kind), "</th>",
             backends ? "<th class=t>state</th>" : "",
             "<th>calls</th><th>pending</th><th>failed</th><th>average us</th>"
             "<th>p50</th><th>p90</th><th>p99</th><th>max</th>"
             "<th class=t>errors</th></tr>\n");
  for (const StatsReport::Row& row : report.rows) {
    const Histogram& h = row.latency;
    StrAppend(&out, "<tr><td>", Html(row.name), "</td>");
    if (backends) StrAppend(&out, "<td class=t>", Html(row.state), "</td>");
    StrAppend(&out, "<td>", row.calls, "</td><td>", row.pending, "</td><td>",
              row.failed(), "</td><td>", absl::StrFormat("%.1f", h.mean() / 1e3),
              "</td><td>", Micros(h.Percentile(50)), "</td><td>",
              Micros(h.Percentile(90)), "</td><td>", Micros(h.Percentile(99)),
              "</td><td>", Micros(h.greatest()), "</td><td class=t>", Errors(row),
              "</td></tr>\n");
  }
  return out + "</table>\n";
}

std::string SlowTable(const StatsReport& report) {
  if (report.slow.empty()) return "";
  std::string out =
      "<h2>The last slow calls</h2>\n<table><tr><th>ago</th><th class=t>method</th>"
      "<th class=t>caller</th><th>waited ms</th><th>handler ms</th>"
      "<th class=t>outcome</th></tr>\n";
  for (const SlowCall& call : report.slow) {
    StrAppend(
        &out, "<tr><td>",
        absl::FormatDuration(absl::Trunc(report.now - call.ended, absl::Seconds(1))),
        "</td><td class=t>", Html(call.method), "</td><td class=t>", Html(call.peer),
        "</td><td>", absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(call.queued)),
        "</td><td>", absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(call.handler)),
        "</td><td class=t>", absl::StatusCodeToString(call.code), "</td></tr>\n");
  }
  return out + "</table>\n";
}

void AppendHistogram(const StatsReport& report, const StatsReport::Row& row,
                     std::string* out) {
  const std::string label = StrCat(report.kind, "=\"", Label(row.name), "\"");
  for (double ten = kLeast; ten < kMost * 0.99; ten *= 10) {
    for (const double step : kSteps) {
      const double bound = ten * step;
      absl::StrAppendFormat(out, "skep_call_seconds_bucket{%s,le=\"%g\"} %d\n", label,
                            bound,
                            row.latency.CountBelow(static_cast<uint64_t>(bound * 1e9)));
    }
  }
  absl::StrAppendFormat(out, "skep_call_seconds_bucket{%s,le=\"+Inf\"} %d\n", label,
                        row.latency.count());
  absl::StrAppendFormat(out, "skep_call_seconds_sum{%s} %g\n", label,
                        static_cast<double>(row.latency.sum()) / 1e9);
  absl::StrAppendFormat(out, "skep_call_seconds_count{%s} %d\n", label,
                        row.latency.count());
}

}  // namespace

std::string StatsHtml(const StatsReport& report) {
  return StrCat(
      "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"refresh\" content=\"2\"><title>",
      Html(report.title), "</title><style>", kStyle, "</style></head><body>\n<h1>",
      Html(report.title), "</h1>\n<p>Up for ",
      absl::FormatDuration(absl::Trunc(report.now - report.started, absl::Seconds(1))),
      ", ", report.connections, " connections, ", report.unknown,
      " calls of what is not served here. Latencies in microseconds, since the start. "
      "<a href=\"/metrics\">For Prometheus</a></p>\n",
      CallTable(report), SlowTable(report), "</body></html>\n");
}

std::string StatsPrometheus(const StatsReport& report) {
  std::string out;
  const auto family = [&out](const char* name, const char* type, const char* help) {
    StrAppend(&out, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  };
  family("skep_uptime_seconds", "gauge", "Since the server started.");
  absl::StrAppendFormat(&out, "skep_uptime_seconds %.3f\n",
                        absl::ToDoubleSeconds(report.now - report.started));
  family("skep_connections", "gauge", "Connections of clients.");
  StrAppend(&out, "skep_connections ", report.connections, "\n");
  family("skep_unknown_calls_total", "counter", "Calls of what is not served here.");
  StrAppend(&out, "skep_unknown_calls_total ", report.unknown, "\n");
  const auto label = [&report](const StatsReport::Row& row) {
    return StrCat("{", report.kind, "=\"", Label(row.name), "\"");
  };
  family("skep_calls_pending", "gauge", "Calls begun and not ended.");
  for (const StatsReport::Row& row : report.rows) {
    StrAppend(&out, "skep_calls_pending", label(row), "} ", row.pending, "\n");
  }
  family("skep_calls_total", "counter", "Calls ended, by status code.");
  for (const StatsReport::Row& row : report.rows) {
    for (size_t code = 0; code < kStatusCodes; ++code) {
      if (code > 0 && row.ended[code] == 0) continue;
      StrAppend(&out, "skep_calls_total", label(row), ",code=\"", NameOf(code), "\"} ",
                row.ended[code], "\n");
    }
  }
  if (report.kind == "backend") {
    family("skep_backend_up", "gauge", "Whether it gets calls.");
    for (const StatsReport::Row& row : report.rows) {
      StrAppend(&out, "skep_backend_up", label(row), "} ", row.state == "up" ? 1 : 0,
                "\n");
    }
  }
  family("skep_call_seconds", "histogram", "How long calls took.");
  for (const StatsReport::Row& row : report.rows) AppendHistogram(report, row, &out);
  return out;
}

HttpPages StatsPages(std::function<StatsReport()> take) {
  HttpPages pages;
  pages["/"] = [take](const std::string&) {
    return HttpResponse{.content_type = "text/html; charset=utf-8",
                        .body = StatsHtml(take())};
  };
  pages["/metrics"] = [take](const std::string&) {
    return HttpResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = StatsPrometheus(take())};
  };
  return pages;
}

}  // namespace skep
