// --legacy-failure, of what serves clients of other makes.

#ifndef SKEP_TOOLS_COMMANDS_LEGACY_FAILURE_FLAG_H_
#define SKEP_TOOLS_COMMANDS_LEGACY_FAILURE_FLAG_H_

#include <string>

#include "base/status.h"
#include "tools/command_line.h"

namespace skep {

// `more` is added to the help.
inline void AddLegacyFailureFlag(CommandLine& line, bool* close,
                                 const std::string& more = "") {
  line.ParsedFlag(
      "legacy-failure",
      "What a client that has not said hello gets for a call that fails: the "
      "`error` reply, which release builds of muduo's client take for an "
      "empty success, or a connection that they see `close`" +
          more,
      "error|close", "error", [close](const std::string& text) {
        if (text != "error" && text != "close") {
          return InvalidArgument("'", text, "' is not error or close");
        }
        *close = text == "close";
        return absl::OkStatus();
      });
}

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_LEGACY_FAILURE_FLAG_H_
