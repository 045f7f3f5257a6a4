// A box is a vector of 16 lanes, a band one of the placements of each digit in it, and
// every step is the same few vector operations whatever the grid is: no table is asked
// where a digit is. Boxes of cells and of what their triads miss, and bands of
// placements, are the idea of tdoku.

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstring>

#include "jobs/kernels/sudoku_search.h"

namespace skep {
namespace {

// Digits are bits 0 to 8. A box is four rows of four lanes:
//
//     c c c h     c: the digits that the cell may still hold
//     c c c h     h: those that may still be missing from the cells of the row
//     c c c h     v: those that may still be missing from the cells of the column
//     v v v -     -: all of them
//
// Each digit is in exactly one lane of each of the first three rows and columns. A cell
// holds one digit, and from three cells six are missing.
typedef uint16_t Box __attribute__((vector_size(32)));
// Of a band of three boxes: by lane, the digits that may still be placed so. A digit
// stands in another row of each box: in row (box - lane) mod 3 for lanes 0 to 2,
// (lane - box) mod 3 for lanes 3 to 5. Three boxes above each other are a band too,
// of columns.
typedef uint16_t Half __attribute__((vector_size(16)));

struct alignas(64) Grid {
  Box boxes[9];
  Half bands[2][3];  // [direction]: 0 of rows, 1 of columns
};

constexpr int kBoxRow[9] = {0, 0, 0, 1, 1, 1, 2, 2, 2};
constexpr int kBoxColumn[9] = {0, 1, 2, 0, 1, 2, 0, 1, 2};

constexpr uint16_t D = 0x1ff;  // all digits
using Lanes = std::array<uint16_t, 16>;
alignas(32) constexpr Lanes kAll = {D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D};
alignas(32) constexpr Lanes kAllButLast = {D, D, D, D, D, D, D, D,
                                           D, D, D, D, D, D, D, 0};
alignas(32) constexpr Lanes kCells = {D, D, D, 0, D, D, D, 0, D, D, D, 0, 0, 0, 0, 0};
// How many digits there are in a lane at least.
alignas(32) constexpr Lanes kLeast = {1, 1, 1, 6, 1, 1, 1, 6, 1, 1, 1, 6, 6, 6, 6, 0};
// [direction]: what is none of the triads of cells and what is missing from them.
alignas(32) constexpr Lanes kNotTriads[2] = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, D, D, D, D},
    {0, 0, 0, D, 0, 0, 0, D, 0, 0, 0, D, 0, 0, 0, D}};
constexpr Half kPlacements[6] = {{D},          {0, D},          {0, 0, D},
                                 {0, 0, 0, D}, {0, 0, 0, 0, D}, {0, 0, 0, 0, 0, D}};

// Where the bands and their boxes tell each other what they know, as shuffles of the
// bytes of 128 bits: [direction][box in the band].
struct Tables {
  // From placements to the lanes of the box that allow a digit to be there: the union
  // of four shuffles.
  alignas(32) uint8_t allowed[2][3][4][32];
  // By row or column of the box, from its triads to the placements that agree.
  alignas(16) uint8_t offered[2][3][3][16];
};
constexpr uint8_t kNothing = 0x80;

constexpr void SetLane(uint8_t* bytes, int lane, int from) {
  bytes[2 * lane] = static_cast<uint8_t>(2 * from);
  bytes[2 * lane + 1] = static_cast<uint8_t>(2 * from + 1);
}

