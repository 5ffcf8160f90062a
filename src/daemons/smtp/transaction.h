// One message over one session: XFORWARD, MAIL, RCPT, DATA, content, and who got it. What to do about those who did
// not (another server, later, back to the sender) is the caller's.
//
//   commands go out in groups: one a group, or with PIPELINING all up to DATA at once
//   MAIL refused ........... rest: applies to every recipient
//   RCPT refused ........... that recipient's outcome; DATA goes out only where some recipient may have been taken
//   DATA, "." refused ...... rest: applies to the recipients taken
//   the session's last ..... with PIPELINING, QUIT goes out together with "."
//   connection lost ........ rest, and throttle; stale when a reused one gave no sign of life at all
#pragma once

#include "daemons/smtp/message.h"
#include "daemons/smtp/session.h"

#include <optional>
#include <string>
#include <vector>

namespace facteur::smtp_client {

struct RecipientOutcome {
    std::size_t position = 0;       // in Message::recipients
    std::optional<Trouble> trouble; // none: taken
    Reply reply;                    // what took it
};

struct TransactionResult {
    std::vector<RecipientOutcome> outcomes;
    std::optional<Trouble> rest; // for recipients without an outcome of their own
    bool throttle = false;       // the destination seems out of order
    bool reusable = false;       // the session is in order for another message, after a reset if needs_reset
    bool needs_reset = false;
    bool stale = false; // nothing happened: try again on a new connection
};

class Transaction {
public:
    // All are borrowed until run() ended.
    Transaction(Session& session, const Message& message, const Settings& settings);
    event::Task<TransactionResult> run();

private:
    enum class Stage { xforward_client, xforward_protocol, mail, rcpt, data };
    struct Step {
        Stage stage;
        std::size_t position = 0; // of the recipient
        std::string line;
    };
    struct StageFacts;
    static const StageFacts& facts(Stage stage);

    [[nodiscard]] std::optional<Trouble> unsendable() const;
    void plan();
    [[nodiscard]] std::size_t group_end(std::size_t begin) const;
    [[nodiscard]] bool pointless(std::size_t begin) const;
    [[nodiscard]] milliseconds timeout(Stage stage) const;

    event::Task<bool> send_envelope();
    event::Task<bool> run_group(std::size_t begin, std::size_t end);
    void take_reply(const Step& step, Reply reply);
    void take_rcpt_reply(const Step& step, Reply reply);
    void take_data_reply(const Reply& reply);

    event::Task<void> send_message();
    event::Task<std::expected<void, Broken>> send_content();
    event::Task<std::expected<void, Broken>> send_piece(std::uint64_t at, std::uint64_t count, milliseconds limit);
    event::Task<std::expected<void, Broken>> send_at_once();
    event::Task<std::expected<void, Broken>> send_encoded(std::string headers);
    event::Task<std::expected<void, Broken>> send_as_it_is();
    event::Task<std::expected<void, Broken>> wait_before_dot();
    event::Task<std::expected<void, Broken>> flush_end(milliseconds limit);
    event::Task<void> take_final_replies();
    event::Task<void> end_without_message();
    [[nodiscard]] bool needs_encoding() const;
    void lost(Broken how, std::string_view doing);

    Session& session_;
    const Message& message_;
    const Settings& settings_;
    TransactionResult result_;
    std::vector<Step> steps_;
    std::vector<std::size_t> taken_; // positions of recipients that RCPT took
    bool answered_ = false;          // any reply came
    bool mail_taken_ = false;
    bool mail_refused_ = false;
    bool data_open_ = false; // 354 came
};

// RSET on a session that a transaction left half done. False: it is of no more use.
event::Task<bool> reset_session(Session& session, const Settings& settings);
// QUIT, unless it was said, and waiting for the answer unless smtp_skip_quit_response.
event::Task<void> quit_session(Session& session, const Settings& settings);

} // namespace facteur::smtp_client
