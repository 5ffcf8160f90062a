// The state of one recipient's expansion: what was delivered, what is to be forwarded, and how it all went.
#pragma once

#include "daemons/local/local_agent.h"

#include <map>

namespace facteur::local {

struct LocalAgent::Expansion {
    Expansion(agent::Delivery& of, int recipient_index) : delivery(of), index(recipient_index) {}

    using Result = agent::Delivery::Result;
    void add(Result result, const ipc::Dsn& dsn)
    {
        if (result == Result::deferred || total == Result::done)
            last = dsn;
        if (result == Result::deferred)
            total = result;
        any = true;
    }
    // Reports an outcome for a step and remembers it.
    event::Task<void> sent(const Step& step, std::string_view reason);
    event::Task<void> failed(const Step& step, ipc::Dsn dsn); // class 4 defers, class 5 bounces

    agent::Delivery& delivery;
    int index;
    std::set<std::string, std::less<>> done; // users, files and addresses that have their copy
    struct Forward {
        std::vector<queue::Recipient> recipients;
        bool owned = false;
    };
    std::map<std::string, Forward> forwards; // by sender
    Result total = Result::done;
    ipc::Dsn last;
    bool any = false;
};

inline constexpr std::string_view kRelay = "local";

} // namespace facteur::local