constexpr Tables MakeTables() {
  Tables t{};
  for (int direction = 0; direction < 2; ++direction) {
    for (int box = 0; box < 3; ++box) {
      for (auto& bytes : t.allowed[direction][box]) {
        for (uint8_t& byte : bytes) byte = kNothing;
      }
      for (auto& bytes : t.offered[direction][box]) {
        for (uint8_t& byte : bytes) byte = kNothing;
      }
      for (int row = 0; row < 3; ++row) {
        // The placements with the digit in this row of the box, and those without.
        const int even = (box - row + 3) % 3, odd = (box + row) % 3;
        const int with[2] = {even, 3 + odd};
        const int without[4] = {(even + 1) % 3, (even + 2) % 3, 3 + (odd + 1) % 3,
                                3 + (odd + 2) % 3};
        for (int i = 0; i < 4; ++i) {
          uint8_t* const bytes = t.allowed[direction][box][i];
          for (int cell = 0; cell < 3 && i < 2; ++cell) {
            SetLane(bytes, direction == 0 ? 4 * row + cell : 4 * cell + row, with[i]);
          }
          SetLane(bytes, direction == 0 ? 4 * row + 3 : 12 + row, without[i]);
        }
        for (int lane = 0; lane < 6; ++lane) {
          // RowOfCells leaves the triad of row r in lane 4 r and what is missing in
          // 4 r + 3 (the upper half begins with row 2); ColumnOfCells, both in the
          // upper half, from lanes 0 and 4.
          const bool is_in = lane == with[0] || lane == with[1];
          SetLane(
              t.offered[direction][box][row], lane,
              direction == 0 ? 4 * (row % 2) + (is_in ? 0 : 3) : row + (is_in ? 0 : 4));
        }
      }
    }
  }
  return t;
}
constexpr Tables kTables = MakeTables();

// The same for machines without such shuffles.
struct Masks {
  // [direction][box in the band][placement]: where it allows a digit to be.
  alignas(32) Lanes allowed[2][3][6];
  // [box in the band][row]: the placements with a digit there.
  alignas(32) Lanes with[3][3];
};
constexpr Masks MakeMasks() {
  Masks m{};
  for (int box = 0; box < 3; ++box) {
    for (int direction = 0; direction < 2; ++direction) {
      for (const auto& bytes : kTables.allowed[direction][box]) {
        for (int lane = 0; lane < 16; ++lane) {
          if (bytes[2 * lane] == kNothing) continue;
          m.allowed[direction][box][bytes[2 * lane] / 2][lane] = D;
        }
      }
    }
    for (int row = 0; row < 3; ++row) {
      m.with[box][row][(box - row + 3) % 3] = D;
      m.with[box][row][3 + (box + row) % 3] = D;
    }
  }
  return m;
}
constexpr Masks kMasks = MakeMasks();

// That in a band `digit` (as a bit; 0: none, the grid is solved) is in `placement`.
struct Guess {
  int direction = 0;
  int band = 0;
  int placement = 0;
  uint16_t digit = 0;
};

// Where a cell is: 16 * box + lane.
constexpr std::array<uint8_t, kSudokuCells> MakePlaces() {
  std::array<uint8_t, kSudokuCells> places{};
  for (int cell = 0; cell < kSudokuCells; ++cell) {
    const int row = cell / 9, column = cell % 9;
    places[cell] = static_cast<uint8_t>(16 * (row / 3 * 3 + column / 3) +
                                        4 * (row % 3) + column % 3);
  }
  return places;
}
constexpr auto kPlaces = MakePlaces();

void Read(std::string_view puzzle, Grid* grid) {
  uint16_t lanes[9 * 16];
  for (uint16_t& lane : lanes) lane = D;
  for (int cell = 0; cell < kSudokuCells; ++cell) {
    const unsigned digit = static_cast<unsigned char>(puzzle[cell]) - '1';
    if (digit < 9) lanes[kPlaces[cell]] = static_cast<uint16_t>(1u << digit);
  }
  std::memcpy(grid->boxes, lanes, sizeof lanes);
  for (auto& bands : grid->bands) {
    for (Half& band : bands) band = Half{D, D, D, D, D, D};
  }
}

// Requires a solved grid.
void Write(const Grid& grid, char* out) {
  uint16_t lanes[9 * 16];
  std::memcpy(lanes, grid.boxes, sizeof lanes);
  for (int cell = 0; cell < kSudokuCells; ++cell) {
    out[cell] = static_cast<char>('1' + std::countr_zero(lanes[kPlaces[cell]]));
  }
}

