#include "event/loop.h"

#include "base/error.h"
#include "base/log.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace facteur::event {

// --- tasks on their own ---

namespace {

struct Detached {
    struct promise_type {
        Detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception()
        {
            try {
                throw;
            } catch (const std::exception& failure) {
                log::panic("uncaught exception: {}", failure.what());
            }
        }
    };
};

Detached run_detached(Task<void> task)
{
    co_await std::move(task);
}

} // namespace

void spawn(Task<void> task)
{
    run_detached(std::move(task));
}

// --- deadlines and waiters ---

void Deadline::unlink()
{
    if (!next_)
        return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
}

void Waiter::suspend(Loop& loop, std::coroutine_handle<> handle, milliseconds timeout)
{
    handle_ = handle;
    if (timeout != kForever)
        loop.arm(*this, timeout);
}

void Waiter::wake(Ready how)
{
    if (!handle_)
        return;
    unlink();
    detach();
    result_ = how;
    std::exchange(handle_, {}).resume();
}

// --- one descriptor ---

Watch::Watch(Loop& loop, int fd, Begins begins) : loop_(loop), fd_(fd)
{
    register_events(EPOLL_CTL_ADD, begins == Begins::connecting);
}

void Watch::register_events(int operation, bool writing)
{
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    if (writing)
        event.events |= EPOLLOUT;
    event.data.ptr = this;
    asks_writable_ = writing;
    if (::epoll_ctl(loop_.epoll_, operation, fd_, &event) == 0)
        return;
    // Regular files cannot be polled: they are always ready.
    if (errno != EPERM)
        log::panic("epoll_ctl: {}", errno_text(errno));
    readable_ = hung_up_ = true;
}

Watch::~Watch()
{
    ::epoll_ctl(loop_.epoll_, EPOLL_CTL_DEL, fd_, nullptr);
    std::ranges::replace(loop_.ready_batch_, this, nullptr);
}

void Watch::Awaiter::await_suspend(std::coroutine_handle<> handle)
{
    (write_ ? watch_.writer_ : watch_.reader_) = this;
    if (write_ && !watch_.asks_writable_)
        watch_.register_events(EPOLL_CTL_MOD, true);
    suspend(watch_.loop_, handle, timeout_);
}

void Watch::Awaiter::detach()
{
    (write_ ? watch_.writer_ : watch_.reader_) = nullptr;
}

void Watch::happened(std::uint32_t events)
{
    if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        hung_up_ = true;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        readable_ = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        writable_ = true;
    // Woken for that alone, and nobody wanted it.
    if (events == EPOLLOUT && !writer_)
        register_events(EPOLL_CTL_MOD, false);
}

void Watch::cancel()
{
    if (auto* const waiter = reader_)
        waiter->wake(Ready::cancelled);
    if (auto* const waiter = writer_)
        waiter->wake(Ready::cancelled);
}

// --- the loop ---

TurnEnd::~TurnEnd()
{
    if (scheduled_in_)
        std::ranges::replace(scheduled_in_->turn_ends_, this, nullptr);
}

struct Loop::Signals {
    sigset_t set{};
    int fd = -1;
    std::unique_ptr<Watch> watch;
    std::map<int, std::function<void()>> callbacks;
    ~Signals()
    {
        watch.reset();
        if (fd >= 0)
            ::close(fd);
    }
};

Loop::Loop() : start_(Clock::now()), now_(start_), slots_(std::make_unique<Slot[]>(kSlots))
{
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_ < 0 || wake_ < 0)
        log::panic("event loop: {}", errno_text(errno));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
    for (std::size_t i = 0; i < kSlots; ++i)
        slots_[i].next_ = slots_[i].previous_ = &slots_[i];
}

Loop::~Loop()
{
    signals_.reset();
    for (std::size_t i = 0; i < kSlots; ++i) {
        while (slots_[i].next_ != &slots_[i])
            slots_[i].next_->unlink();
        slots_[i].next_ = slots_[i].previous_ = nullptr;
    }
    ::close(wake_);
    ::close(epoll_);
}

std::uint64_t Loop::tick_of(Clock::time_point time) const
{
    return static_cast<std::uint64_t>((time - start_) / kTick);
}

