#include "tools/top/top_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/strings.h"

namespace skep {
namespace {

struct MetricLine {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;

  std::string Label(std::string_view name) const {
    for (const auto& [key, label] : labels) {
      if (key == name) return label;
    }
    return "";
  }
};

// `name{a="b",c="d"} 12`, with \\, \" and \n in values. None if it is no such line.
std::optional<MetricLine> ParseLine(std::string_view text) {
  MetricLine line;
  size_t at = text.find_first_of("{ ");
  if (at == 0 || at == std::string_view::npos) return std::nullopt;
  line.name = text.substr(0, at);
  if (text[at] == '{') {
    ++at;
    while (at < text.size() && text[at] != '}') {
      const size_t equals = text.find("=\"", at);
      if (equals == std::string_view::npos) return std::nullopt;
      std::string key(text.substr(at, equals - at)), value;
      for (at = equals + 2; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) {
          ++at;
          value += text[at] == 'n' ? '\n' : text[at];
        } else {
          value += text[at];
        }
      }
      line.labels.emplace_back(std::move(key), std::move(value));
      ++at;
      if (at < text.size() && text[at] == ',') ++at;
    }
    ++at;
  }
  if (at >= text.size() || text[at] != ' ') return std::nullopt;
  const std::string number(text.substr(at + 1));
  char* end = nullptr;
  line.value = std::strtod(number.c_str(), &end);
  if (end == number.c_str() || *end != '\0') return std::nullopt;
  return line;
}

void Put(const MetricLine& line, MetricsSample* sample) {
  if (line.name == "skep_uptime_seconds") sample->uptime = line.value;
  if (line.name == "skep_connections") sample->connections = line.value;
  if (line.name == "process_cpu_seconds_total") sample->cpu_seconds = line.value;
  if (line.name == "process_resident_memory_bytes") sample->resident_bytes = line.value;
  if (line.labels.empty()) return;
  // A balancer's calls by method would count them twice.
  if (line.name.starts_with("skep_method_")) return;
  const auto& [kind, name] = line.labels[0];
  if (kind != "method" && kind != "backend") return;
  sample->kind = kind;
  MetricsSample::Row& row = sample->rows[name];
  if (line.name == "skep_calls_pending") row.pending = line.value;
  if (line.name == "skep_backend_up") row.up = line.value > 0;
  if (line.name == "skep_calls_total") {
    row.ended += line.value;
    if (line.Label("code") != "OK") row.failed += line.value;
  }
  if (line.name == "skep_call_duration_seconds_bucket") {
    row.buckets[std::strtod(line.Label("le").c_str(), nullptr)] = line.value;
  }
}

// The value of nearest rank, within its bucket by interpolation between the logarithms
// of its bounds; in seconds.
double Percentile(const std::map<double, double>& buckets, double percent) {
  if (buckets.empty() || buckets.rbegin()->second <= 0) return 0;
  const double rank = percent / 100 * buckets.rbegin()->second;
  double lower = 0, below = 0;
  for (const auto& [bound, count] : buckets) {
    if (count >= rank && count > below) {
      if (std::isinf(bound)) return lower;
      const double low = lower > 0 ? lower : bound / 2;
      return low * std::pow(bound / low, (rank - below) / (count - below));
    }
    lower = bound;
    below = count;
  }
  return lower;
}

double CoresUsed(const MetricsSample& before, const MetricsSample& after) {
  const double seconds = after.uptime - before.uptime;
  return seconds <= 0 ? 0 : (after.cpu_seconds - before.cpu_seconds) / seconds;
}

}  // namespace

absl::StatusOr<MetricsSample> ParseMetrics(std::string_view text) {
  MetricsSample sample;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(text), '\n')) {
    const std::string_view line = ToStd(part);
    if (line.empty() || line[0] == '#') continue;
    const std::optional<MetricLine> parsed = ParseLine(line);
    if (!parsed) return DataLoss("this is no line of metrics: \"", line, "\"");
    Put(*parsed, &sample);
  }
  if (sample.uptime == 0) {
    return DataLoss("there is no skep_uptime_seconds: this is no page of skep's");
  }
  return sample;
}

std::vector<TopRow> Compare(const MetricsSample& before, const MetricsSample& after) {
  const bool restarted = after.uptime < before.uptime;
  const double seconds = restarted ? after.uptime : after.uptime - before.uptime;
  std::vector<TopRow> rows;
  for (const auto& [name, now] : after.rows) {
    MetricsSample::Row was;
    const auto known = before.rows.find(name);
    if (!restarted && known != before.rows.end()) was = known->second;
    TopRow row;
    row.name = name;
    if (after.kind == "backend") row.state = now.up ? "up" : "down";
    row.pending = now.pending;
    if (seconds > 0) {
      row.calls_per_second = (now.ended - was.ended) / seconds;
      row.failed_per_second = (now.failed - was.failed) / seconds;
    }
    std::map<double, double> buckets = now.buckets;
    for (auto& [bound, count] : buckets) count -= was.buckets[bound];
    row.p50_us = Percentile(buckets, 50) * 1e6;
    row.p99_us = Percentile(buckets, 99) * 1e6;
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const TopRow& a, const TopRow& b) {
    return a.calls_per_second > b.calls_per_second;
  });
  return rows;
}

