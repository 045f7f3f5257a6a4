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
typedef uint16_t WideBox __attribute__((vector_size(32)));
// Of a band of three boxes: by lane, the digits that may still be placed so. A digit
// stands in another row of each box: in row (box - lane) mod 3 for lanes 0 to 2,
// (lane - box) mod 3 for lanes 3 to 5. Three boxes above each other are a band too,
// of columns.
typedef uint16_t Half __attribute__((vector_size(16)));

constexpr int kBoxRow[9] = {0, 0, 0, 1, 1, 1, 2, 2, 2};
constexpr int kBoxColumn[9] = {0, 1, 2, 0, 1, 2, 0, 1, 2};

constexpr uint16_t D = 0x1ff;  // all digits
using Lanes = std::array<uint16_t, 16>;
alignas(32) constexpr Lanes kAll = {D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D};
alignas(32) constexpr Lanes kOnes = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
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

// `boxes` is the nine of a grid: sixteen lanes each.
void Read(std::string_view puzzle, void* boxes) {
  uint16_t lanes[9 * 16];
  for (uint16_t& lane : lanes) lane = D;
  for (int cell = 0; cell < kSudokuCells; ++cell) {
    const unsigned digit = static_cast<unsigned char>(puzzle[cell]) - '1';
    if (digit < 9) lanes[kPlaces[cell]] = static_cast<uint16_t>(1u << digit);
  }
  std::memcpy(boxes, lanes, sizeof lanes);
}

