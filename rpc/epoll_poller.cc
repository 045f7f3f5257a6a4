#include "rpc/epoll_poller.h"

#include <errno.h>
#include <glog/logging.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>

#include "base/status.h"

namespace skep {
namespace {

// As many as fit into a few pages; what is left over comes with the next call.
constexpr int kEventsPerWait = 512;

uint32_t ToEpoll(Readiness interest) {
  return ((interest & kReadable) != 0 ? uint32_t{EPOLLIN} : 0) |
         ((interest & kWritable) != 0 ? uint32_t{EPOLLOUT} : 0);
}

Readiness FromEpoll(uint32_t events) {
  Readiness ready = kNothing;
  if ((events & EPOLLIN) != 0) ready |= kReadable;
  if ((events & EPOLLOUT) != 0) ready |= kWritable;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) ready |= kBroken;
  return ready;
}

// Up, so that a timer's turn does not come before its time.
int ToMilliseconds(absl::Duration timeout) {
  if (timeout >= absl::Hours(1))
    return timeout == absl::InfiniteDuration() ? -1 : 3'600'000;
  return static_cast<int>(
      absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1))));
}

class EpollPoller final : public Poller {
 public:
  EpollPoller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) { PCHECK(epoll_ >= 0); }
  ~EpollPoller() override { close(epoll_); }

  absl::Status Add(int fd, Readiness interest, void* cookie) override {
    epoll_event event = MakeEvent(interest, cookie);
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
    return ErrnoToStatus(errno, StrCat("epoll_ctl add descriptor ", fd));
  }

  void Modify(int fd, Readiness interest, void* cookie) override {
    epoll_event event = MakeEvent(interest, cookie);
    PCHECK(epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0);
  }

  void Remove(int fd) override {
    PCHECK(epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) == 0);
  }

  void Wait(absl::Duration timeout, std::vector<Event>& events) override {
    const int count =
        epoll_wait(epoll_, ready_.data(), kEventsPerWait, ToMilliseconds(timeout));
    PCHECK(count >= 0 || errno == EINTR);
    events.clear();
    for (int i = 0; i < count; ++i) {
      events.push_back({ready_[i].data.ptr, FromEpoll(ready_[i].events)});
    }
  }

 private:
  static epoll_event MakeEvent(Readiness interest, void* cookie) {
    epoll_event event = {};
    event.events = ToEpoll(interest);
    event.data.ptr = cookie;
    return event;
  }

  const int epoll_;
  std::array<epoll_event, kEventsPerWait> ready_;
};

}  // namespace

std::unique_ptr<Poller> NewEpollPoller() { return std::make_unique<EpollPoller>(); }

}  // namespace skep
