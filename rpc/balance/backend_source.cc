#include "rpc/balance/backend_source.h"

#include <errno.h>
#include <glog/logging.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "rpc/socket.h"

namespace skep {
namespace {

constexpr std::string_view kDnsPrefix = "dns:";
constexpr std::string_view kFilePrefix = "file:";
// A list of backends is smaller.
constexpr size_t kMaxFileBytes = 1 << 20;

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return ErrnoToStatus(errno, "open " + path);
  std::string content(kMaxFileBytes + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (in.bad()) return ErrnoToStatus(errno, "read " + path);
  content.resize(static_cast<size_t>(in.gcount()));
  if (content.size() > kMaxFileBytes) {
    return InvalidArgument(path, " is larger than ", kMaxFileBytes,
                           " bytes: it is no list of backends");
  }
  return content;
}

absl::StatusOr<std::vector<Address>> ResolveAll(const Address& name) {
  SKEP_ASSIGN_OR_RETURN(const std::vector<SocketAddress> found, Resolve(name));
  std::vector<Address> addresses;
  for (const SocketAddress& address : found) addresses.push_back(address.ToAddress());
  return addresses;
}

bool Contains(const std::vector<Address>& all, const Address& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

// One look at a name, on a thread that may outlive the directory: a name server that
// hangs holds up neither the other sources nor the end of the process.
class NameLookup {
 public:
  using Answer = absl::StatusOr<std::vector<Address>>;
  static std::shared_ptr<NameLookup> Begin(
      std::function<Answer(const Address&)> resolve, const Address& name) {
    auto lookup = std::make_shared<NameLookup>();
    const auto look = [lookup, resolve = std::move(resolve), name] {
      Answer answer = resolve(name);
      MutexLock lock(lookup->mutex_);
      lookup->answer_ = std::move(answer);
      lookup->answered_.SignalAll();
    };
    try {
      std::thread(look).detach();
    } catch (const std::system_error& error) {  // no more threads can be had
      MutexLock lock(lookup->mutex_);
      lookup->answer_ = Unavailable("look up ", name, ": ", error.what());
    }
    return lookup;
  }
  // None if there is none until `end`, of the real clock. Once.
  std::optional<Answer> Await(absl::Time end) {
    const Clock& clock = Clock::Real();
    MutexLock lock(mutex_);
    while (!answer_.has_value()) {
      const absl::Duration left = end - clock.Now();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      answered_.WaitFor(mutex_, left);
    }
    return std::exchange(answer_, std::nullopt);
  }

 private:
  Mutex mutex_;
  CondVar answered_;
  std::optional<Answer> answer_ ABSL_GUARDED_BY(mutex_);
};

BackendLookups BackendLookups::Real() {
  return {.read = ReadSmallFile, .resolve = ResolveAll};
}

absl::Status BackendDirectory::AddSource(const std::string& text) {
  auto source = std::make_unique<Source>();
  source->name = text;
  const std::string_view view = text;
  if (view.starts_with(kFilePrefix)) {
    source->kind = Source::Kind::kFile;
    source->name = view.substr(kFilePrefix.size());
    if (source->name.empty()) return InvalidArgument("'", text, "' names no file");
  } else if (view.starts_with(kDnsPrefix)) {
    source->kind = Source::Kind::kDns;
    SKEP_ASSIGN_OR_RETURN(source->spec, ParseBackend(view.substr(kDnsPrefix.size())));
    if (source->spec.address.is_unix()) {
      return InvalidArgument("'", text, "': a Unix socket is in no DNS");
    }
  } else {
    SKEP_ASSIGN_OR_RETURN(source->spec, ParseBackend(view));
    source->known = true;
    source->backends = {source->spec};
  }
  sources_.push_back(std::move(source));
  return absl::OkStatus();
}

std::optional<absl::StatusOr<std::vector<BackendSpec>>> BackendDirectory::Look(
    Source& source, absl::Time end) {
  if (source.kind == Source::Kind::kFile) return ReadList(source);
  std::optional<NameLookup::Answer> answer = source.lookup->Await(end);
  if (!answer.has_value()) return std::nullopt;
  source.lookup = nullptr;
  return SpecsOf(source, *std::move(answer));
}

bool BackendDirectory::Refresh(absl::Time now, absl::Duration resolve_interval,
                               absl::Duration patience) {
  const std::vector<BackendSpec> before = backends();
  for (const std::unique_ptr<Source>& source : sources_) {
    if (source->kind != Source::Kind::kDns || source->lookup != nullptr ||
        now - source->resolved < resolve_interval) {
      continue;
    }
    source->resolved = now;
    source->lookup = NameLookup::Begin(lookups_.resolve, source->spec.address);
  }
  const absl::Time end = Clock::Real().Now() + patience;
  std::vector<std::string> complaints;
  for (const std::unique_ptr<Source>& source : sources_) {
    if (source->kind == Source::Kind::kList) continue;
    if (source->kind == Source::Kind::kDns && source->lookup == nullptr) continue;
    std::optional<absl::StatusOr<std::vector<BackendSpec>>> found = Look(*source, end);
    if (!found.has_value()) {
      MutexLock lock(mutex_);
      if (!source->known && first_error_.ok()) {
        first_error_ =
            DeadlineExceeded(source->name, ": no answer of a name server in ",
                             absl::FormatDuration(patience));
      }
      continue;
    }
    std::string complaint = Take(*source, *std::move(found));
    if (!complaint.empty()) complaints.push_back(std::move(complaint));
  }
  const std::vector<BackendSpec> now_there = backends();
  // Where there are none at all, first_error says it to whoever asked for them.
  if (!now_there.empty()) {
    for (const std::string& line : complaints) LOG(WARNING) << line;
  }
  return now_there != before;
}

absl::StatusOr<std::vector<BackendSpec>> BackendDirectory::ReadList(Source& source) {
  source.content.clear();
  SKEP_ASSIGN_OR_RETURN(source.content, lookups_.read(source.name));
  return ParseBackendList(source.content);
}

absl::StatusOr<std::vector<BackendSpec>> BackendDirectory::SpecsOf(
    const Source& source, absl::StatusOr<std::vector<Address>> answer) {
  SKEP_ASSIGN_OR_RETURN(std::vector<Address> addresses, std::move(answer));
  if (addresses.empty()) return NotFound(source.name, " has no address");
  // Name servers answer in any order.
  std::sort(addresses.begin(), addresses.end(),
            [](const auto& a, const auto& b) { return a.ToString() < b.ToString(); });
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  std::vector<BackendSpec> specs;
  for (const Address& address : addresses) {
    specs.push_back({.address = address, .weight = source.spec.weight});
  }
  return specs;
}

std::string BackendDirectory::Take(Source& source,
                                   absl::StatusOr<std::vector<BackendSpec>> found) {
  if (!found.ok()) {
    // Once for each edit, not at every look.
    std::string wrong = StrCat(found.status().ToString(), "\n", source.content);
    const bool news = wrong != source.said;
    source.said = std::move(wrong);
    MutexLock lock(mutex_);
    if (!source.known && first_error_.ok()) {
      first_error_ = Annotate(found.status(), source.name);
    }
    if (!news) return "";
    return StrCat("backends_not_read source=", source.name, " reason=\"",
                  found.status().ToString(), "\" ",
                  source.known ? "what it said before is kept" : "it adds none");
  }
  source.said.clear();
  MutexLock lock(mutex_);
  source.known = true;
  source.backends = *std::move(found);
  return "";
}

absl::Status BackendDirectory::first_error() const {
  MutexLock lock(mutex_);
  return first_error_;
}

std::vector<BackendSpec> BackendDirectory::Merge() const {
  std::vector<BackendSpec> all;
  std::set<std::string> seen;
  // An operator's weight comes before a source's.
  std::vector<const std::vector<BackendSpec>*> lists = {&added_};
  for (const std::unique_ptr<Source>& source : sources_) {
    lists.push_back(&source->backends);
  }
  for (const std::vector<BackendSpec>* specs : lists) {
    for (const BackendSpec& spec : *specs) {
      if (Contains(removed_, spec.address)) continue;
      if (seen.insert(spec.address.ToString()).second) all.push_back(spec);
    }
  }
  return all;
}

std::vector<BackendSpec> BackendDirectory::backends() const {
  MutexLock lock(mutex_);
  return Merge();
}

absl::Status BackendDirectory::Add(const BackendSpec& spec) {
  MutexLock lock(mutex_);
  std::erase(removed_, spec.address);
  std::erase_if(added_, [&](const auto& one) { return one.address == spec.address; });
  added_.push_back(spec);
  return absl::OkStatus();
}

absl::Status BackendDirectory::Remove(const Address& address) {
  MutexLock lock(mutex_);
  const std::vector<BackendSpec> all = Merge();
  if (std::none_of(all.begin(), all.end(),
                   [&](const auto& one) { return one.address == address; })) {
    return NotFound("no backend ", address, " among ", all.size());
  }
  if (all.size() == 1) {
    return FailedPrecondition(address,
                              " is the last backend: add another before it is removed");
  }
  std::erase_if(added_, [&](const auto& one) { return one.address == address; });
  removed_.push_back(address);
  return absl::OkStatus();
}

BackendWatcher::BackendWatcher(BackendDirectory& directory, Options options,
                               Apply apply)
    : directory_(directory), options_(options), apply_(std::move(apply)) {
  thread_ = std::thread([this] { Run(); });
}

BackendWatcher::~BackendWatcher() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    stopped_.SignalAll();
  }
  thread_.join();
}

void BackendWatcher::Run() {
  const Clock& clock = Clock::Real();
  while (true) {
    {
      MutexLock lock(mutex_);
      const absl::Time next = clock.Now() + options_.poll;
      while (!stop_ && clock.Now() < next) {
        stopped_.WaitFor(mutex_, next - clock.Now());
      }
      if (stop_) return;
    }
    if (!directory_.Refresh(clock.Now(), options_.resolve, absl::ZeroDuration())) {
      continue;
    }
    const absl::Status applied = ApplyNow();
    LOG_IF(WARNING, !applied.ok()) << "backends_kept reason=\"" << applied << '"';
    LOG_IF(INFO, applied.ok())
        << "backends_changed count=" << directory_.backends().size();
  }
}

absl::Status BackendWatcher::ApplyNow() {
  MutexLock lock(apply_mutex_);
  return apply_(directory_.backends());
}

absl::Status BackendWatcher::Add(const BackendSpec& spec) {
  SKEP_RETURN_IF_ERROR(directory_.Add(spec));
  return ApplyNow();
}

absl::Status BackendWatcher::Remove(const Address& address) {
  SKEP_RETURN_IF_ERROR(directory_.Remove(address));
  return ApplyNow();
}

}  // namespace skep