void Loop::arm(Deadline& deadline, milliseconds timeout)
{
    deadline.unlink();
    deadline.tick_ = tick_of(now_ + timeout) + 1;
    Slot& slot = slots_[deadline.tick_ % kSlots];
    deadline.next_ = &slot;
    deadline.previous_ = slot.previous_;
    slot.previous_->next_ = &deadline;
    slot.previous_ = &deadline;
}

int Loop::wait_milliseconds() const
{
    if (!posted_.empty() || stopping_)
        return 0;
    auto next = Clock::time_point::max();
    if (!timers_.empty())
        next = timers_.begin()->first;
    for (std::uint64_t tick = current_tick_ + 1; tick <= current_tick_ + kSlots; ++tick) {
        const Slot& slot = slots_[tick % kSlots];
        if (slot.next_ != &slot) {
            next = std::min(next, start_ + kTick * static_cast<std::int64_t>(tick));
            break;
        }
    }
    if (next == Clock::time_point::max())
        return -1;
    const auto wait = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(wait)>(wait, 0, 3'600'000));
}

void Loop::expire_wheel()
{
    const std::uint64_t target = tick_of(now_);
    // After a long pause one rotation visits every slot.
    if (target > current_tick_ + kSlots)
        current_tick_ = target - kSlots;
    while (current_tick_ < target) {
        ++current_tick_;
        Slot& slot = slots_[current_tick_ % kSlots];
        // Expiry runs code that may link and unlink anything: restart from the slot's head after each one.
        for (bool found = true; found;) {
            found = false;
            for (Deadline* entry = slot.next_; entry != &slot; entry = entry->next_) {
                if (entry->tick_ > target)
                    continue;
                entry->unlink();
                entry->expired();
                found = true;
                break;
            }
        }
    }
}

void Loop::expire()
{
    expire_wheel();
    while (!timers_.empty() && timers_.begin()->first <= now_) {
        Timer* const timer = timers_.begin()->second;
        timers_.erase(timers_.begin());
        timer->armed_ = false;
        const auto callback = std::move(timer->callback_);
        callback();
    }
}

void Loop::run_posted()
{
    auto work = std::exchange(posted_, {});
    for (auto& item : work)
        item();
}

void Loop::run_turn_ends()
{
    // Hooks may schedule hooks; those run in the same turn.
    for (std::size_t i = 0; i < turn_ends_.size(); ++i) {
        TurnEnd* const hook = turn_ends_[i];
        if (!hook)
            continue;
        hook->scheduled_in_ = nullptr;
        turn_ends_[i] = nullptr;
        hook->turn_ended();
    }
    turn_ends_.clear();
}

void Loop::at_turn_end(TurnEnd& hook)
{
    if (hook.scheduled_in_)
        return;
    hook.scheduled_in_ = this;
    turn_ends_.push_back(&hook);
}

void Loop::post(std::function<void()> work)
{
    posted_.push_back(std::move(work));
}

void Loop::post_from_thread(std::function<void()> work)
{
    {
        const std::lock_guard lock(foreign_mutex_);
        foreign_.push_back(std::move(work));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto put = ::write(wake_, &one, sizeof one);
}

void Loop::before_waits(std::function<void()> work)
{
    before_wait_ = std::move(work);
}

void Loop::turn()
{
    if (before_wait_)
        before_wait_();
    epoll_event events[256];
    const int limit = wait_milliseconds();
    // Where the processors are short, those who are about to ask us something go first: it is there when we look, and
    // nobody has to wake us for it. On an idle machine this does nothing.
    if (limit != 0)
        ::sched_yield();
    const int count = ::epoll_wait(epoll_, events, 256, limit);
    now_ = Clock::now();
    bool woken = false;
    ready_batch_.clear();
    for (int i = 0; i < count; ++i) {
        auto* const watch = static_cast<Watch*>(events[i].data.ptr);
        if (!watch) {
            woken = true;
            continue;
        }
        watch->happened(events[i].events);
        ready_batch_.push_back(watch);
    }
    if (woken) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto got = ::read(wake_, &ignored, sizeof ignored);
        const std::lock_guard lock(foreign_mutex_);
        std::ranges::move(foreign_, std::back_inserter(posted_));
        foreign_.clear();
    }
    run_posted();
    for (std::size_t i = 0; i < ready_batch_.size(); ++i) {
        if (ready_batch_[i] && ready_batch_[i]->readable_ && ready_batch_[i]->reader_)
            ready_batch_[i]->reader_->wake(Ready::ready);
        if (ready_batch_[i] && ready_batch_[i]->writable_ && ready_batch_[i]->writer_)
            ready_batch_[i]->writer_->wake(Ready::ready);
    }
    ready_batch_.clear();
    expire();
    run_turn_ends();
}

