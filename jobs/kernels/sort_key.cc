#include "jobs/kernels/sort_key.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "base/coding.h"
#include "base/shorten.h"
#include "base/status.h"

namespace skep {
namespace {

constexpr char kEscape = '\0';
constexpr char kEscapedZero = '\xff';
constexpr char kEnd = '\0';
constexpr std::string_view kBetweenKeys = " \n";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

size_t SkipBlanks(std::string_view text, size_t at) {
  while (at < text.size() && IsBlank(text[at])) ++at;
  return at;
}

// A number of any size: sign, how many digits before the point, all digits. What is no
// number is zero, and so is -0.
void AppendNumber(std::string_view text, std::string* out) {
  size_t at = SkipBlanks(text, 0);
  const bool negative = at < text.size() && text[at] == '-';
  if (negative) ++at;
  size_t end = at;
  while (end < text.size() && IsDigit(text[end])) ++end;
  std::string_view whole = text.substr(at, end - at), fraction;
  if (end < text.size() && text[end] == '.') {
    at = ++end;
    while (end < text.size() && IsDigit(text[end])) ++end;
    fraction = text.substr(at, end - at);
  }
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
  if (whole.empty() && fraction.empty()) {
    *out += '\x80';
    return;
  }
  const size_t begin = out->size();
  *out += '\x81';
  char size[4];
  StoreBig32(static_cast<uint32_t>(whole.size()), size);
  out->append(size, sizeof size);
  *out += whole;
  *out += fraction;
  *out += kEnd;
  if (negative) {
    for (size_t i = begin; i < out->size(); ++i) (*out)[i] = ~(*out)[i];
  }
}

absl::Status BadKey(std::string_view key, std::string_view why) {
  return InvalidArgument("'", Shorten(key), "' is no key: ", why,
                         "; give FIELD[.BYTE][bfnr][,FIELD[.BYTE][b]], such as 2,2n");
}

}  // namespace

void SortKey::AppendOrdered(std::string_view bytes, bool reverse, std::string* out) {
  const size_t begin = out->size();
  for (const char c : bytes) {
    *out += c;
    if (c == kEscape) *out += kEscapedZero;
  }
  *out += kEscape;
  *out += kEnd;
  if (reverse) {
    for (size_t i = begin; i < out->size(); ++i) (*out)[i] = ~(*out)[i];
  }
}

bool SortKey::DecodeOrdered(std::string_view in, bool reverse, std::string* bytes) {
  bytes->clear();
  const char flip = reverse ? '\xff' : '\0';
  for (size_t i = 0; i + 1 < in.size(); ++i) {
    const char c = in[i] ^ flip;
    if (c == kEscape && static_cast<char>(in[++i] ^ flip) != kEscapedZero) {
      return i + 1 == in.size();
    }
    *bytes += c;
  }
  return false;
}

absl::StatusOr<SortKey> SortKey::Create(const SortKeyOptions& options) {
  SortKey result;
  if (options.separator.size() > 1) {
    return InvalidArgument("the separator '", options.separator, "' is not one byte");
  }
  if (!options.separator.empty()) {
    result.has_separator_ = true;
    result.separator_ = options.separator[0];
  }
  std::string_view rest = options.keys;
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kBetweenKeys), rest.size()));
    if (rest.empty()) break;
    const std::string_view text = rest.substr(0, rest.find_first_of(kBetweenKeys));
    rest.remove_prefix(text.size());
    SKEP_ASSIGN_OR_RETURN(const Key key, Parse(text, options));
    result.keys_.push_back(key);
  }
  if (result.keys_.empty() && !options.keys.empty()) return BadKey("", "it is empty");
  if (result.keys_.empty()) {
    result.is_line_ = !options.numeric && !options.reverse;
    result.keys_.push_back({.begin = {.field = 1, .byte = 1},
                            .numeric = options.numeric,
                            .reverse = options.reverse});
  }
  return result;
}

absl::StatusOr<SortKey::Key> SortKey::Parse(std::string_view text,
                                            const SortKeyOptions& options) {
  std::string_view rest = text;
  Key key;
  bool letters = false;
  const auto number = [&rest](size_t* value) {
    const auto [end, error] = std::from_chars(rest.begin(), rest.end(), *value);
    rest.remove_prefix(static_cast<size_t>(end - rest.begin()));
    return error == std::errc();
  };
  const auto place = [&](Place* at) -> absl::Status {
    if (!number(&at->field) || at->field == 0)
      return BadKey(text, "fields count from 1");
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      if (!number(&at->byte)) return BadKey(text, "a byte's number is missing");
    }
    for (; !rest.empty() && rest[0] != ','; rest.remove_prefix(1)) {
      letters = true;
      switch (rest[0]) {
        case 'b':
          at->skip_blanks = true;
          break;
        case 'f':
          key.fold = true;
          break;
        case 'n':
          key.numeric = true;
          break;
        case 'r':
          key.reverse = true;
          break;
        default:
          return BadKey(text, "there are letters that mean nothing");
      }
    }
    return absl::OkStatus();
  };
  key.begin.byte = 1;
  SKEP_RETURN_IF_ERROR(place(&key.begin));
  if (key.begin.byte == 0) return BadKey(text, "bytes count from 1");
  if (!rest.empty()) {
    rest.remove_prefix(1);
    SKEP_RETURN_IF_ERROR(place(&key.end));
  }
  if (!rest.empty()) return BadKey(text, "something follows it");
  if (!letters) {
    key.numeric = options.numeric;
    key.reverse = options.reverse;
  }
  return key;
}

// Without a separator a field begins with the blanks before it.
size_t SortKey::FieldEnd(std::string_view line, size_t begin) const {
  if (has_separator_) return std::min(line.find(separator_, begin), line.size());
  size_t at = SkipBlanks(line, begin);
  while (at < line.size() && !IsBlank(line[at])) ++at;
  return at;
}

size_t SortKey::FieldBegin(std::string_view line, size_t field) const {
  size_t at = 0;
  for (; field > 1; --field) {
    at = FieldEnd(line, at);
    if (at == line.size()) return at;
    if (has_separator_) ++at;
  }
  return at;
}

std::string_view SortKey::Find(const Key& key, std::string_view line) const {
  size_t begin = FieldBegin(line, key.begin.field);
  if (key.begin.skip_blanks) begin = SkipBlanks(line, begin);
  // A byte's number may be so large that it cannot be added.
  begin += std::min(key.begin.byte - 1, line.size() - begin);
  size_t end = line.size();
  if (key.end.field > 0) {
    end = FieldBegin(line, key.end.field);
    if (key.end.byte == 0) {
      end = FieldEnd(line, end);
    } else {
      if (key.end.skip_blanks) end = SkipBlanks(line, end);
      end += std::min(key.end.byte, line.size() - end);
    }
  }
  return line.substr(begin, std::max(begin, end) - begin);
}

void SortKey::Append(std::string_view line, std::string* out) const {
  if (is_line_) {
    *out += line;
    return;
  }
  for (const Key& key : keys_) {
    const std::string_view found = Find(key, line);
    const size_t begin = out->size();
    if (key.numeric) {
      AppendNumber(found, out);
    } else {
      AppendOrdered(found, false, out);
      if (key.fold) {
        for (size_t i = begin; i < out->size(); ++i) {
          char& c = (*out)[i];
          if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
        }
      }
    }
    if (key.reverse) {
      for (size_t i = begin; i < out->size(); ++i) (*out)[i] = ~(*out)[i];
    }
  }
}

}  // namespace skep
