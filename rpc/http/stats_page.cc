#include "rpc/http/stats_page.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/plural.h"
#include "base/strings.h"
#include "rpc/http/sparkline.h"
#include "rpc/http/stats_assets.h"

namespace skep {
namespace {

std::string Html(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string NameOf(size_t code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

std::string TimeOf(absl::Duration duration) {
  return ShortTime(static_cast<double>(absl::ToInt64Nanoseconds(duration)));
}

std::string Ago(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Seconds(1)));
}

template <typename Point, typename Member>
std::vector<double> Values(const std::deque<Point>& points, Member member) {
  std::vector<double> values;
  for (const Point& point : points) values.push_back(point.*member);
  return values;
}

// A figure and the two minutes behind it.
template <typename Member>
std::string Tile(const std::string& label, const std::string& value,
                 const StatsHistory& history, Member member, const char* style = "",
                 bool bad = false) {
  return StrCat(
      "<div class=\"tile", bad ? " bad" : "", "\"><span>", label, "</span><b>", value,
      "</b>",
      Sparkline(Values(history.server(), member), style, {.width = 190, .height = 34}),
      "</div>\n");
}

std::string Tiles(const StatsReport& report, const StatsHistory& history,
                  const ProcessStats& process) {
  using Point = StatsHistory::ServerPoint;
  const Point now = history.server().empty() ? Point() : history.server().back();
  int64_t pending = 0;
  for (const StatsReport::Row& row : report.rows) pending += row.pending;
  std::string out = "<div class=\"tiles\">\n";
  out += Tile("calls a second", ShortNumber(now.calls_per_second), history,
              &Point::calls_per_second);
  out += Tile("failed a second", ShortNumber(now.failed_per_second), history,
              &Point::failed_per_second, "red", now.failed_per_second > 0);
  out += Tile("median, last second", ShortTime(now.p50), history, &Point::p50);
  out += Tile("p99, last second", ShortTime(now.p99), history, &Point::p99);
  out += Tile("pending", ShortNumber(static_cast<double>(pending)), history,
              &Point::pending);
  out += Tile("connections", ShortNumber(report.connections), history,
              &Point::connections);
  out += Tile("CPU, cores", absl::StrFormat("%.2f", now.cpu), history, &Point::cpu);
  out += Tile("memory", ShortBytes(static_cast<double>(process.resident_bytes)),
              history, &Point::resident_bytes);
  return out + "</div>\n";
}

std::string Errors(const StatsReport::Row& row) {
  std::string text;
  for (size_t code = 1; code < kStatusCodes; ++code) {
    if (row.ended[code] == 0) continue;
    StrAppend(&text, "<span class=\"chip err\">", NameOf(code), " ",
              GroupedNumber(row.ended[code]), "</span>");
  }
  return text;
}

std::string CallTable(const std::string& kind,
                      const std::vector<StatsReport::Row>& rows,
                      const StatsHistory& history) {
  if (rows.empty()) {
    return "<p class=\"empty\">Nothing is measured here.</p>\n";
  }
  const bool backends = kind == "backend";
  std::string out = StrCat(
      "<div class=\"scroll\"><table><tr><th class=\"t\">", Html(kind), "</th>",
      backends ? "<th class=\"t\">state</th>" : "",
      "<th>calls/s</th><th class=\"t\">two minutes</th><th>calls</th><th>pending</th>"
      "<th>failed</th><th class=\"t\">latency, 1 us to 100 s</th><th>median</th>"
      "<th>p90</th><th>p99</th><th>p99.9</th><th>max</th><th class=\"t\">errors</th>"
      "</tr>\n");
  for (const StatsReport::Row& row : rows) {
    const Histogram& h = row.latency;
    const std::deque<StatsHistory::Point>* const points = history.Of(row.name);
    StrAppend(&out, "<tr><td class=\"t name\">", Html(row.name), "</td>");
    if (backends && row.state.empty()) {
      out += "<td></td>";
    } else if (backends) {
      StrAppend(&out, "<td class=\"t\"><span class=\"chip ", Html(row.state), "\">",
                Html(row.state), "</span></td>");
    }
    const std::string held =
        row.held_errors == 0 ? "" : StrCat(" + ", row.held_errors, " errors");
    StrAppend(
        &out, "<td>",
        points == nullptr ? "0" : ShortNumber(points->back().calls_per_second),
        "</td><td>",
        points == nullptr
            ? ""
            : Sparkline(Values(*points, &StatsHistory::Point::calls_per_second), ""),
        "</td><td>", GroupedNumber(row.calls), "</td><td>", row.pending, held,
        "</td><td>", GroupedNumber(row.failed()), "</td><td>", LatencyBar(h));
    for (const double percent : {50.0, 90.0, 99.0, 99.9, 100.0}) {
      StrAppend(&out, "</td><td>",
                ShortTime(static_cast<double>(h.Percentile(percent))));
    }
    StrAppend(&out, "</td><td class=\"t\">", Errors(row), "</td></tr>\n");
  }
  return out + "</table></div>\n";
}

// The shapes of the latencies, to be opened.
std::string Shapes(const StatsReport& report) {
  std::string out;
  for (const StatsReport::Row& row : report.rows) {
    if (row.latency.count() == 0) continue;
    StrAppend(&out, "<details id=\"d-", Html(row.name), "\"><summary>", Html(row.name),
              " <small>", GroupedNumber(row.latency.count()),
              row.latency.count() == 1 ? " call, average " : " calls, average ",
              ShortTime(row.latency.mean()), ", least ",
              ShortTime(static_cast<double>(row.latency.least())),
              "</small></summary>\n", LatencyShape(row.latency), "</details>\n");
  }
  return out;
}

std::string SlowTable(const StatsReport& report) {
  if (report.slow_rule.empty()) return "";
  std::string out =
      StrCat("<h2>Slow calls <small>", Html(report.slow_rule), "</small></h2>\n");
  if (report.slow.empty()) {
    return out + "<p class=\"empty\">None so far.</p>\n";
  }
  // A balancer's calls have two stages only: in its queue, and at the backend.
  const bool backends = report.kind == "backend";
  const size_t stages = backends ? 2 : 4;
  const std::array<std::pair<const char*, const char*>, 4> names = {
      {{"q", "waited"},
       {"h", backends ? "backend" : "handler"},
       {"e", "encoding the reply"},
       {"w", "until the socket had it"}}};
  out += "<p>";
  for (size_t i = 0; i < stages; ++i) {
    StrAppend(&out, "<span class=\"key\"><i class=\"", names[i].first, "\"></i>",
              names[i].second, "</span>");
  }
  StrAppend(&out,
            "</p>\n<div class=\"scroll\"><table><tr><th>ago</th><th>took</th>"
            "<th class=\"t\">stages</th><th>waited</th><th>",
            names[1].second, "</th>",
            backends ? "" : "<th>encoding</th><th>socket</th>",
            "<th class=\"t\">method</th>", backends ? "<th class=\"t\">at</th>" : "",
            "<th class=\"t\">caller</th>",
            backends ? "" : "<th>request</th><th>reply</th><th class=\"t\">trace</th>",
            "<th class=\"t\">outcome</th></tr>\n");
  for (const SlowCall& call : report.slow) {
    const double total = std::max(1.0, absl::ToDoubleNanoseconds(call.total()));
    const absl::Duration times[] = {call.queued, call.handler, call.encoding,
                                    call.writing};
    StrAppend(&out, "<tr><td>", Ago(report.now - call.ended), "</td><td>",
              TimeOf(call.total()), "</td><td class=\"t\"><div class=\"stages\">");
    for (size_t i = 0; i < stages; ++i) {
      absl::StrAppendFormat(&out, "<i class=\"%s\" style=\"width:%.1f%%\"></i>",
                            names[i].first,
                            100 * absl::ToDoubleNanoseconds(times[i]) / total);
    }
    out += "</div>";
    for (size_t i = 0; i < stages; ++i) {
      StrAppend(&out, "</td><td>", TimeOf(times[i]));
    }
    StrAppend(&out, "</td><td class=\"t\">", Html(call.method), "</td>");
    if (backends) {
      StrAppend(&out, "<td class=\"t\">",
                call.backend.empty() ? "none" : Html(call.backend), "</td>");
    }
    StrAppend(&out, "<td class=\"t\">", Html(call.peer), "</td>");
    if (!backends) {
      StrAppend(&out, "<td>", ShortBytes(static_cast<double>(call.request_bytes)),
                "</td><td>", ShortBytes(static_cast<double>(call.reply_bytes)),
                "</td><td class=\"t\">",
                call.trace == 0 ? std::string() : absl::StrFormat("%016x", call.trace),
                "</td>");
    }
    StrAppend(&out, "<td class=\"t\"><span class=\"chip ",
              call.code == absl::StatusCode::kOk ? "ok" : "err", "\">",
              absl::StatusCodeToString(call.code), "</span></td></tr>\n");
  }
  return out + "</table></div>\n";
}

std::string Sections(const StatsReport& report) {
  std::string out;
  for (const StatsReport::Section& section : report.sections) {
    StrAppend(&out, "<h2>", Html(section.title));
    if (!section.page.empty()) {
      StrAppend(&out, " <small><a href=\"", Html(section.page), "\">",
                Html(section.page), "</a></small>");
    }
    out += "</h2>\n<div class=\"figures\">\n";
    for (const StatsReport::Figure& figure : section.figures) {
      StrAppend(&out, "<div><span>", Html(figure.label), "</span>",
                figure.value < 1e15 && figure.value >= 0
                    ? GroupedNumber(static_cast<uint64_t>(figure.value))
                    : absl::StrFormat("%g", figure.value),
                "</div>\n");
    }
    out += "</div>\n";
  }
  return out;
}

}  // namespace

std::string StatsHtml(const StatsReport& report, const StatsHistory& history,
                      const ProcessStats& process) {
  return StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript><title>",
      Html(report.title), "</title>\n<style>", kStatsStyle,
      "</style></head><body>\n<div id=\"lost\"></div>\n<main>\n<header><h1>",
      Html(report.title), "</h1><span class=\"dim\">up for ",
      Ago(report.now - report.started), ", ", Counted(process.threads, "thread"), ", ",
      Counted(process.open_descriptors, "descriptor"),
      report.unknown == 0 ? ""
                          : StrCat(", ", GroupedNumber(report.unknown),
                                   " calls of what is not served here"),
      "</span></header>\n", Tiles(report, history, process), "<h2>",
      report.kind == "backend" ? "Backends" : "Methods",
      " <small>latencies since the start</small></h2>\n",
      CallTable(report.kind, report.rows, history), Shapes(report),
      report.methods.empty()
          ? ""
          : StrCat("<h2>Methods <small>calls that have ended</small></h2>\n",
                   CallTable("method", report.methods, history)),
      SlowTable(report), Sections(report),
      "</main>\n<footer><a href=\"/metrics\">/metrics</a> for Prometheus; in a "
      "terminal: <code>skep rpc top</code> with this address</footer>\n<script>",
      kStatsScript, "</script></body></html>\n");
}

}  // namespace skep