void Loop::run()
{
    stopping_ = false;
    while (!stopping_)
        turn();
}

void Loop::run_until_done(Task<void> task)
{
    bool done = false;
    struct Flagged {
        static Task<void> run(Task<void> inner, bool& flag)
        {
            co_await std::move(inner);
            flag = true;
        }
    };
    spawn(Flagged::run(std::move(task), done));
    run_turn_ends();
    while (!done)
        turn();
}

void Loop::on_signal(int signal, std::function<void()> callback)
{
    if (!signals_) {
        signals_ = std::make_unique<Signals>();
        sigemptyset(&signals_->set);
    }
    Signals& signals = *signals_;
    signals.callbacks[signal] = std::move(callback);
    sigaddset(&signals.set, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals.set, nullptr);
    const int fd = ::signalfd(signals.fd, &signals.set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        log::panic("signalfd: {}", errno_text(errno));
    if (signals.fd >= 0)
        return;
    signals.fd = fd;
    signals.watch = std::make_unique<Watch>(*this, fd);
    struct Reader {
        static Task<void> run(Signals& from)
        {
            for (;;) {
                const Ready how = co_await from.watch->readable();
                if (how != Ready::ready)
                    co_return;
                signalfd_siginfo info{};
                while (::read(from.fd, &info, sizeof info) == sizeof info) {
                    const auto found = from.callbacks.find(static_cast<int>(info.ssi_signo));
                    if (found != from.callbacks.end())
                        found->second();
                }
                from.watch->drained();
            }
        }
    };
    spawn(Reader::run(signals));
}

// --- timers ---

Loop::Timer::Timer(Loop& loop, Clock::time_point when, std::function<void()> callback)
    : loop_(loop), callback_(std::move(callback)), at_(loop.timers_.emplace(when, this))
{
}

Loop::Timer::~Timer()
{
    if (armed_)
        loop_.timers_.erase(at_);
}

std::unique_ptr<Loop::Timer> Loop::call_at(Clock::time_point when, std::function<void()> callback)
{
    return std::make_unique<Timer>(*this, when, std::move(callback));
}

void Loop::Sleep::await_suspend(std::coroutine_handle<> handle)
{
    timer_ = loop_.call_at(Clock::now() + duration_, [handle] { handle.resume(); });
}

// --- conditions ---

void Condition::Link::insert_before(Link& where)
{
    next = &where;
    previous = where.previous;
    previous->next = this;
    where.previous = this;
}

void Condition::Link::remove()
{
    previous->next = next;
    next->previous = previous;
    next = previous = this;
}

Condition::~Condition()
{
    // Waiters live in coroutines that must not outlive what they wait on.
    wake_all(Ready::cancelled);
}

void Condition::Awaiter::await_suspend(std::coroutine_handle<> handle)
{
    insert_before(condition_.waiters_);
    suspend(condition_.loop_, handle, timeout_);
}

void Condition::Awaiter::detach()
{
    remove();
}

void Condition::notify_one()
{
    if (anyone_waits())
        static_cast<Awaiter*>(waiters_.next)->wake(Ready::ready);
}

void Condition::notify_all()
{
    wake_all(Ready::ready);
}

// Those that start to wait again while being woken wait for the next notice.
void Condition::wake_all(Ready how)
{
    if (!anyone_waits())
        return;
    Link woken;
    woken.insert_before(waiters_);
    waiters_.remove();
    while (!woken.alone())
        static_cast<Awaiter*>(woken.next)->wake(how);
}

} // namespace facteur::event
