// Where the values of a plot's axis lie, and which of them are written beside it.
// Internal to svg_plot.cc.

#ifndef SKEP_TOOLS_COMPARE_PLOT_AXIS_H_
#define SKEP_TOOLS_COMPARE_PLOT_AXIS_H_

#include <string>
#include <vector>

#include "tools/compare/svg_plot.h"

namespace skep {

class PlacedAxis {
 public:
  // Whether a linear axis begins at zero.
  enum class Zero {
    kYes,     // whatever the values
    kNearby,  // unless all values are far from it
    kNo,
  };
  // `values` are to be shown between the places `from` and `to`; values that are not
  // finite are left out.
  PlacedAxis(PlotScale scale, const std::vector<double>& values, double from, double to,
             Zero zero);

  double At(double value) const;
  double low() const { return low_; }
  double high() const { return high_; }
  // At most about ten, ascending.
  std::vector<double> Ticks() const;
  std::string TickText(double value, PlotUnit unit) const;

 private:
  double Place(double value) const;  // on the scale

  PlotScale scale_;
  double low_ = 0;
  double high_ = 1;
  double from_;
  double to_;
};

}  // namespace skep

#endif  // SKEP_TOOLS_COMPARE_PLOT_AXIS_H_
