// Task<T>: a coroutine that starts when it is awaited and resumes its awaiter when it ends.
//
// One thread, no locks. A child that ends without suspending never leaves the parent's stack frame, so a loop over
// tasks that are ready at once uses constant stack at any optimisation level. Exceptions (out of memory, bugs) pass to
// the awaiter; one that reaches spawn() ends the process, because only main's skeleton may decide to go on.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace facteur::event {

template <typename T = void>
class Task;

namespace detail {

struct PromiseBase {
    std::coroutine_handle<> continuation;
    std::exception_ptr exception;

    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
        bool await_ready() noexcept { return false; }
        template <typename Promise>
        void await_suspend(std::coroutine_handle<Promise> self) noexcept
        {
            if (const auto next = self.promise().continuation)
                next.resume(); // may destroy this coroutine: touch nothing after it
        }
        void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <typename T>
struct Promise : PromiseBase {
    std::optional<T> value;
    Task<T> get_return_object();
    template <typename U>
    void return_value(U&& result)
    {
        value.emplace(std::forward<U>(result));
    }
    T take()
    {
        if (exception)
            std::rethrow_exception(exception);
        return std::move(*value);
    }
};

template <>
struct Promise<void> : PromiseBase {
    Task<void> get_return_object();
    void return_void() {}
    void take()
    {
        if (exception)
            std::rethrow_exception(exception);
    }
};

} // namespace detail

template <typename T>
class [[nodiscard]] Task {
public:
    using promise_type = detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    Task() = default;
    explicit Task(Handle handle) : handle_(handle) {}
    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Task& operator=(Task&& other) noexcept
    {
        if (this != &other) {
            destroy();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~Task() { destroy(); }

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent)
    {
        handle_.resume();
        if (handle_.done())
            return false;
        handle_.promise().continuation = parent;
        return true;
    }
    T await_resume() { return handle_.promise().take(); }

private:
    void destroy()
    {
        if (handle_)
            handle_.destroy();
    }
    Handle handle_;
};

template <typename T>
Task<T> detail::Promise<T>::get_return_object()
{
    return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}

inline Task<void> detail::Promise<void>::get_return_object()
{
    return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// Runs a task on its own; its frame frees itself at the end. An exception logs and aborts.
void spawn(Task<void> task);

} // namespace facteur::event