// Requires a solved grid.
void Write(const void* boxes, char* out) {
  uint16_t lanes[9 * 16];
  std::memcpy(lanes, boxes, sizeof lanes);
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

// With the SSE2 of every x86-64: a box is two vectors. (As one of 32 bytes the compiler
// would keep it in memory, and shuffle it lane by lane.)
namespace plain {
#define SKEP_TARGET
#define SKEP_PLAIN inline __attribute__((always_inline))
struct Box {
  Half low, high;  // rows 0 and 1, rows 2 and 3
};
SKEP_PLAIN Box operator&(Box x, Box y) { return {x.low & y.low, x.high & y.high}; }
SKEP_PLAIN Box operator|(Box x, Box y) { return {x.low | y.low, x.high | y.high}; }
SKEP_PLAIN Box operator^(Box x, Box y) { return {x.low ^ y.low, x.high ^ y.high}; }
SKEP_PLAIN Box operator-(Box x, Box y) { return {x.low - y.low, x.high - y.high}; }
SKEP_PLAIN Box operator~(Box x) { return {~x.low, ~x.high}; }
SKEP_PLAIN Box& operator&=(Box& x, Box y) { return x = x & y; }
// Of lanes below 2^15.
SKEP_PLAIN Half Less(Half x, Half y) {
  return (Half)_mm_cmplt_epi16((__m128i)x, (__m128i)y);
}
SKEP_PLAIN Box Less(Box x, Box y) { return {Less(x.low, y.low), Less(x.high, y.high)}; }
SKEP_PLAIN Box Equal(Box x, Box y) {
  return {(Half)(x.low == y.low), (Half)(x.high == y.high)};
}
SKEP_PLAIN Half LoadHalf(const uint16_t* lanes) {
  return (Half)_mm_load_si128(reinterpret_cast<const __m128i*>(lanes));
}
SKEP_PLAIN Box Load(const Lanes& lanes) {
  return {LoadHalf(lanes.data()), LoadHalf(lanes.data() + 8)};
}
SKEP_PLAIN Half Counts(Half x) {
  x -= x >> 1 & 0x5555;
  x = (x & 0x3333) + (x >> 2 & 0x3333);
  x = (x + (x >> 4)) & 0x0f0f;
  return (x + (x >> 8)) & 0x1f;
}
SKEP_PLAIN Box Counts(Box x) { return {Counts(x.low), Counts(x.high)}; }
SKEP_PLAIN bool Any(Half x) { return _mm_movemask_epi8((__m128i)(x == 0)) != 0xffff; }
SKEP_PLAIN bool Any(Box x) { return Any(x.low | x.high); }

// In both rows the lanes a, b, c, d of the row.
template <int a, int b, int c, int d>
SKEP_PLAIN Half InRows(Half x) {
  constexpr int kOrder = a | b << 2 | c << 4 | d << 6;
  return (Half)_mm_shufflehi_epi16(_mm_shufflelo_epi16((__m128i)x, kOrder), kOrder);
}
// The upper half of x, the lower half of y.
SKEP_PLAIN Half Between(Half x, Half y) {
  return (Half)_mm_shuffle_pd((__m128d)x, (__m128d)y, 1);
}
SKEP_PLAIN Half OthersInRow(Half x) {
  const Half next = InRows<1, 2, 3, 0>(x);
  return next | InRows<2, 3, 0, 1>(x | next);
}
SKEP_PLAIN Box OthersInRow(Box x) { return {OthersInRow(x.low), OthersInRow(x.high)}; }
SKEP_PLAIN Box OthersInColumn(Box x) {
  const Half both = Between(x.low, x.high) | Between(x.high, x.low);
  return {both | x.high, both | x.low};
}

// Four lanes by their numbers modulo 3, as the lower or the upper half is shuffled.
constexpr int Order(int a, int b, int c, int d) {
  return (a + 3) % 3 | (b + 3) % 3 << 2 | (c + 3) % 3 << 4 | (d + 3) % 3 << 6;
}
template <int kOrder>
SKEP_PLAIN Half InLower(Half x) {
  return (Half)_mm_shufflelo_epi16((__m128i)x, kOrder);
}
template <int kOrder>
SKEP_PLAIN Half InUpper(Half x) {
  return (Half)_mm_shufflehi_epi16((__m128i)x, kOrder);
}
// The unions of the other two of lanes 0 to 2.
SKEP_PLAIN Half Others(Half x) {
  return InLower<Order(1, 2, 0, 0)>(x) | InLower<Order(2, 0, 1, 0)>(x);
}
SKEP_PLAIN Half Lower(Half x, Half y) {
  return (Half)_mm_unpacklo_epi64((__m128i)x, (__m128i)y);
}
SKEP_PLAIN Half InterleaveLower(Half x, Half y) {
  return (Half)_mm_unpacklo_epi16((__m128i)x, (__m128i)y);
}
SKEP_PLAIN Half InterleaveUpper(Half x, Half y) {
  return (Half)_mm_unpackhi_epi16((__m128i)x, (__m128i)y);
}
template <int kOrder>
SKEP_PLAIN Half InPairs(Half x) {
  return (Half)_mm_shuffle_epi32((__m128i)x, kOrder);
}

// As those of SKEP_WIDE in sudoku_boxes.inc, without tables: row r of box i holds the
// digits placed by i - r or by 3 + (i + r), modulo 3, and misses those of the others.
template <int i>
SKEP_PLAIN Box Allowed(Half placements, int direction) {
  const Half even = placements;
  const Half odd = (Half)_mm_srli_si128((__m128i)placements, 6);
  constexpr int kEven = Order(i, i - 1, i - 2, 0), kOdd = Order(i, i + 1, i + 2, 0);
  // By row: what is in it, and in the upper half what is missing from it.
  const Half rows = InUpper<kEven>(InLower<kEven>(Lower(even, Others(even)))) |
                    InUpper<kOdd>(InLower<kOdd>(Lower(odd, Others(odd))));
  if (direction == 1) return {Lower(rows, rows), rows};
  const Half pairs = InterleaveLower(rows, InPairs<0x0e>(rows));
  constexpr int kThrice = Order(0, 0, 0, 1);
  return {InUpper<kThrice>(InLower<kThrice>(InPairs<0x50>(pairs))),
          InUpper<kThrice>(InLower<kThrice>(InPairs<0xfa>(pairs)))};
}
SKEP_PLAIN Box Allowed(Half placements, int direction, int i) {
  return i == 0   ? Allowed<0>(placements, direction)
         : i == 1 ? Allowed<1>(placements, direction)
                  : Allowed<2>(placements, direction);
}
template <int i>
SKEP_PLAIN Half Offered(Half by_row) {
  return InUpper<Order(1 - i, 2 - i, 0, 0)>(
      InLower<Order(i, i - 1, i - 2, -i)>(Lower(by_row, by_row)));
}
SKEP_PLAIN Half Offered(Box x, int direction, int i) {
  if (direction == 0) {  // turned, so that triads are columns
    const Half even = InterleaveLower(x.low, x.high);
    const Half odd = InterleaveUpper(x.low, x.high);
    x = {InterleaveLower(even, odd), InterleaveUpper(even, odd)};
  }
  const Half cells = x.low | InPairs<0x4e>(x.low) | x.high;
  const Half missing = InPairs<0x4e>(x.high);
  const Half by_row =
      cells & InLower<Order(1, 2, 0, 0)>(missing) & InLower<Order(2, 0, 1, 0)>(missing);
  return i == 0 ? Offered<0>(by_row) : i == 1 ? Offered<1>(by_row) : Offered<2>(by_row);
}
#include "jobs/kernels/sudoku_boxes.inc"
#undef SKEP_PLAIN
#undef SKEP_TARGET
}  // namespace plain

#define SKEP_WIDE

namespace avx2 {
using Box = WideBox;
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
using Box = WideBox;
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
  switch (TakenCpuPath(path, kSudokuBoxesNeed)) {
    case CpuPath::kAvx512:
      return avx512::Search(puzzle, search);
    case CpuPath::kAvx2:
      return avx2::Search(puzzle, search);
    case CpuPath::kScalar:
      return plain::Search(puzzle, search);
  }
}

}  // namespace skep
