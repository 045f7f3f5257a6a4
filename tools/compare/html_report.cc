#include "tools/compare/html_report.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/strings.h"

namespace skep {
namespace {

constexpr char kStyle[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d8dee4;"
    "--ground:#f6f8fa;--card:#ffffff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9aa4af;"
    "--line:#2b323a;--ground:#0d1117;--card:#14181d}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:1080px;padding:1.5rem 1rem 4rem;color:var(--ink);"
    "background:var(--ground);font:15px/1.5 system-ui,-apple-system,'Segoe UI',"
    "sans-serif}"
    "h1{font-size:1.5rem;margin:.2em 0 .6em}h2{font-size:1.15rem;margin:2em 0 .5em}"
    "p{max-width:46em}"
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px;"
    "background:var(--card);margin:1em 0}"
    "table{border-collapse:collapse;min-width:55%;font-variant-numeric:tabular-nums}"
    "td,th{padding:.4em .7em;border-bottom:1px solid var(--line);text-align:left;"
    "white-space:nowrap}tr:last-child td{border-bottom:0}"
    "th{color:var(--dim);font-weight:600;font-size:.85em}"
    ".n{text-align:right}"
    "caption{caption-side:bottom;color:var(--dim);font-size:.85em;padding:.6em;"
    "text-align:left}"
    ".env td{font-size:.9em}.env td,.text td{white-space:normal}"
    ".env td:first-child,.text td:first-child{color:var(--dim);"
    "white-space:nowrap;width:1%}"
    ".plot{border:1px solid var(--line);border-radius:6px;background:var(--card);"
    "margin:1em 0;overflow-x:auto}.plot svg{display:block;margin:auto;min-width:600px}";

bool LooksLikeNumber(const std::string& cell) {
  const size_t at = cell.find_first_not_of("+-<>=~ ");
  return at != std::string::npos &&
         (std::isdigit(static_cast<unsigned char>(cell[at])) ||
          (cell[at] == '.' && cell.size() > at + 1));
}

bool IsKnown(const std::string& cell) { return !cell.empty() && cell != "-"; }

// A column is one of numbers if the first cell that is known is one.
bool IsNumeric(const ReportTable& table, size_t column) {
  for (const auto& row : table.rows) {
    if (column < row.size() && IsKnown(row[column]))
      return LooksLikeNumber(row[column]);
  }
  return false;
}

bool IsEmpty(const ReportTable& table, size_t column) {
  for (const auto& row : table.rows) {
    if (column < row.size() && IsKnown(row[column])) return false;
  }
  return !table.rows.empty();
}

}  // namespace

HtmlReport::HtmlReport(std::string title) : title_(std::move(title)) {}

void HtmlReport::Environment(
    const std::vector<std::pair<std::string, std::string>>& lines) {
  body_ += "<div class=\"scroll env\"><table>\n";
  for (const auto& [name, value] : lines) {
    StrAppend(&body_, "<tr><td>", EscapeXml(name), "</td><td>", EscapeXml(value),
              "</td></tr>\n");
  }
  body_ += "</table></div>\n";
}

void HtmlReport::Section(const std::string& title) {
  StrAppend(&body_, "<h2>", EscapeXml(title), "</h2>\n");
}

void HtmlReport::Paragraph(const std::string& text) {
  StrAppend(&body_, "<p>", EscapeXml(text), "</p>\n");
}

void HtmlReport::Table(const ReportTable& table) {
  const auto cell = [this](const char* tag, bool right, const std::string& text) {
    StrAppend(&body_, "<", tag, right ? " class=\"n\">" : ">", EscapeXml(text), "</",
              tag, ">");
  };
  StrAppend(&body_, "<div class=\"scroll", table.text ? " text" : "", "\"><table>");
  if (!table.caption.empty()) {
    StrAppend(&body_, "<caption>", EscapeXml(table.caption), "</caption>");
  }
  body_ += "\n<tr>";
  std::vector<bool> empty, numeric;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    empty.push_back(IsEmpty(table, i));
    numeric.push_back(IsNumeric(table, i));
    if (!empty[i]) cell("th", numeric[i] && !table.text, table.columns[i]);
  }
  body_ += "</tr>\n";
  for (const auto& row : table.rows) {
    body_ += "<tr>";
    for (size_t i = 0; i < std::min(row.size(), empty.size()); ++i) {
      if (empty[i]) continue;
      cell("td",
           !table.text && (LooksLikeNumber(row[i]) || (numeric[i] && row[i] == "-")),
           row[i]);
    }
    body_ += "</tr>\n";
  }
  body_ += "</table></div>\n";
}

void HtmlReport::Plot(const LinePlot& plot) {
  StrAppend(&body_, "<div class=\"plot\">", PlotSvg(plot), "</div>\n");
}
void HtmlReport::Plot(const BarPlot& plot) {
  StrAppend(&body_, "<div class=\"plot\">", PlotSvg(plot), "</div>\n");
}

std::string HtmlReport::Finish() const {
  return StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<title>",
      EscapeXml(title_), "</title>\n<style>", kStyle, "</style></head><body>\n<h1>",
      EscapeXml(title_), "</h1>\n", body_, "</body></html>\n");
}

}  // namespace skep
