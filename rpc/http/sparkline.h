// Small drawings inside a page of text: inline SVG, coloured by the page's style.

#ifndef SKEP_RPC_HTTP_SPARKLINE_H_
#define SKEP_RPC_HTTP_SPARKLINE_H_

#include <string>
#include <vector>

#include "base/histogram.h"

namespace skep {

struct SparklineSize {
  int width = 120;
  int height = 28;
  size_t points = 120;  // that fill the width; fewer are drawn at the right
};
// A line from zero to the greatest value, filled below. `style` is the CSS class.
std::string Sparkline(const std::vector<double>& values, const char* style,
                      SparklineSize size = {});

// Where calls' latencies are between 1 us and 100 s, on a logarithmic axis: a bar up to
// the median, lighter ones up to p90 and p99, a tick at the greatest.
std::string LatencyBar(const Histogram& nanoseconds);

// How many calls took how long, on a logarithmic axis with marks at powers of ten.
std::string LatencyShape(const Histogram& nanoseconds);

// "12.3 us", "4 ms", "1.5 s"; "-" for none.
std::string ShortTime(double nanoseconds);
// "950", "12.3k", "4M".
std::string ShortNumber(double value);
// "12.3 KiB".
std::string ShortBytes(double bytes);
// "1,234,567".
std::string GroupedNumber(uint64_t value);

}  // namespace skep

#endif  // SKEP_RPC_HTTP_SPARKLINE_H_
