#include "storage/glob.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"

namespace skep {
namespace {

// What one element of a pattern (a byte, ?, a set, an escape) says about a byte.
struct Element {
  bool matches;
  size_t length;  // of the element in the pattern
};

// The set at the front of `pattern`, which begins with '['; none if it has no end.
std::optional<Element> MatchSet(std::string_view pattern, char byte) {
  size_t at = 1;
  const bool negated =
      at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  const size_t first = at;
  const auto u = [](char c) { return static_cast<unsigned char>(c); };
  bool found = false;
  while (at < pattern.size() && (pattern[at] != ']' || at == first)) {
    const char low = pattern[at];
    char high = low;
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      high = pattern[at + 2];
      at += 2;
    }
    found |= u(low) <= u(byte) && u(byte) <= u(high);
    ++at;
  }
  if (at >= pattern.size()) return std::nullopt;
  return Element{found != negated, at + 1};
}

Element MatchElement(std::string_view pattern, char byte) {
  if (pattern[0] == '?') return {true, 1};
  if (pattern[0] == '[') {
    if (const auto set = MatchSet(pattern, byte)) return *set;
  }
  if (pattern[0] == '\\' && pattern.size() > 1) return {pattern[1] == byte, 2};
  return {pattern[0] == byte, 1};
}

// `prefix` (ends in '/' or is empty) extended by the names that match `component`.
absl::Status ExpandComponent(FileSystem& fs, const std::string& directory,
                             const std::string& prefix, std::string_view component,
                             bool is_last, std::vector<std::string>* out) {
  if (!IsGlob(component)) {
    // Whether it is there is seen when the path is used, or here if it is the last.
    std::string path = prefix + std::string(component);
    if (!is_last || fs.Stat(JoinPath(directory, path)).ok()) {
      out->push_back(std::move(path));
    }
    return absl::OkStatus();
  }
  const auto entries = fs.List(JoinPath(directory, prefix.empty() ? "." : prefix));
  if (absl::IsNotFound(entries.status())) return absl::OkStatus();
  SKEP_RETURN_IF_ERROR(entries.status());
  for (const DirectoryEntry& entry : *entries) {
    if (!is_last && !entry.is_directory) continue;
    if (GlobMatch(component, entry.name)) out->push_back(prefix + entry.name);
  }
  return absl::OkStatus();
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view name) {
  if (name.starts_with('.') && !pattern.starts_with('.') &&
      !pattern.starts_with("\\.")) {
    return false;
  }
  // Greedy with one point of return: only the last * need ever be reconsidered, so the
  // time is at most the product of the lengths.
  size_t p = 0, n = 0;
  size_t star = std::string_view::npos, star_n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_n = n;
      continue;
    }
    if (p < pattern.size()) {
      const Element element = MatchElement(pattern.substr(p), name[n]);
      if (element.matches) {
        p += element.length;
        ++n;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star + 1;
    n = ++star_n;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool IsGlob(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

absl::StatusOr<std::vector<std::string>> ExpandGlob(FileSystem& fs,
                                                    const std::string& directory,
                                                    std::string_view pattern) {
  std::vector<std::string> prefixes = {""};
  while (pattern.starts_with('/')) {
    prefixes = {"/"};
    pattern.remove_prefix(1);
  }
  while (true) {
    const size_t slash = std::min(pattern.find('/'), pattern.size());
    const std::string_view component = pattern.substr(0, slash);
    pattern.remove_prefix(slash);
    while (pattern.starts_with('/')) pattern.remove_prefix(1);
    const bool is_last = pattern.empty();
    std::vector<std::string> matches;
    for (const std::string& prefix : prefixes) {
      SKEP_RETURN_IF_ERROR(
          ExpandComponent(fs, directory, prefix, component, is_last, &matches));
    }
    if (is_last) return matches;
    for (std::string& match : matches) match += '/';
    prefixes = std::move(matches);
  }
}

}  // namespace skep
