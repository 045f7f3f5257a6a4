// --json and -o, of commands that print tables or one JSON object.

#ifndef SKEP_TOOLS_COMMANDS_FORMAT_FLAG_H_
#define SKEP_TOOLS_COMMANDS_FORMAT_FLAG_H_

#include <string>

#include "base/status.h"
#include "tools/command_line.h"

namespace skep {

struct FormatFlags {
  bool json = false;   // --json
  std::string output;  // -o; "": not given

  bool WantsJson() const { return json || output == "json"; }
  // InvalidArgument: they contradict each other.
  absl::Status Check() const {
    return json && output == "table"
               ? InvalidArgument("give --json or -o table, not both")
               : absl::OkStatus();
  }
};

inline void AddFormatFlags(CommandLine& line, FormatFlags* flags) {
  line.Flag("json", &flags->json, "One JSON object instead of tables");
  line.ParsedFlag(
      "output", "table or json", "FORMAT", "table",
      [flags](const std::string& text) {
        flags->output = text;
        if (text == "json" || text == "table") return absl::OkStatus();
        return InvalidArgument("give table or json");
      },
      'o');
}

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_FORMAT_FLAG_H_
