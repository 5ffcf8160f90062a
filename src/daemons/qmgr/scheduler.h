// The agents that deliver, and what may go to them now.
//
// An entry goes out when its destination's window and the transport's process limit have room, in the order of
// job_queue.h. What comes back is given
// to the owner; an answer that never came (the agent died) is reported as lost, and the owner looks into the queue file
// for what was done.
#pragma once

#include "daemons/qmgr/destination.h"
#include "daemons/qmgr/message.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace facteur::qmgr {

[[nodiscard]] bool verp_wanted(const queue::Envelope& envelope);

class Scheduler final : private event::TurnEnd {
public:
    // Told when an entry needs no more from the scheduler.
    class Owner {
    public:
        virtual ~Owner() = default;
        virtual void entry_answered(Entry entry, const ipc::DeliverReply& reply) = 0;
        virtual void entry_lost(Entry entry) = 0; // no answer: the states in the file tell what was done
        // The destination is dead: defer these recipients without an attempt.
        virtual void entry_suspended(Entry entry, const ipc::Dsn& why) = 0;
        [[nodiscard]] virtual std::size_t active_count() const = 0;
    };

    Scheduler(event::Loop& loop, const config::Config& config, const Settings& settings, Owner& owner);

    Transport& transport(const std::string& name);
    void enqueue(Transport& transport, const std::string& destination, std::string nexthop, Entry entry);
    // Brings dead destinations and transports back, as an administrator's flush asks.
    void revive_all();
    // Takes back what waits of a message; the owner closes the entries.
    std::vector<Entry> drop(const Message& message);
    void stop() { stopped_ = true; } // nothing new goes out
    [[nodiscard]] const std::map<std::string, std::unique_ptr<Transport>>& transports() const { return transports_; }
    [[nodiscard]] long in_flight() const { return in_flight_; }

private:
    void turn_ended() override;
    void dispatch(Transport& transport);
    void update(Destination& destination);
    void pause(Transport& transport);
    event::Task<void> deliver(Destination& destination, Entry entry);
    void account(Destination& destination, const ipc::DeliverReply& reply);
    void bury(Destination& destination, const ipc::Dsn& why);
    void bury(Transport& transport, const ipc::Dsn& why);
    void warn_of_clog(Destination& destination);
    void suspend_waiting(Destination& destination, const ipc::Dsn& why);
    void forget_if_idle(Destination& destination);
    [[nodiscard]] ipc::DeliverRequest make_request(const Destination& destination, const Entry& entry) const;

    event::Loop& loop_;
    const config::Config& config_;
    const Settings& settings_;
    Owner& owner_;
    std::map<std::string, std::unique_ptr<Transport>> transports_;
    long in_flight_ = 0;
    bool stopped_ = false;
};

} // namespace facteur::qmgr
