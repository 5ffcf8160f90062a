// What the files tell of a queued message, read as it is asked for: the facts behind --where.
//
// Age and size cost a look at the file's header, addresses and origin the envelope, the reason a look into the defer
// log. Who knows some of it already (an index entry) says so beforehand. Transports come from outside: only
// trivial-rewrite can tell.
#pragma once

#include "ipc/messages.pb.h"
#include "queue/queue_file.h"
#include "queue/selection.h"
#include "queue/spool.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::agent {

class MessageFacts final : public queue::Facts {
public:
    // `now`: seconds since the epoch, for ages. The spool outlives the facts.
    MessageFacts(const queue::Spool& spool, std::int64_t now) : spool_(spool), now_(now) {}

    // The message that questions are about from now on; `queue` is one of the directories' names.
    void about(std::string_view queue, std::string id);
    // The same, with what a listing knows: arrival, size, sender, reasons; recipients when it has any.
    void about(const ipc::ListEntry& entry);
    // What addresses resolve to, one for each that still waits; several may be the same.
    void set_transports(std::vector<std::string> transports);

    std::optional<std::span<const std::string_view>> texts(queue::Field field) override;
    std::optional<std::int64_t> number(queue::Field field) override;

    // Addresses that still wait, internal form. Nothing when the file does not tell.
    const std::vector<std::string>* recipients();
    const std::string* sender();
    // False once a question found no file: the message left the queue.
    [[nodiscard]] bool there() const { return there_; }

private:
    bool open();
    bool read_envelope();
    bool read_reasons();
    bool fill(queue::Field field);

    const queue::Spool& spool_;
    std::int64_t now_;
    std::string queue_;
    std::string id_;
    bool there_ = true;

    bool tried_open_ = false;
    std::optional<queue::QueueFile> file_;
    bool tried_envelope_ = false;
    std::optional<queue::Envelope> envelope_;
    std::optional<std::int64_t> arrival_;
    std::optional<std::int64_t> size_;
    std::optional<std::string> sender_;
    std::optional<std::vector<std::string>> recipients_;
    std::optional<std::vector<std::string>> reasons_;
    std::optional<std::vector<std::string>> transports_;

    std::string client_;
    std::vector<std::string_view> values_; // of the last answer
};

} // namespace facteur::agent
