// Names of this machine and its folder for temporary files.

#ifndef SKEP_TOOLS_SCRATCH_H_
#define SKEP_TOOLS_SCRATCH_H_

#include <string>

namespace skep {

// $TMPDIR, or /tmp.
std::string ScratchDirectory();

std::string HostName();
std::string UserName();

}  // namespace skep

#endif  // SKEP_TOOLS_SCRATCH_H_
