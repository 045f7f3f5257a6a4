#include "base/html_testing.h"

#include <vector>

namespace skep {

std::string MisplacedTag(std::string_view html) {
  std::vector<std::string_view> open;
  for (size_t at = html.find('<'); at != html.npos; at = html.find('<', at + 1)) {
    std::string_view tag = html.substr(at + 1);
    tag = tag.substr(0, tag.find('>'));
    if (tag.starts_with("!")) continue;
    const bool closes = tag.starts_with("/");
    if (closes) tag.remove_prefix(1);
    const std::string_view name = tag.substr(0, tag.find_first_of(" \n/"));
    if (name == "meta" || tag.ends_with("/")) continue;
    if (!closes) {
      open.push_back(name);
      continue;
    }
    if (open.empty() || open.back() != name) return "/" + std::string(name);
    open.pop_back();
  }
  return open.empty() ? "" : std::string(open.back());
}

}  // namespace skep
