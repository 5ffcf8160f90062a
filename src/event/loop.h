// The event loop: one a process, one thread. Descriptors are registered once, edge-triggered; readiness is remembered,
// so waiting costs no system call of its own. Work that others wait for in bulk (replies, log lines, messages to other
// daemons) is gathered during a turn and written once at its end.
#pragma once

#include "event/task.h"

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace facteur::event {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How a wait ended.
enum class Ready { ready, timed_out, cancelled };

inline constexpr milliseconds kForever = milliseconds::max();

class Loop;

// A deadline in the loop's coarse wheel (quarter seconds). Linking and unlinking are O(1).
class Deadline {
public:
    Deadline() = default;
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    virtual ~Deadline() { unlink(); }
    void unlink();
    [[nodiscard]] bool linked() const { return next_ != nullptr; }

protected:
    virtual void expired() = 0;

private:
    friend class Loop;
    Deadline* next_ = nullptr;
    Deadline* previous_ = nullptr;
    std::uint64_t tick_ = 0;
};

// A suspended coroutine with an optional deadline: what every awaitable here is made of.
class Waiter : public Deadline {
public:
    void wake(Ready how);
    [[nodiscard]] bool waiting() const { return static_cast<bool>(handle_); }

protected:
    void suspend(Loop& loop, std::coroutine_handle<> handle, milliseconds timeout);
    void expired() override { wake(Ready::timed_out); }
    virtual void detach() {} // called before the coroutine resumes
    Ready result_ = Ready::ready;

private:
    std::coroutine_handle<> handle_;
};

// One registered descriptor; does not own it. At most one reader and one writer wait at a time.
// Room for writing is asked for while someone waits for it: a local socket reports it each time that its peer reads,
// and would wake us for nothing after every message sent.
class Watch {
public:
    enum class Begins { connected, connecting }; // connecting: a wait for writable() comes at once
    Watch(Loop& loop, int fd, Begins begins = Begins::connected);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    class Awaiter final : public Waiter {
    public:
        Awaiter(Watch& watch, bool write, milliseconds timeout) : watch_(watch), timeout_(timeout), write_(write) {}
        bool await_ready() const { return write_ ? watch_.writable_ : watch_.readable_; }
        void await_suspend(std::coroutine_handle<> handle);
        Ready await_resume() const { return result_; }

    private:
        void detach() override;
        Watch& watch_;
        milliseconds timeout_;
        bool write_;
    };
    [[nodiscard]] Awaiter readable(milliseconds timeout = kForever) { return {*this, false, timeout}; }
    [[nodiscard]] Awaiter writable(milliseconds timeout = kForever) { return {*this, true, timeout}; }

    // The caller found the descriptor drained (EAGAIN, or a short read from a stream): wait for the next edge.
    // After a hang-up it stays readable, so that end of file is seen.
    void drained() { readable_ = hung_up_; }
    void full() { writable_ = false; }
    [[nodiscard]] bool maybe_readable() const { return readable_; }
    [[nodiscard]] bool hung_up() const { return hung_up_; }
    void cancel(); // wakes both waiters with Ready::cancelled
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] Loop& loop() const { return loop_; }

private:
    friend class Loop;
    void happened(std::uint32_t events);
    void register_events(int operation, bool writing);
    Loop& loop_;
    int fd_;
    bool asks_writable_ = false; // EPOLLOUT is registered
    bool readable_ = false;
    bool writable_ = true;
    bool hung_up_ = false;
    Awaiter* reader_ = nullptr;
    Awaiter* writer_ = nullptr;
};

// Something that wants to run once at the end of the current turn.
class TurnEnd {
public:
    TurnEnd() = default;
    TurnEnd(const TurnEnd&) = delete;
    TurnEnd& operator=(const TurnEnd&) = delete;
    virtual ~TurnEnd();
    virtual void turn_ended() = 0;

private:
    friend class Loop;
    Loop* scheduled_in_ = nullptr;
};

class Loop {
public:
    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run(); // until stop()
    void stop() { stopping_ = true; }
    // Runs until the task ended; for command-line tools and tests.
    void run_until_done(Task<void> task);

    [[nodiscard]] Clock::time_point now() const { return now_; } // as of the start of this turn

