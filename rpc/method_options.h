// What a method's options say: rpc2.proto.

#ifndef SKEP_RPC_METHOD_OPTIONS_H_
#define SKEP_RPC_METHOD_OPTIONS_H_

#include "google/protobuf/descriptor.h"
#include "rpc/rpc2.pb.h"

namespace skep {

struct MethodTraits {
  bool idempotent = false;  // calling twice is as good as once
  bool noreturn = false;    // no reply is wanted
};

inline MethodTraits TraitsOf(const google::protobuf::MethodDescriptor& method) {
  const google::protobuf::MethodOptions& options = method.options();
  // Most methods have no options, and looking for extensions is slow.
  if (&options == &google::protobuf::MethodOptions::default_instance()) return {};
  return {.idempotent = options.GetExtension(rpc2::idempotent),
          .noreturn = options.GetExtension(rpc2::noreturn)};
}

}  // namespace skep

#endif  // SKEP_RPC_METHOD_OPTIONS_H_
