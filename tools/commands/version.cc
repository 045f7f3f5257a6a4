#include <cstdio>

#include "base/status.h"
#include "jobs/job_table.h"
#include "tools/binary_digest.h"
#include "tools/client/session.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/exit_code.h"

namespace skep {

int RunVersion(const Args& args) {
  CommandLine line("version", "Prints the version, the binary's digest and its jobs.");
  line.Example("skep version");
  if (const auto code = line.Parse(args)) return *code;
  const absl::StatusOr<std::string> digest = BinaryDigest();
  if (!digest.ok()) return ReportError(digest.status());
  std::printf("skep 0.1\nbinary %s\njobs", digest->c_str());
  for (const auto& [name, job] : BuiltInJobs().jobs) std::printf(" %s", name.c_str());
  std::printf("\n");
  return kOk;
}

}  // namespace skep
