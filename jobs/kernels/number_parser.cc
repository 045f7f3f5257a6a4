#include "jobs/kernels/number_parser.h"

#include <immintrin.h>
#include <locale.h>
#include <stdlib.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <system_error>

#include "base/coding.h"
#include "base/status.h"
#include "jobs/kernels/decimal.h"
#include "jobs/kernels/digits.h"

namespace skep {
namespace {

constexpr bool IsSeparator(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == ',';
}

// The magnitude of a decimal beyond the range of doubles: infinity or zero. from_chars
// only says that it is out of range; strtod says on which side.
double OutOfRange(std::string_view token) {
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(std::string(token).c_str(), nullptr, c_locale);
}

// Any token, slowly. Nothing if it is unparsable; a NaN is a double here.
struct Slow {
  enum class Kind { kInteger, kLarge, kReal } kind;
  int64_t integer = 0;
  uint64_t large = 0;
  double real = 0;
};
std::optional<Slow> ParseSlowly(std::string_view token) {
  std::string_view digits = token;
  if (digits.starts_with('+')) {
    digits.remove_prefix(1);
    if (digits.starts_with('-')) return std::nullopt;
  }
  const char* end = digits.data() + digits.size();
  Slow slow{.kind = Slow::Kind::kInteger};
  const auto integer = std::from_chars(digits.data(), end, slow.integer);
  if (integer.ec == std::errc() && integer.ptr == end) return slow;
  slow.kind = Slow::Kind::kLarge;
  const auto large = std::from_chars(digits.data(), end, slow.large);
  if (large.ec == std::errc() && large.ptr == end) return slow;
  slow.kind = Slow::Kind::kReal;
  const auto real = std::from_chars(digits.data(), end, slow.real);
  if (real.ptr != end || real.ec == std::errc::invalid_argument) return std::nullopt;
  if (real.ec == std::errc::result_out_of_range) {
    slow.real = OutOfRange(digits);
    if (std::isinf(slow.real)) return std::nullopt;
  }
  return slow;
}

// Of 64 bytes: which are no separators, and which are line ends.
struct BlockMasks {
  uint64_t token;
  uint64_t line_ends;
};

SKEP_AVX2 inline BlockMasks MasksAvx2(const char* bytes) {
  uint32_t token[2], lines[2];
  for (int i = 0; i < 2; ++i) {
    const __m256i c = Load(bytes + 32 * i);
    // From '\t' to '\r': what is at most 4 above '\t', unsigned.
    const __m256i above = _mm256_sub_epi8(c, _mm256_set1_epi8('\t'));
    const __m256i control =
        _mm256_cmpeq_epi8(_mm256_min_epu8(above, _mm256_set1_epi8(4)), above);
    const __m256i separator = _mm256_or_si256(
        control, _mm256_or_si256(_mm256_cmpeq_epi8(c, _mm256_set1_epi8(' ')),
                                 _mm256_cmpeq_epi8(c, _mm256_set1_epi8(','))));
    token[i] = ~static_cast<uint32_t>(_mm256_movemask_epi8(separator));
    lines[i] = static_cast<uint32_t>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(c, _mm256_set1_epi8('\n'))));
  }
  return {token[0] | static_cast<uint64_t>(token[1]) << 32,
          lines[0] | static_cast<uint64_t>(lines[1]) << 32};
}

class Parser {
 public:
  Parser(std::string_view text, ParsedNumbers* out)
      : begin_(text.data()), end_(begin_ + text.size()), out_(*out) {}

  void Run(CpuPath path) {
    piece_ = begin_;
    piece_lines_ = out_.line_ends;
    if (path == CpuPath::kScalar) {
      RunScalar();
    } else {
      RunAvx2();
    }
    out_.bytes += static_cast<uint64_t>(end_ - begin_);
  }

 private:
  static constexpr size_t kPiece = 4096;

  void RunScalar() {
    const char* p = begin_;
    while (true) {
      for (; p < end_ && IsSeparator(*p); ++p) out_.line_ends += *p == '\n';
      if (p == end_) break;
      const char* first = p;
      while (p < end_ && !IsSeparator(*p)) ++p;
      Token(first, p);
    }
  }

  // Finds the places where tokens begin and end in pieces of some kilobytes, then reads
  // the tokens: loops that a processor foresees.
  SKEP_AVX2 void RunAvx2() {
    const size_t size = end_ - begin_;
    uint64_t inside = 0;  // 1 if the byte before is of a token
    size_t open = 0;      // where that began
    for (size_t piece = 0; piece < size; piece += kPiece) {
      piece_ = begin_ + piece;
      piece_lines_ = out_.line_ends;
      uint32_t edges[kPiece + 64 + 8];
      size_t count = 0;
      const size_t piece_size = std::min(kPiece, size - piece);
      for (size_t at = 0; at < piece_size; at += 64) {
        const BlockMasks masks = MasksAt(piece_ + at, piece_size - at);
        out_.line_ends += std::popcount(masks.line_ends);
        uint64_t edge = masks.token ^ (masks.token << 1 | inside);
        inside = masks.token >> 63;
        // Always four, so that the loop ends as expected; the next overwrite the rest.
        const int edge_count = std::popcount(edge);
        for (int i = 0; i < edge_count; i += 4) {
          for (int j = 0; j < 4; ++j) {
            edges[count + i + j] = static_cast<uint32_t>(at + std::countr_zero(edge));
            edge &= edge - 1;
          }
        }
        count += edge_count;
      }
      open = ReadTokens(piece, std::span(edges, count), open, inside != 0);
    }
    if (inside != 0 && size % 64 == 0) Token(begin_ + open, end_);
  }

