// From a type name and bytes to a callback that takes the message:
//
//   Dispatcher<Peer&> handlers;
//   handlers.On<Question>([](const Question& question, Peer& peer) { ... });
//   absl::Status status = handlers.Dispatch("package.Question", bytes, peer);
//
// For both typed frames (pb_codec.h, protobuf_codec.h).

#ifndef SKEP_RPC_DISPATCHER_H_
#define SKEP_RPC_DISPATCHER_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace skep {

// `Context` is handed to every callback: a reference or a value. Fill it, then use it
// from any number of threads.
template <typename Context>
class Dispatcher {
 public:
  // Replaces the callback for messages of type T.
  template <typename T>
  void On(std::function<void(const T&, Context)> callback) {
    handlers_[T::descriptor()->full_name()] =
        [callback = std::move(callback)](std::string_view bytes, Context context) {
          T message;
          if (!message.ParsePartialFromArray(bytes.data(),
                                             static_cast<int>(bytes.size())) ||
              !message.IsInitialized()) {
            return InvalidArgument(bytes.size(), " bytes are not a ",
                                   T::descriptor()->full_name());
          }
          callback(message, std::forward<Context>(context));
          return absl::OkStatus();
        };
  }

  bool Handles(std::string_view type_name) const {
    return handlers_.find(type_name) != handlers_.end();
  }

  // NotFound: no callback for that type. InvalidArgument: the bytes are not of it.
  absl::Status Dispatch(std::string_view type_name, std::string_view bytes,
                        Context context) const {
    const auto it = handlers_.find(type_name);
    if (it == handlers_.end()) return NotFound("no handler for type ", type_name);
    return it->second(bytes, std::forward<Context>(context));
  }

 private:
  std::map<std::string, std::function<absl::Status(std::string_view, Context)>,
           std::less<>>
      handlers_;
};

}  // namespace skep

#endif  // SKEP_RPC_DISPATCHER_H_
