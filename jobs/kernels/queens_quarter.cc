#include "jobs/kernels/queens_quarter.h"

#include <bit>

namespace skep {
namespace {

// Extends a placement by queens in the rows that are left, one after the other.
class Extension {
 public:
  Extension(int side, std::vector<QueensQuarterRows::Placed>* out)
      : all_((1u << side) - 1), falling_(uint64_t{1} << (side - 1)), out_(*out) {}

  // `row` is the one that `rising` and `falling`, the columns that are attacked along
  // diagonals, are of.
  void Place(uint32_t rows, int row, uint32_t taken, uint32_t rising, uint32_t falling,
             QueensDiagonals diagonals) {
    if (rows == 0) {
      out_.push_back({taken, diagonals});
      return;
    }
    const int next = std::countr_zero(rows);
    rising >>= next - row;
    falling <<= next - row;
    for (uint32_t free = all_ & ~(taken | rising | falling); free != 0;
         free &= free - 1) {
      const uint32_t queen = free & -free;
      const int column = std::countr_zero(free);
      Place(
          rows & (rows - 1), next, taken | queen, rising | queen, falling | queen,
          diagonals | falling_ << next >> column | uint64_t{1} << (32 + next + column));
    }
  }

 private:
  const uint32_t all_;
  const QueensDiagonals falling_;  // of a queen in row and column 0
  std::vector<QueensQuarterRows::Placed>& out_;
};

}  // namespace

void QueensQuarterRows::Make(int side, uint32_t rows, std::vector<Placed>* work_space) {
  work_space->clear();
  Extension(side, work_space).Place(rows, 0, 0, 0, 0, 0);
  begins_.assign((size_t{1} << side) + 1, 0);
  // Where each set of columns begins, one place ahead: what moves the begin of a set
  // while its placements are put there ends where the next begins.
  for (const Placed& placed : *work_space) ++begins_[placed.columns + 1];
  uint32_t begin = 0;
  for (size_t i = 1; i < begins_.size(); ++i) {
    const uint32_t size = begins_[i];
    begins_[i] = begin;
    begin += size;
  }
  placements_.resize(work_space->size());
  for (const Placed& placed : *work_space) {
    placements_[begins_[placed.columns + 1]++] = placed.diagonals;
  }
}

QueensQuarter::QueensQuarter(int side, int max_table_side) : side_(side) {
  if (side > max_table_side) return;
  std::vector<QueensQuarterRows::Placed> work_space;
  table_.resize(size_t{1} << side);
  for (uint32_t rows = 0; rows < table_.size(); ++rows) {
    table_[rows].Make(side, rows, &work_space);
  }
}

const QueensQuarterRows& QueensQuarter::Find(uint32_t rows, Made* made) const {
  if (!table_.empty()) return table_[rows];
  if (!made->any || made->rows != rows) {
    made->placements.Make(side_, rows, &made->work_space);
    made->rows = rows;
    made->any = true;
  }
  return made->placements;
}

size_t QueensQuarter::memory_used() const {
  size_t bytes = 0;
  for (const QueensQuarterRows& rows : table_) bytes += rows.memory_used();
  return bytes;
}

}  // namespace skep
