// --master, of every command that talks to one.

#ifndef SKEP_TOOLS_COMMANDS_MASTER_FLAG_H_
#define SKEP_TOOLS_COMMANDS_MASTER_FLAG_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "rpc/address.h"
#include "tools/client/job_client.h"
#include "tools/command_line.h"
#include "tools/security.h"

namespace skep {

inline constexpr uint16_t kMasterPort = 7700;

// Declares a flag that holds an address; the default is `*address`.
void AddAddressFlag(CommandLine& line, const std::string& name, Address* address,
                    const std::string& help);

// Declares --master.
void AddMasterFlag(CommandLine& line, Address* master);
inline Address DefaultMaster() { return Address::Tcp("127.0.0.1", kMasterPort); }

// A client of the master's jobs, as the flags allow: the errors of Security.
absl::StatusOr<std::unique_ptr<JobClient>> ConnectTo(const Address& master,
                                                     const Security& security);
absl::StatusOr<std::unique_ptr<JobClient>> ConnectTo(const Address& master,
                                                     const SecurityFlags& flags);

}  // namespace skep

#endif  // SKEP_TOOLS_COMMANDS_MASTER_FLAG_H_
