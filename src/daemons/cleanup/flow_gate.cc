#include "daemons/cleanup/flow_gate.h"

#include <utility>

namespace facteur::cleanup {

struct FlowGate::Ticket::State : std::enable_shared_from_this<State> {
    State(event::Loop& on, std::uint64_t most) : loop(on), window(most), changed(on) {}
    void leave(std::uint64_t bytes);

    event::Loop& loop;
    std::uint64_t under_way = 0;
    std::uint64_t window;
    bool letting_in = false;
    event::Condition changed;
};

// Several at a time, when half has left: they then go through the daemons together. And not from here: who comes in may
// leave at once, and so on as often as someone waits.
void FlowGate::Ticket::State::leave(std::uint64_t bytes)
{
    under_way -= bytes;
    if (letting_in || under_way > window / 2 || !changed.anyone_waits())
        return;
    letting_in = true;
    loop.post([self = shared_from_this()] {
        self->letting_in = false;
        while (self->under_way < self->window && self->changed.anyone_waits())
            self->changed.notify_one();
    });
}

FlowGate::Ticket::Ticket(std::shared_ptr<State> state, std::uint64_t bytes) : state_(std::move(state)), bytes_(bytes)
{
    state_->under_way += bytes_;
}

FlowGate::Ticket::Ticket(Ticket&& other) noexcept
    : state_(std::move(other.state_)), bytes_(std::exchange(other.bytes_, 0))
{
}

FlowGate::Ticket& FlowGate::Ticket::operator=(Ticket&& other) noexcept
{
    std::swap(state_, other.state_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

FlowGate::Ticket::~Ticket()
{
    if (state_)
        state_->leave(bytes_);
}

FlowGate::FlowGate(event::Loop& loop, Limits limits, std::function<bool()> processors_short)
    : loop_(loop), limits_(limits), processors_short_(std::move(processors_short)),
      state_(std::make_shared<Ticket::State>(loop, limits.window))
{
}

bool FlowGate::closed() const
{
    return state_->under_way >= limits_.window && crowded_ && processors_short_();
}

event::Task<FlowGate::Ticket> FlowGate::pass(std::uint64_t bytes)
{
    const auto begun = loop_.now();
    while (loop_.now() - begun < limits_.longest && closed()) {
        watch();
        co_await state_->changed.wait();
    }
    co_return Ticket(state_, bytes);
}

// The loop's deadlines are coarser than what we let anyone wait.
void FlowGate::watch()
{
    constexpr event::milliseconds kLook{10};
    if (timer_)
        return;
    timer_ = loop_.call_at(event::Clock::now() + kLook, [this] {
        timer_.reset();
        state_->changed.notify_all();
    });
}

} // namespace facteur::cleanup
