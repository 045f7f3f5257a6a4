// Where a balancer's backends come from: named one by one, read from a file, or looked
// up in DNS, and changed by an operator while it runs.
//
// BackendDirectory merges them and is told when to look again; BackendWatcher does that
// on a thread and hands on what changed.

#ifndef SKEP_RPC_BALANCE_BACKEND_SOURCE_H_
#define SKEP_RPC_BALANCE_BACKEND_SOURCE_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "rpc/balance/backend_spec.h"

namespace skep {

// The world outside, as far as it names backends. `resolve` may block for long: it runs
// on a thread of its own, which nobody waits for to end, so it uses nothing that goes.
struct BackendLookups {
  // A file's content.
  std::function<absl::StatusOr<std::string>(const std::string& path)> read;
  // Every numeric address of a host's name, with its port.
  std::function<absl::StatusOr<std::vector<Address>>(const Address& name)> resolve;
  // The real ones.
  static BackendLookups Real();
};

class NameLookup;

// Thread-safe, but for Refresh, which one thread calls at a time.
class BackendDirectory {
 public:
  explicit BackendDirectory(BackendLookups lookups) : lookups_(std::move(lookups)) {}

  // A backend ("HOST:PORT,weight=2"; a HOST that is a name is one backend, resolved
  // anew for each connection), "dns:NAME:PORT" for every address that the name has
  // (",weight=N" is each one's), or "file:PATH" with one backend a line. Looks nothing
  // up yet. InvalidArgument.
  absl::Status AddSource(const std::string& text);

  // Reads files again, and resolves names that were last resolved before `now` -
  // `resolve_interval`; a name server has `patience` to answer all of them, and what
  // it answers later is taken by a later Refresh. A source is taken as a whole: one
  // that cannot be read, or makes no sense, leaves what it said before, with a line in
  // the log for each change. Returns whether backends() changed. The first error of a
  // source that has never been read is in first_error().
  bool Refresh(absl::Time now, absl::Duration resolve_interval,
               absl::Duration patience = absl::Seconds(10));
  absl::Status first_error() const;

  // An operator's: added to what the sources name (or its weight changed), or left out
  // whatever they say, until the other is asked for. NotFound: it is not there to be
  // removed; FailedPrecondition: it is the last one.
  absl::Status Add(const BackendSpec& spec);
  absl::Status Remove(const Address& address);

  // All, once each (the first source that names it gives the weight), in the order of
  // the sources.
  std::vector<BackendSpec> backends() const;

 private:
  struct Source {
    enum class Kind { kList, kFile, kDns };
    Kind kind = Kind::kList;
    std::string name;  // for people, and the file's path
    BackendSpec spec;  // kList; kDns: the name
    // Of the thread that refreshes:
    absl::Time resolved = absl::InfinitePast();
    std::shared_ptr<NameLookup> lookup;  // kDns: under way
    std::string content;                 // of the file, as last seen
    std::string said;  // what was wrong with it, and with which content
    // Under the lock: what it says.
    bool known = false;
    std::vector<BackendSpec> backends;
  };
  // None: its name server has not answered until `end`.
  std::optional<absl::StatusOr<std::vector<BackendSpec>>> Look(Source& source,
                                                               absl::Time end);
  absl::StatusOr<std::vector<BackendSpec>> ReadList(Source& source);
  static absl::StatusOr<std::vector<BackendSpec>> SpecsOf(
      const Source& source, absl::StatusOr<std::vector<Address>> answer);
  // What was found out about it; a line for the log, if there is news.
  std::string Take(Source& source, absl::StatusOr<std::vector<BackendSpec>> found);
  std::vector<BackendSpec> Merge() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const BackendLookups lookups_;
  mutable Mutex mutex_;
  // Only added to before the first Refresh.
  std::vector<std::unique_ptr<Source>> sources_;
  absl::Status first_error_ ABSL_GUARDED_BY(mutex_);
  std::vector<BackendSpec> added_ ABSL_GUARDED_BY(mutex_);
  std::vector<Address> removed_ ABSL_GUARDED_BY(mutex_);
};

class BackendWatcher {
 public:
  struct Options {
    absl::Duration poll = absl::Seconds(1);  // of files
    absl::Duration resolve = absl::Seconds(10);
  };
  // `directory` is borrowed. `apply` gets the whole set each time that it changed, on
  // one thread at a time.
  using Apply = std::function<absl::Status(const std::vector<BackendSpec>&)>;
  BackendWatcher(BackendDirectory& directory, Options options, Apply apply);
  ~BackendWatcher();
  BackendWatcher(const BackendWatcher&) = delete;
  BackendWatcher& operator=(const BackendWatcher&) = delete;

  // As BackendDirectory's, and applied.
  absl::Status Add(const BackendSpec& spec);
  absl::Status Remove(const Address& address);

 private:
  void Run();
  absl::Status ApplyNow();

  BackendDirectory& directory_;
  const Options options_;
  const Apply apply_;
  Mutex apply_mutex_;
  Mutex mutex_;
  CondVar stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace skep

#endif  // SKEP_RPC_BALANCE_BACKEND_SOURCE_H_