  // The masks of up to 64 bytes; what lies behind them separates.
  SKEP_AVX2 static BlockMasks MasksAt(const char* bytes, size_t size) {
    if (size >= 64) return MasksAvx2(bytes);
    char padded[64];
    std::memset(padded, ' ', sizeof padded);
    std::memcpy(padded, bytes, size);
    return MasksAvx2(padded);
  }

  // Reads the tokens between edges, which are in turn begins and ends, the first an end
  // if a token was open. Returns where the one that stays open begins.
  SKEP_AVX2 size_t ReadTokens(size_t piece, std::span<const uint32_t> edges,
                              size_t open, bool stays_open) {
    const bool was_open = (edges.size() % 2 == 1) != stays_open;
    size_t i = 0;
    if (was_open) {
      if (edges.empty()) return open;
      Token(begin_ + open, begin_ + piece + edges[0]);
      i = 1;
    }
    for (; i + 1 < edges.size(); i += 2) {
      const char* first = begin_ + piece + edges[i];
      const char* end = begin_ + piece + edges[i + 1];
      const bool negative = *first == '-';
      const char* digits = first + (negative | (*first == '+'));
      Digits read;
      if (end - begin_ < 33 || !ReadDigitsAvx2(digits, end, &read) ||
          !Accept(read, negative)) {
        Token(first, end);
      }
    }
    return i < edges.size() ? piece + edges[i] : open;
  }

  bool Accept(const Digits& read, bool negative) {
    if (!read.decimal) {
      if (read.digits <= INT64_MAX) {
        const auto value = static_cast<int64_t>(read.digits);
        out_.integers.push_back(negative ? -value : value);
        return true;
      }
      if (negative) return false;
      out_.large.push_back(read.digits);
      return true;
    }
    double value;
    if (!decimals_.Nearest(read.digits, read.power, &value)) return false;
    out_.doubles.push_back(negative ? -value : value);
    return true;
  }

  // Any token.
  void Token(const char* first, const char* end) {
    const bool negative = *first == '-';
    Digits read;
    if (ReadDigits(first + (negative || *first == '+'), end, &read) &&
        Accept(read, negative)) {
      return;
    }
    const std::string_view token(first, end - first);
    const std::optional<Slow> number = ParseSlowly(token);
    if (!number.has_value()) {
      ++out_.unparsable;
      Complain(token, false);
    } else if (number->kind == Slow::Kind::kInteger) {
      out_.integers.push_back(number->integer);
    } else if (number->kind == Slow::Kind::kLarge) {
      out_.large.push_back(number->large);
    } else if (std::isnan(number->real)) {
      ++out_.nans;
      Complain(token, true);
    } else {
      out_.doubles.push_back(number->real);
    }
  }

  void Complain(std::string_view token, bool is_nan) {
    if (out_.problems.size() >= ParsedNumbers::kMaxProblems) return;
    const char* line = token.data();  // where its line begins
    while (line > begin_ && line[-1] != '\n') --line;
    const auto lines_within_piece =
        token.data() > piece_ ? std::count(piece_, token.data(), '\n') : 0;
    out_.problems.push_back(
        {.offset = out_.bytes + static_cast<uint64_t>(token.data() - begin_),
         .line = piece_lines_ + static_cast<uint64_t>(lines_within_piece) + 1,
         .column = static_cast<uint64_t>(token.data() - line) + 1,
         .is_nan = is_nan,
         .token = std::string(token.substr(0, ParsedNumbers::kMaxTokenBytes))});
  }

  const char* const begin_;
  const char* const end_;
  const char* piece_ = nullptr;  // the piece at hand, and the line ends before it
  uint64_t piece_lines_ = 0;
  ParsedNumbers& out_;
  const Decimals& decimals_ = Decimals::Get();
};

absl::Status CheckWhole(std::string_view bytes) {
  if (bytes.size() % 8 == 0) return absl::OkStatus();
  return InvalidArgument(bytes.size(), " bytes are no whole number of 8-byte values (",
                         bytes.size() % 8, " bytes are left over)");
}

}  // namespace

void ParseNumbers(std::string_view text, ParsedNumbers* out, CpuPath path) {
  Parser(text, out).Run(path);
}

absl::Status DecodeIntegers(std::string_view bytes, ParsedNumbers* out) {
  SKEP_RETURN_IF_ERROR(CheckWhole(bytes));
  const size_t before = out->integers.size();
  out->integers.resize(before + bytes.size() / 8);
  if (!bytes.empty()) {
    std::memcpy(out->integers.data() + before, bytes.data(), bytes.size());
  }
  out->bytes += bytes.size();
  return absl::OkStatus();
}

absl::Status DecodeUnsigned(std::string_view bytes, ParsedNumbers* out) {
  SKEP_RETURN_IF_ERROR(CheckWhole(bytes));
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const auto value = LoadLittle<uint64_t>(bytes.data() + i);
    if (value <= INT64_MAX) {
      out->integers.push_back(static_cast<int64_t>(value));
    } else {
      out->large.push_back(value);
    }
  }
  out->bytes += bytes.size();
  return absl::OkStatus();
}

absl::Status DecodeDoubles(std::string_view bytes, ParsedNumbers* out) {
  SKEP_RETURN_IF_ERROR(CheckWhole(bytes));
  out->doubles.reserve(out->doubles.size() + bytes.size() / 8);
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const auto value = LoadLittle<double>(bytes.data() + i);
    if (!std::isnan(value)) {
      out->doubles.push_back(value);
      continue;
    }
    ++out->nans;
    if (out->problems.size() < ParsedNumbers::kMaxProblems) {
      out->problems.push_back(
          {.offset = out->bytes + i, .is_nan = true, .token = "nan"});
    }
  }
  out->bytes += bytes.size();
  return absl::OkStatus();
}

}  // namespace skep