std::string TopScreen(const std::string& address, const MetricsSample& before,
                      const MetricsSample& after, TopSize size) {
  const std::vector<TopRow> rows = Compare(before, after);
  double calls = 0, failed = 0, pending = 0;
  for (const TopRow& row : rows) {
    calls += row.calls_per_second;
    failed += row.failed_per_second;
    pending += row.pending;
  }
  const std::string head[] = {
      absl::StrFormat("%s   up %s", address,
                      absl::FormatDuration(
                          absl::Trunc(absl::Seconds(after.uptime), absl::Seconds(1)))),
      absl::StrFormat(
          "%.0f calls/s   %.0f failed/s   %.0f pending   %.0f connections   "
          "%.2f cores   %.1f MiB",
          calls, failed, pending, after.connections, CoresUsed(before, after),
          after.resident_bytes / (1 << 20))};
  const auto width = static_cast<size_t>(std::max(size.columns, 20));
  std::string out;
  for (const std::string& line : head) out += line.substr(0, width) + "\n";
  out += "\n";
  // The names take what the numbers leave; the last columns go first where it is
  // narrow.
  constexpr size_t kNumber = 12;
  const size_t numbers = std::min<size_t>(5, width < 32 ? 1 : (width - 20) / kNumber);
  const size_t names = std::clamp<size_t>(width - numbers * kNumber, 12, 60);
  const auto line_of = [&](const std::string& name,
                           const std::array<std::string, 5>& cells) {
    std::string line = absl::StrFormat("%-*s", names, name.substr(0, names));
    for (size_t i = 0; i < numbers; ++i) line += absl::StrFormat("%12s", cells[i]);
    return line.substr(0, width);
  };
  const auto coloured = [](const char* colour, const std::string& line) {
    return StrCat(colour, line, "\x1b[0m\n");
  };
  out += coloured("\x1b[7m",
                  line_of(after.kind == "backend" ? "BACKEND" : "METHOD",
                          {"CALLS/S", "FAILED/S", "PENDING", "MEDIAN us", "P99 us"}));
  const size_t room = static_cast<size_t>(std::max(size.lines, 8)) - 6;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i >= room && rows.size() > room + 1) {
      out += absl::StrFormat("and %d more\n", rows.size() - i);
      break;
    }
    const TopRow& row = rows[i];
    const bool bad = row.state == "down" || row.failed_per_second > 0;
    const std::string line = line_of(
        (row.state == "down" ? "(down) " : "") + row.name,
        {absl::StrFormat("%.1f", row.calls_per_second),
         absl::StrFormat("%.1f", row.failed_per_second),
         absl::StrFormat("%.0f", row.pending), absl::StrFormat("%.1f", row.p50_us),
         absl::StrFormat("%.1f", row.p99_us)});
    out += bad ? coloured("\x1b[31m", line) : line + "\n";
  }
  return out;
}

std::string TopJson(absl::Time now, const MetricsSample& before,
                    const MetricsSample& after) {
  nlohmann::ordered_json json;
  json["time"] = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone());
  json["uptime_s"] = after.uptime;
  json["connections"] = after.connections;
  json["cores"] = CoresUsed(before, after);
  json["resident_bytes"] = after.resident_bytes;
  json["kind"] = after.kind;
  json["rows"] = nlohmann::ordered_json::array();
  for (const TopRow& row : Compare(before, after)) {
    nlohmann::ordered_json one = {{"name", row.name},
                                  {"calls_per_s", row.calls_per_second},
                                  {"failed_per_s", row.failed_per_second},
                                  {"pending", row.pending},
                                  {"p50_us", row.p50_us},
                                  {"p99_us", row.p99_us}};
    if (!row.state.empty()) one["state"] = row.state;
    json["rows"].push_back(std::move(one));
  }
  return json.dump() + "\n";
}

std::string TopLines(absl::Time now, const MetricsSample& before,
                     const MetricsSample& after) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", now, absl::UTCTimeZone());
  std::string out;
  for (const TopRow& row : Compare(before, after)) {
    if (row.calls_per_second == 0 && row.pending == 0 && row.state.empty()) continue;
    StrAppend(&out, time, " ", after.kind, "=", row.name,
              row.state.empty() ? "" : " state=" + row.state);
    absl::StrAppendFormat(
        &out,
        " calls_per_s=%.1f failed_per_s=%.1f pending=%.0f p50_us=%.1f p99_us=%.1f\n",
        row.calls_per_second, row.failed_per_second, row.pending, row.p50_us,
        row.p99_us);
  }
  if (out.empty()) {
    out = absl::StrFormat("%s idle connections=%.0f\n", time, after.connections);
  }
  return out;
}

}  // namespace skep
