// The order of sort(1) as bytes: each line's keys are turned into a string whose order
// by bytes is the order of the lines, so that a shuffle that knows nothing of numbers
// and fields sorts by them.

#ifndef SKEP_JOBS_KERNELS_SORT_KEY_H_
#define SKEP_JOBS_KERNELS_SORT_KEY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace skep {

struct SortKeyOptions {
  // As sort(1)'s -k, several with spaces or line ends between:
  // "2,2n 1.3,1". Empty: the whole line.
  std::string keys;
  std::string separator;  // of fields, one byte; "": where blanks begin
  // For keys without letters of their own.
  bool numeric = false;
  bool reverse = false;
};

// Thread-safe once made.
class SortKey {
 public:
  // InvalidArgument for a key that is none.
  static absl::StatusOr<SortKey> Create(const SortKeyOptions& options);

  // Whether the key of every line is the line itself.
  bool IsLine() const { return is_line_; }

  // Appends the key of a line.
  void Append(std::string_view line, std::string* out) const;

  // Appends bytes in a way that keeps the order, and that of what follows where they
  // are equal; `reverse` turns it around. Decode takes them back.
  static void AppendOrdered(std::string_view bytes, bool reverse, std::string* out);
  static bool DecodeOrdered(std::string_view in, bool reverse, std::string* bytes);

 private:
  struct Place {
    size_t field = 0;  // from 1; 0: none
    size_t byte = 0;   // from 1; 0: the end of the field
    bool skip_blanks = false;
  };
  struct Key {
    Place begin, end;
    bool numeric = false, reverse = false, fold = false;
  };

  static absl::StatusOr<Key> Parse(std::string_view text,
                                   const SortKeyOptions& options);
  std::string_view Find(const Key& key, std::string_view line) const;
  size_t FieldBegin(std::string_view line, size_t field) const;
  size_t FieldEnd(std::string_view line, size_t begin) const;

  std::vector<Key> keys_;
  char separator_ = '\0';
  bool has_separator_ = false;
  bool is_line_ = false;
};

}  // namespace skep

#endif  // SKEP_JOBS_KERNELS_SORT_KEY_H_
