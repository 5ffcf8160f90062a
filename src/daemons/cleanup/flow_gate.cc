#include "daemons/cleanup/flow_gate.h"

#include <utility>

namespace facteur::cleanup {

struct FlowGate::Ticket::State : std::enable_shared_from_this<State> {
    State(event::Loop& on, Limits within) : loop(on), limits(within), changed(on) {}
    void leave(std::uint64_t bytes);

    event::Loop& loop;
    const Limits limits;
    std::uint64_t under_way = 0;
    bool letting_in = false;
    event::Condition changed;
};

// Several at a time, when half has left: they then go through the daemons together. And not from here: who comes in may
// leave at once, and so on as often as someone waits.
void FlowGate::Ticket::State::leave(std::uint64_t bytes)
{
    under_way -= bytes;
    if (letting_in || under_way > limits.window / 2 || !changed.anyone_waits())
        return;
    letting_in = true;
    loop.post([self = shared_from_this()] {
        self->letting_in = false;
        while (self->under_way < self->limits.window && self->changed.anyone_waits())
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
    : processors_short_(std::move(processors_short)), state_(std::make_shared<Ticket::State>(loop, limits))
{
}

bool FlowGate::closed() const
{
    return state_->under_way >= state_->limits.window && crowded_ && processors_short_();
}

event::Task<FlowGate::Ticket> FlowGate::pass(std::uint64_t bytes)
{
    const event::Loop& loop = state_->loop;
    const auto begun = loop.now();
    while (loop.now() - begun < state_->limits.longest && closed()) {
        watch();
        co_await state_->changed.wait();
    }
    co_return Ticket(state_, bytes + state_->limits.each);
}

// The loop's deadlines are coarser than what we let anyone wait.
void FlowGate::watch()
{
    constexpr event::milliseconds kLook{10};
    if (timer_)
        return;
    timer_ = state_->loop.call_at(event::Clock::now() + kLook, [this] {
        timer_.reset();
        state_->changed.notify_all();
    });
}

} // namespace facteur::cleanup
