// Where processors are short, mail leaves before more comes in (in_flow_delay).
//
// Clients that send as fast as they can keep smtpd and cleanup busy; what delivers then gets less than its share, mail
// piles up, and each message costs more: its record has left the processor's caches when it is read, and it gets a
// queue file it could have done without. The gate lets a message wait a moment before it is stored while many bytes are
// under way, until some of them have left. Where agents wait for slow destinations many bytes are under way as well,
// and nothing is won by waiting: the gate is open unless messages queue up for agents and the processors are the
// reason.
#pragma once

#include "event/loop.h"

#include <cstdint>
#include <functional>
#include <memory>

namespace facteur::cleanup {

class FlowGate {
public:
    struct Limits {
        std::uint64_t window = 3 << 20;  // bytes under way
        std::uint64_t each = 8 << 10;    // that a message counts beside its own
        event::milliseconds longest{50}; // that one message waits; 0: none does
    };
    // `processors_short` is asked only when the window is full.
    FlowGate(event::Loop& loop, Limits limits, std::function<bool()> processors_short);
    FlowGate(const FlowGate&) = delete;
    FlowGate& operator=(const FlowGate&) = delete;

    // A message under way, until destroyed.
    class Ticket {
    public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept;
        Ticket& operator=(Ticket&& other) noexcept;
        ~Ticket();

    private:
        friend class FlowGate;
        struct State;
        Ticket(std::shared_ptr<State> state, std::uint64_t bytes);
        std::shared_ptr<State> state_;
        std::uint64_t bytes_ = 0;
    };

    // As the queue manager says: a good part of the messages waits for an agent.
    void set_crowded(bool crowded) { crowded_ = crowded; }
    // Resumes when the message may go on.
    [[nodiscard]] event::Task<Ticket> pass(std::uint64_t bytes);

private:
    [[nodiscard]] bool closed() const;
    void watch();

    std::function<bool()> processors_short_;
    std::shared_ptr<Ticket::State> state_;
    bool crowded_ = false;
    std::unique_ptr<event::Loop::Timer> timer_; // while someone waits
};

} // namespace facteur::cleanup