// GCC unrolls no loop by itself at -O2.
#ifdef __clang__
#define SKEP_UNROLL _Pragma("unroll")
#else
#define SKEP_UNROLL _Pragma("GCC unroll 8")
#endif

namespace plain {
#define SKEP_TARGET
inline Box Counts(Box x) {
  x -= x >> 1 & 0x5555;
  x = (x & 0x3333) + (x >> 2 & 0x3333);
  x = (x + (x >> 4)) & 0x0f0f;
  return (x + (x >> 8)) & 0x1f;
}
inline bool Any(Half x) {
  uint64_t words[2];
  std::memcpy(words, &x, sizeof words);
  return (words[0] | words[1]) != 0;
}
inline bool Any(Box x) {
  uint64_t words[4];
  std::memcpy(words, &x, sizeof words);
  return (words[0] | words[1] | words[2] | words[3]) != 0;
}
#include "jobs/kernels/sudoku_boxes.inc"
#undef SKEP_TARGET
}  // namespace plain

#define SKEP_SHUFFLES

namespace avx2 {
#define SKEP_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
SKEP_TARGET inline Box Shuffle(Box x, const uint8_t* bytes) {
  const __m256i order = _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
  return (Box)_mm256_shuffle_epi8((__m256i)x, order);
}
SKEP_TARGET inline Half Shuffle(Half x, const uint8_t* bytes) {
  const __m128i order = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
  return (Half)_mm_shuffle_epi8((__m128i)x, order);
}
SKEP_TARGET inline Box Counts(Box x) {
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i table = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m256i even = _mm256_and_si256((__m256i)x, low);
  const __m256i odd = _mm256_and_si256((__m256i)(x >> 4), low);
  const __m256i counts = _mm256_add_epi8(_mm256_shuffle_epi8(table, even),
                                         _mm256_shuffle_epi8(table, odd));
  return (Box)_mm256_maddubs_epi16(counts, _mm256_set1_epi8(1));
}
SKEP_TARGET inline bool Any(Half x) {
  return _mm_testz_si128((__m128i)x, (__m128i)x) == 0;
}
SKEP_TARGET inline bool Any(Box x) {
  return _mm256_testz_si256((__m256i)x, (__m256i)x) == 0;
}
#include "jobs/kernels/sudoku_boxes.inc"
#undef SKEP_TARGET
}  // namespace avx2

namespace avx512 {
#define SKEP_TARGET                                            \
  __attribute__((                                              \
      target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vl," \
             "avx512dq,avx512bitalg")))
SKEP_TARGET inline Box Shuffle(Box x, const uint8_t* bytes) {
  const __m256i order = _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
  return (Box)_mm256_shuffle_epi8((__m256i)x, order);
}
SKEP_TARGET inline Half Shuffle(Half x, const uint8_t* bytes) {
  const __m128i order = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
  return (Half)_mm_shuffle_epi8((__m128i)x, order);
}
SKEP_TARGET inline Box Counts(Box x) { return (Box)_mm256_popcnt_epi16((__m256i)x); }
SKEP_TARGET inline bool Any(Half x) {
  return _mm_testz_si128((__m128i)x, (__m128i)x) == 0;
}
SKEP_TARGET inline bool Any(Box x) {
  return _mm256_testz_si256((__m256i)x, (__m256i)x) == 0;
}
#include "jobs/kernels/sudoku_boxes.inc"
#undef SKEP_TARGET
}  // namespace avx512

}  // namespace

void SearchSudokuByBoxes(std::string_view puzzle, CpuPath path, SudokuSearch& search) {
  static const bool counts_bits = __builtin_cpu_supports("avx512bitalg");
  constexpr uint32_t kAllBoxes = 0x1ff;
  Grid grid;
  Read(puzzle, &grid);
  if (path == CpuPath::kAvx512 && counts_bits) {
    avx512::Run(grid, kAllBoxes, 0, search);
  } else if (path != CpuPath::kScalar) {
    avx2::Run(grid, kAllBoxes, 0, search);
  } else {
    plain::Run(grid, kAllBoxes, 0, search);
  }
}

}  // namespace skep