    // A precise sleep (milliseconds).
    class Sleep;
    [[nodiscard]] Sleep sleep(milliseconds duration);
    // Calls back once at `when`; the returned handle cancels when destroyed.
    class Timer;
    [[nodiscard]] std::unique_ptr<Timer> call_at(Clock::time_point when, std::function<void()> callback);

    void at_turn_end(TurnEnd& hook);
    void before_waits(std::function<void()> work);     // called each time; replaces what was set before
    void post(std::function<void()> work);             // this thread, next turn
    void post_from_thread(std::function<void()> work); // any thread

    // Calls back in this loop when the process gets the signal (blocks it for normal delivery).
    void on_signal(int signal, std::function<void()> callback);

    void arm(Deadline& deadline, milliseconds timeout);

private:
    friend class Watch;
    friend class TurnEnd;
    void turn();
    [[nodiscard]] int wait_milliseconds() const;
    void expire();
    void expire_wheel();
    void run_posted();
    void run_turn_ends();
    [[nodiscard]] std::uint64_t tick_of(Clock::time_point time) const;

    static constexpr std::size_t kSlots = 256;
    static constexpr milliseconds kTick{250};

    struct Slot final : Deadline {
        void expired() override {}
    };
    using Timers = std::multimap<Clock::time_point, Timer*>;

    int epoll_ = -1;
    int wake_ = -1;
    bool stopping_ = false;
    Clock::time_point start_;
    Clock::time_point now_;
    std::uint64_t current_tick_ = 0;
    std::unique_ptr<Slot[]> slots_;
    Timers timers_;
    std::vector<TurnEnd*> turn_ends_;
    std::function<void()> before_wait_;
    std::vector<std::function<void()>> posted_;
    std::mutex foreign_mutex_;
    std::vector<std::function<void()>> foreign_;
    std::vector<Watch*> ready_batch_; // watches of the events being handled; a destroyed one becomes null
    struct Signals;
    std::unique_ptr<Signals> signals_;
};

class Loop::Timer {
public:
    Timer(Loop& loop, Clock::time_point when, std::function<void()> callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // Nothing once it has called back.
    [[nodiscard]] std::optional<Clock::time_point> when() const
    {
        return armed_ ? std::optional(at_->first) : std::nullopt;
    }

private:
    friend class Loop;
    Loop& loop_;
    std::function<void()> callback_;
    Timers::iterator at_;
    bool armed_ = true;
};

class Loop::Sleep {
public:
    Sleep(Loop& loop, milliseconds duration) : loop_(loop), duration_(duration) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle);
    void await_resume() const {}

private:
    Loop& loop_;
    milliseconds duration_;
    std::unique_ptr<Timer> timer_;
};

inline Loop::Sleep Loop::sleep(milliseconds duration)
{
    return {*this, duration};
}

// Coroutines wait here until someone notifies. Woken ones run at once, inside notify. However many wait, waking one and
// giving up cost the same.
class Condition {
    struct Link { // in a ring
        Link() = default;
        Link(const Link&) = delete;
        Link& operator=(const Link&) = delete;
        [[nodiscard]] bool alone() const { return next == this; }
        void insert_before(Link& where);
        void remove();
        Link* next = this;
        Link* previous = this;
    };

public:
    explicit Condition(Loop& loop) : loop_(loop) {}
    ~Condition();
    Condition(const Condition&) = delete;
    Condition& operator=(const Condition&) = delete;

    class Awaiter final : public Waiter, private Link {
    public:
        Awaiter(Condition& condition, milliseconds timeout) : condition_(condition), timeout_(timeout) {}
        ~Awaiter() override { remove(); }
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> handle);
        Ready await_resume() const { return result_; }

    private:
        friend class Condition;
        void detach() override;
        Condition& condition_;
        milliseconds timeout_;
    };
    [[nodiscard]] Awaiter wait(milliseconds timeout = kForever) { return {*this, timeout}; }
    void notify_one();
    void notify_all();
    [[nodiscard]] bool anyone_waits() const { return !waiters_.alone(); }

private:
    void wake_all(Ready how);

    Loop& loop_;
    Link waiters_; // the longest waiting first
};

} // namespace facteur::event
