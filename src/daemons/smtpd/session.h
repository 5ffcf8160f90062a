// One client's conversation, in one coroutine: greet, read a command, answer, until the end. Source: RFC 5321,
// smtpd(8).
//
// Replies are gathered and written when the client's buffered commands are used up: a pipelined batch of commands costs
// one write. An idle session holds no buffers.
#pragma once

#include "daemons/smtpd/context.h"
#include "daemons/smtpd/facts.h"
#include "daemons/smtpd/restrictions/judge.h"
#include "daemons/smtpd/transaction.h"
#include "net/stream.h"
#include "smtp/command.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtpd {

class Session;
using Words = std::vector<smtp::Word>;

// What became of a command. After restart the conversation begins anew: neither a success nor an error of the client's.
enum class Outcome { ok, error, restart };

struct Command {
    std::string_view verb;
    event::Task<Outcome> (*run)(Session& session, const Words& words);
    bool ends_group = false; // the client must wait for the answer before it sends more (RFC 2920)
    bool junk = false;       // too many of them count as errors
};

class Session {
public:
    Session(Context& context, net::StreamPtr stream, Client client);
    event::Task<void> run();

    // --- for the commands ---
    Context& context;
    Facts facts;
    Judge judge{context, facts};
    Transaction transaction;
    std::uint32_t discarded_keywords = 0;
    // Of the real client, whatever XCLIENT says later.
    bool may_xforward = false;
    bool rate_limited = false; // smtpd_client_*_limit apply

    [[nodiscard]] const Settings& settings() const { return context.settings; }
    // Puts a reply in line. 421 and 521 end the session after it.
    void reply(std::string_view text);
    Outcome refuse(std::string_view text); // reply, Outcome::error
    void hang_up() { hanging_up_ = true; }
    // An accepted message: earlier errors are forgiven.
    void forgive();
    void reset_transaction();
    [[nodiscard]] bool greeted() const { return facts.helo_name.has_value(); }
    void greet(); // "220 ..."
    [[nodiscard]] bool offers(std::uint32_t keyword) const { return (discarded_keywords & keyword) == 0; }

    // Reads content: what is buffered, or after waiting what comes. Empty when the client is gone (see broken()). The
    // view ends when anything is awaited: consume() before.
    event::Task<std::string_view> content();
    void consume(std::size_t count);
    // Bytes received of the message under way, for the log line of a lost client.
    void count_content(std::uint64_t bytes) { content_bytes_ = bytes; }
    [[nodiscard]] bool broken() const { return broken_.has_value(); }

    // At a RCPT: of the recipients that a pipelining client has sent with it, all are asked about at once.
    void look_ahead();

    void log_client(); // "ID: client=..."

private:
    event::Task<bool> admitted(); // the limits of anvil
    event::Task<void> converse();
    event::Task<std::optional<std::string>> read_command();
    event::Task<void> handle(std::string line);
    event::Task<void> dispatch(const Command& command, Words words);
    bool too_early(const Command& command);
    void count_error() { ++errors_; }
    enum class Lent { no, yes }; // see net::Stream::fill_lent()
    event::Task<bool> fill(Lent lent = Lent::no);
    event::Task<void> slow_down();
    std::string with_footer(std::string_view text) const;
    event::Task<void> say_goodbye();
    void log_disconnect() const;
    void log_end() const;

    net::StreamPtr stream_;
    std::optional<net::StreamError> broken_;
    bool hanging_up_ = false;
    bool too_many_errors_ = false;
    std::string counted_address_; // what anvil counts us under; XCLIENT may change the client's address meanwhile
    std::string access_denied_;   // smtpd_delay_reject = no: the client's refusal
    long errors_ = 0;
    long junk_ = 0;
    std::uint64_t content_bytes_ = 0;
    event::Clock::time_point request_deadline_{};
    bool bare_newline_ = false; // in the command just read
    std::size_t ahead_ = 0;     // commands of which look_ahead() knows
    struct Count {
        std::uint32_t tried = 0, done = 0;
    };
    static constexpr std::size_t kCounts = 17; // the commands and "unknown"
    std::array<Count, kCounts> counts_{};
};

// The table of commands; the last is for words that are none.
std::span<const Command> commands();

} // namespace facteur::smtpd
